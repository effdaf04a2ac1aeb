//! The time on the host, which jobs and signatures are dated by.

use std::time::SystemTime;

use crate::client::Client;

/// The time that programs on the host see. In the emulator they see the time of this machine, while the service has a
/// clock of its own, which tests move.
#[must_use]
pub fn host_time(client: &Client) -> SystemTime {
    let known = if client.host().is_loopback() { None } else { client.server_time() };
    known.unwrap_or_else(SystemTime::now)
}
