//! `webapps`: the account's web apps.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use crate::client::{Client, Request, Response, quote};
use crate::error::{Error, Result};

/// A reload usually takes 1 to 8 s, but waits for running requests, which may take 5 minutes.
pub(super) const RELOAD_TIMEOUT: Duration = Duration::from_secs(6 * 60);

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloaded {
    /// The web app was reloaded.
    Done,
    /// It was reloaded, and the service warns that the domain's CNAME does not point to it.
    CnameWarning(String),
}

impl Client {
    /// Lists the web apps.
    ///
    /// Endpoint: `GET webapps/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn list_webapps(&self) -> Result<Vec<Value>> {
        self.send(Request::get("webapps/")).await?.error_for_status()?.json("the list of web apps")
    }

    /// The configuration of a web app.
    ///
    /// Endpoint: `GET webapps/{domain}/`.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn webapp(&self, domain: &str) -> Result<Value> {
        self.send(Request::get(webapp_url(domain)?)).await?.error_for_status()?.json("a web app")
    }

    /// Makes a web app with manual configuration. `python_version` is written as in `python313`.
    ///
    /// Endpoint: `POST webapps/`, which overwrites the WSGI file. Not repeated after an ambiguous failure.
    ///
    /// # Errors
    /// As the service answers, also where it answers 200 with an error in the body.
    pub async fn create_webapp(&self, domain: &str, python_version: &str) -> Result<Value> {
        let request = Request::post("webapps/").form([("domain_name", domain), ("python_version", python_version)]);
        let response = self.send(request).await?.error_for_status()?;
        response.json("the new web app")
    }

    /// Changes settings of a web app; a reload is needed to apply them.
    ///
    /// Endpoint: `PATCH webapps/{domain}/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn update_webapp(&self, domain: &str, fields: &[(&str, &str)]) -> Result<Value> {
        let request = Request::patch(webapp_url(domain)?).form(fields.iter().copied());
        self.send(request).await?.error_for_status()?.json("a web app")
    }

    /// The static files mappings of a web app.
    ///
    /// Endpoint: `GET webapps/{domain}/static_files/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn static_files(&self, domain: &str) -> Result<Vec<Value>> {
        let request = Request::get(format!("{}static_files/", webapp_url(domain)?));
        self.send(request).await?.error_for_status()?.json("a list of mappings")
    }

    /// Adds a static files mapping: `path` is served below the address `url` after the next reload.
    ///
    /// Endpoint: `POST webapps/{domain}/static_files/`. Not repeated after an ambiguous failure.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn add_static_files(&self, domain: &str, url: &str, path: &str) -> Result<()> {
        let request =
            Request::post(format!("{}static_files/", webapp_url(domain)?)).form([("url", url), ("path", path)]);
        self.send(request).await?.error_for_status().map(drop)
    }

    /// Lets a static files mapping serve another folder after the next reload.
    ///
    /// Endpoint: `PATCH webapps/{domain}/static_files/{id}/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn move_static_files(&self, domain: &str, id: u64, path: &str) -> Result<()> {
        let request = Request::patch(format!("{}static_files/{id}/", webapp_url(domain)?)).form([("path", path)]);
        self.send(request).await?.error_for_status().map(drop)
    }

    /// The versions of Python 3 that the account offers, and its default.
    ///
    /// Endpoint: `GET default_python3_version/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn default_python3(&self) -> Result<Value> {
        self.send(Request::get("default_python3_version/")).await?.error_for_status()?.json("the versions of Python")
    }

    /// Reloads a web app. The client does not repeat it: only the caller knows whether a second reload does harm.
    ///
    /// Endpoint: `POST webapps/{domain}/reload/`.
    ///
    /// # Errors
    /// As the service answers; after a `Timeout` it is unknown whether the web app was reloaded.
    pub async fn reload_webapp(&self, domain: &str) -> Result<Reloaded> {
        self.reload_answer(domain).await.map(|(_, reloaded)| reloaded)
    }

    /// As [`reload_webapp`](Self::reload_webapp), with the service's own answer.
    pub(super) async fn reload_answer(&self, domain: &str) -> Result<(Value, Reloaded)> {
        let request = Request::post(format!("{}reload/", webapp_url(domain)?)).timeout(RELOAD_TIMEOUT);
        let response = self.send(request).await?;
        if response.status == StatusCode::CONFLICT && says_cname_error(&response) {
            return Ok((object_of(&response), Reloaded::CnameWarning(response.to_error().to_string())));
        }
        Ok((object_of(&response.error_for_status()?), Reloaded::Done))
    }
}

/// The object in an answer; an empty one if the answer has none.
fn object_of(response: &Response) -> Value {
    response.json("an object").ok().filter(Value::is_object).unwrap_or_else(|| Value::Object(serde_json::Map::new()))
}

/// Whether the service says "reloaded, but the CNAME is wrong". The code has been seen in several fields.
fn says_cname_error(response: &Response) -> bool {
    let answer: Value = response.json("an error").unwrap_or_default();
    ["error", "code", "error_type"].iter().any(|field| answer[field] == "cname_error")
}

/// `webapps/{domain}/`.
fn webapp_url(domain: &str) -> Result<String> {
    Ok(format!("webapps/{}/", quote(checked_domain(domain)?)))
}

/// The domain, if it is one: anything else could change the path of the request.
pub(crate) fn checked_domain(domain: &str) -> Result<&str> {
    if is_domain(domain) {
        return Ok(domain);
    }
    let advice = match domain_in(domain) {
        Some(found) => format!("give the domain alone, {found:?}"),
        None => "give that of the web app, like \"me.pythonanywhere.com\"".to_owned(),
    };
    Err(Error::config(format!("{domain:?} is not a domain: {advice}")))
}

fn is_domain(text: &str) -> bool {
    let label = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_');
    text.split('.').all(label)
}

/// The domain in the address of a site, which is easily taken for it.
fn domain_in(address: &str) -> Option<&str> {
    let address = address.trim();
    let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
    let name = rest.split(['/', '?', '#']).next()?.split(':').next()?.trim_end_matches('.');
    (name.contains('.') && is_domain(name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_a_site_is_not_its_domain_and_the_message_says_which_part_is() {
        for domain in ["me.pythonanywhere.com", "www.example.com", "localhost", "xn--bcher-kva.example"] {
            assert_eq!(checked_domain(domain).unwrap(), domain);
        }
        for address in [
            "https://me.example.com/",
            "me.example.com/x?y",
            " me.example.com",
            "me.example.com:443",
            "me.example.com.",
        ] {
            let error = checked_domain(address).unwrap_err().to_string();
            assert!(error.contains("the domain alone, \"me.example.com\""), "{error}");
        }
        for other in ["", ".", "a..b", "two words", "../x", "https://"] {
            let error = checked_domain(other).unwrap_err().to_string();
            assert!(error.contains("is not a domain"), "{error}");
        }
    }
}
