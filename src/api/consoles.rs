//! `consoles`: terminals on the host. A console starts when its page is opened in a browser.

use serde::Deserialize;
use serde_json::Value;

use crate::client::{Client, Request};
use crate::error::{Error, Result};

#[derive(Deserialize)]
struct NewConsole {
    id: u64,
}

#[derive(Deserialize)]
struct ConsoleOutput {
    output: String,
}

impl Client {
    /// Lists the consoles.
    ///
    /// Endpoint: `GET consoles/`.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn list_consoles(&self) -> Result<Vec<Value>> {
        self.send(Request::get("consoles/")).await?.error_for_status()?.json("the list of consoles")
    }

    /// Makes a console that runs `executable` and returns its number. It starts when its page is opened in a browser.
    ///
    /// Endpoint: `POST consoles/`. Not repeated after an ambiguous failure.
    ///
    /// # Errors
    /// `RateLimited` where the account may have no more consoles.
    pub async fn create_console(&self, executable: &str) -> Result<u64> {
        let request = Request::post("consoles/").form([("executable", executable)]);
        Ok(self.send(request).await?.error_for_status()?.json::<NewConsole>("the new console")?.id)
    }

    /// Types into a console; a line ends with `\n`.
    ///
    /// Endpoint: `POST consoles/{id}/send_input/`. Not repeated after an ambiguous failure.
    ///
    /// # Errors
    /// `ConsoleNotStarted`, with the page to open, before that page was opened in a browser.
    pub async fn send_console_input(&self, id: u64, input: &str) -> Result<()> {
        let request = Request::post(format!("consoles/{id}/send_input/")).form([("input", input)]);
        self.send(request).await?.error_for_status().map_err(|error| self.with_page(error, &id.to_string()))?;
        Ok(())
    }

    /// About the last 500 characters of a console's output, terminal escapes included.
    ///
    /// Endpoint: `GET consoles/{id}/get_latest_output/`.
    ///
    /// # Errors
    /// As [`Client::send_console_input`].
    pub async fn latest_console_output(&self, id: u64) -> Result<String> {
        let request = Request::get(format!("consoles/{id}/get_latest_output/"));
        let response =
            self.send(request).await?.error_for_status().map_err(|error| self.with_page(error, &id.to_string()))?;
        Ok(response.json::<ConsoleOutput>("the output of a console")?.output)
    }

    /// Adds the page that has to be opened first to the error.
    pub(super) fn with_page(&self, mut error: Error, id: &str) -> Error {
        if let Error::Api { status: 412, browser_url, .. } = &mut error {
            *browser_url = Some(format!("{}user/{}/consoles/{id}/", self.host(), self.user()));
        }
        error
    }
}
