//! The signals that end a command, as the exit codes that they lead to.

use super::exit::Exit;
use crate::error::{Error, Result};
use crate::platform::{self, Signal};

/// The signals that end a command.
pub struct Signals(platform::Signals);

impl Signals {
    /// Watches from now on; the default handlers, which would kill the process, stay off until it exits.
    ///
    /// # Errors
    /// `Local` if the system refuses.
    pub fn watch() -> Result<Self> {
        let failed = |source| Error::Local { path: "signals".into(), source };
        platform::Signals::watch().map(Self).map_err(failed)
    }

    /// Waits for the next signal and returns its exit code.
    pub async fn next(&mut self) -> Exit {
        match self.0.next().await {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
        }
    }
}
