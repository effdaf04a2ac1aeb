//! What the handlers of all routes share.

use std::sync::Arc;

use axum::extract::State;

use super::account::Account;
use super::certificates::Certificates;
use super::fault::hold::HeldRequests;
use super::fault::rules::Faults;
use super::preferences::PreferenceStore;
use super::process::{Processes, Session};
use super::request_log::RequestLog;
use super::settings::Settings;
use super::shares::Shares;
use super::throttle::Throttle;

/// One running emulator, seen from its handlers (as `axum::extract::State<Arc<EmulatorState>>`).
#[derive(Debug)]
pub struct EmulatorState {
    /// What the emulator was started with.
    pub settings: Settings,
    /// The account's files.
    pub account: Arc<Account>,
    /// The API token that is accepted.
    pub token: String,
    /// The API's address without a slash at its end.
    pub url: String,
    /// The web apps' address without a slash at its end.
    pub site_url: String,
    /// The rate limit.
    pub throttle: Throttle,
    /// The faults to be made.
    pub faults: Faults,
    /// The requests held back by a fault.
    pub held: HeldRequests,
    /// Every request so far.
    pub log: RequestLog,
    /// The files that are shared with everybody.
    pub shares: Shares,
    /// The certificates of its domains.
    pub certificates: Certificates,
    /// What the account has chosen.
    pub preferences: PreferenceStore,
    /// Consoles, tasks, web apps and websites.
    pub processes: Processes,
}

/// How handlers take the state.
pub(crate) type SharedState = State<Arc<EmulatorState>>;

impl EmulatorState {
    /// What processes are told about the service.
    #[must_use]
    pub fn session(&self) -> Session {
        Session {
            url: self.url.clone(),
            token: self.token.clone(),
            authority: self.settings.tls.as_ref().map(|folder| folder.join("ca.pem")),
        }
    }
}
