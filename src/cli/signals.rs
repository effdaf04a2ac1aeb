//! SIGINT and SIGTERM, as the exit codes that they lead to.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use crate::error::{Error, Result};

/// The signals that end a command.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Watches from now on; the default handlers, which would kill the process, stay off until it exits.
    ///
    /// # Errors
    /// `Local` if the system refuses.
    pub fn watch() -> Result<Self> {
        let watch = |kind| signal(kind).map_err(|source| Error::Local { path: "signals".into(), source });
        Ok(Self { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
    }

    /// Waits for the next signal and returns its exit code.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}
