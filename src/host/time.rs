//! The time that the host's programs see, which jobs and signatures are dated by.

use std::time::SystemTime;

use crate::client::Client;

/// What the clock of the host shows where its programs run. An emulator's service has a clock of its own, which tests
/// move; its programs have this machine's.
#[must_use]
pub fn host_time(client: &Client) -> SystemTime {
    let known = if client.host().is_loopback() { None } else { client.server_time() };
    known.unwrap_or_else(SystemTime::now)
}
