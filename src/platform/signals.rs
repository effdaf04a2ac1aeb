//! What asks a process to end: SIGINT and SIGTERM, on Windows the events of its console.

use std::io;

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C, on Windows Ctrl-Break, too.
    Interrupt,
    /// SIGTERM; on Windows the window is closed, or the system shuts down.
    Terminate,
}

/// The signals that end a command.
pub(crate) struct Signals(system::Streams);

impl Signals {
    /// Watches from now on; the default handlers, which would end the process, stay off until it exits.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn watch() -> io::Result<Self> {
        system::Streams::open().map(Self)
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Signal {
        self.0.next().await
    }
}

#[cfg(unix)]
mod system {
    use std::io;

    use tokio::signal::unix::{self, SignalKind};

    use super::Signal;

    pub(super) struct Streams {
        interrupt: unix::Signal,
        terminate: unix::Signal,
    }

    impl Streams {
        pub(super) fn open() -> io::Result<Self> {
            Ok(Self {
                interrupt: unix::signal(SignalKind::interrupt())?,
                terminate: unix::signal(SignalKind::terminate())?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.interrupt.recv() => Signal::Interrupt,
                _ = self.terminate.recv() => Signal::Terminate,
            }
        }
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use tokio::signal::windows;

    use super::Signal;

    pub(super) struct Streams {
        c: windows::CtrlC,
        // What starts a process in a group of its own can send it this one only.
        pause: windows::CtrlBreak,
        close: windows::CtrlClose,
        shutdown: windows::CtrlShutdown,
    }

    impl Streams {
        pub(super) fn open() -> io::Result<Self> {
            Ok(Self {
                c: windows::ctrl_c()?,
                pause: windows::ctrl_break()?,
                close: windows::ctrl_close()?,
                shutdown: windows::ctrl_shutdown()?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.c.recv() => Signal::Interrupt,
                _ = self.pause.recv() => Signal::Interrupt,
                _ = self.close.recv() => Signal::Terminate,
                _ = self.shutdown.recv() => Signal::Terminate,
            }
        }
    }
}
