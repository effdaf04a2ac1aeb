//! The demo's host: a fresh free account, emulated on this machine, and a visitor of its site.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::project::NAME;
use super::python::python_json;
use crate::cli::context::HostPython;
use crate::client::{Client, Options, RateLimit, Request};
use crate::emulator::{Emulator, Settings};
use crate::error::{Error, Result};

/// What the service allows in a minute, for each endpoint.
pub const LIMIT: u32 = 40;
/// Django starts at the first request after a reload.
const TIMEOUT: Duration = Duration::from_secs(60);

const WHEELS: &str = include_str!("wheels.py");

/// An emulated account.
pub struct Host {
    pub emulator: Emulator,
    /// Where its commands keep what they learn of the host: a cache of other accounts is left alone, and leaves this alone.
    pub cache: PathBuf,
    /// How many packages pip can install there.
    pub packages: usize,
}

impl Host {
    /// Starts the emulator with the service's limit, below `folder`. pip in the account gets what is installed here, as
    /// wheels.
    ///
    /// # Errors
    /// `Config` if wheels cannot be made of what is installed; `Local` if the emulator cannot start.
    pub async fn start(python: &HostPython, folder: &Path) -> Result<Self> {
        let wheels = folder.join("wheels");
        std::fs::create_dir(&wheels).map_err(|source| Error::Local { path: wheels.clone(), source })?;
        let place = wheels.to_string_lossy();
        let words = ["-c", WHEELS, "wagtail", &place];
        let made: serde_json::Map<String, serde_json::Value> =
            python_json("the making of wheels", &python.executable, &words, folder).await?;
        let settings = Settings {
            root: Some(folder.join("account")),
            rate_limit: Some(LIMIT),
            python: python.executable.clone(),
            package_index: Some(wheels),
            // Processes start slowly where other work keeps the machine busy.
            first_request_limit: TIMEOUT,
            ..Settings::default()
        };
        let emulator =
            Emulator::start(settings).map_err(|source| Error::Local { path: "the emulator".into(), source })?;
        Ok(Self { emulator, cache: folder.join("cache"), packages: made.len() })
    }

    /// The project's folder in the account, as it lies on this machine.
    pub fn project(&self) -> PathBuf {
        self.emulator.root().join("home").join(self.emulator.user()).join(NAME)
    }

    /// The home page, as a visitor gets it: status and text.
    ///
    /// # Errors
    /// `Transport` if the site does not answer.
    pub async fn page(&self) -> Result<(u16, String)> {
        let options = Options { rate_limit: RateLimit::Off, read_timeout: TIMEOUT, ..Options::default() };
        let visitor = Client::at(self.emulator.site_url(), options)?;
        let response = visitor.send(Request::get("")).await?;
        Ok((response.status.as_u16(), String::from_utf8_lossy(&response.body).into_owned()))
    }
}
