//! The state of a running emulator, which all handlers share.

use std::sync::Arc;

use axum::extract::State;

use super::account::Account;
use super::certificates::Certificates;
use super::fault::hold::HeldRequests;
use super::fault::rules::Faults;
use super::latency::Latency;
use super::preferences::PreferenceStore;
use super::process::{Processes, Session};
use super::request_log::RequestLog;
use super::settings::Settings;
use super::shares::Shares;
use super::throttle::Throttle;

/// Everything that handlers need, which they take as [`SharedState`].
#[derive(Debug)]
pub struct EmulatorState {
    /// The settings that the emulator was started with.
    pub settings: Settings,
    /// The account's files.
    pub account: Arc<Account>,
    /// The API token.
    pub token: String,
    /// The API's address, without a trailing slash.
    pub url: String,
    /// The web apps' address, without a trailing slash.
    pub site_url: String,
    /// The address of the account's package index, if it has one.
    pub package_index: Option<String>,
    /// The rate limit.
    pub throttle: Throttle,
    /// The token of the page, which is another than the API's; `None` if there is no page.
    pub page_token: Option<String>,
    /// The time added to each response.
    pub latency: Latency,
    /// The rules for faults.
    pub faults: Faults,
    /// The requests that a fault holds.
    pub held: HeldRequests,
    /// Every request so far.
    pub log: RequestLog,
    /// The publicly shared files.
    pub shares: Shares,
    /// The certificates of the account's domains.
    pub certificates: Certificates,
    /// The account's preferences.
    pub preferences: PreferenceStore,
    /// Consoles, tasks, web apps and websites.
    pub processes: Processes,
}

/// The state as an argument of a handler.
pub(crate) type SharedState = State<Arc<EmulatorState>>;

impl EmulatorState {
    /// Whether the account has a web app or website at this domain.
    pub async fn has_site(&self, domain: &str) -> bool {
        self.processes.webapps.get(domain).is_some() || self.processes.websites.get(domain).await.is_some()
    }

    /// Whether it has any.
    pub async fn has_any_site(&self) -> bool {
        !self.processes.webapps.all().is_empty() || !self.processes.websites.all().await.is_empty()
    }

    /// What the account's processes need to call the API.
    #[must_use]
    pub fn session(&self) -> Session {
        Session {
            url: self.url.clone(),
            token: self.token.clone(),
            authority: self.settings.tls.as_ref().map(|folder| folder.join("ca.pem")),
            package_index: self.package_index.clone(),
        }
    }
}
