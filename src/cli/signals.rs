//! SIGINT and SIGTERM, as exit codes to come.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Exit;
use crate::error::{Error, Result};

/// The signals that end a command.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Watches from now on; the default handlers, which would kill the process, are off from then until its end.
    ///
    /// # Errors
    /// `Local` if the system refuses.
    pub fn watch() -> Result<Self> {
        let watch = |kind| signal(kind).map_err(|source| Error::Local { path: "signals".into(), source });
        Ok(Self { interrupt: watch(SignalKind::interrupt())?, terminate: watch(SignalKind::terminate())? })
    }

    /// The next one, as the exit code it asks for.
    pub async fn next(&mut self) -> Exit {
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
        }
    }
}
