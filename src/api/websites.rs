//! `websites`: sites that are served by a command (ASGI), which version 1 of the API manages.

use serde_json::{Value, json};

use super::checked_domain;
use super::webapps::RELOAD_TIMEOUT;
use crate::client::{Client, Request, quote};
use crate::error::Result;

impl Client {
    /// Lists the websites, each of which is served by a command.
    ///
    /// Endpoint: `GET websites/`, version 1.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn list_websites(&self) -> Result<Vec<Value>> {
        self.send(Request::get("websites/").version(1)).await?.error_for_status()?.json("the list of websites")
    }

    /// Makes a website, and starts its command.
    ///
    /// Endpoint: `POST websites/`, version 1. Not repeated after an ambiguous failure.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn create_website(&self, domain: &str, command: &str) -> Result<Value> {
        let body = json!({ "domain_name": domain, "enabled": true, "webapp": { "command": command } });
        let request = Request::post("websites/").version(1).json(&body)?;
        self.send(request).await?.error_for_status()?.json("the new website")
    }

    /// Starts a website's command again. As with web apps, the client does not repeat it.
    ///
    /// Endpoint: `POST websites/{domain}/reload/`, version 1.
    ///
    /// # Errors
    /// As the service answers; after a `Timeout` it is unknown whether the website was reloaded.
    pub async fn reload_website(&self, domain: &str) -> Result<()> {
        let path = format!("websites/{}/reload/", quote(checked_domain(domain)?));
        self.send(Request::post(path).version(1).timeout(RELOAD_TIMEOUT)).await?.error_for_status()?;
        Ok(())
    }
}
