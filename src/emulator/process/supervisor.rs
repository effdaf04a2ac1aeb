//! Keeps one command running: restarts it whenever it ends, until the supervisor is stopped.
//!
//! A supervisor is an asynchronous task that owns the run. Aborting the task drops the run, which kills the processes.
//! Whoever stops a supervisor waits for that, so that the next one finds ports and sockets free.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::launcher::Session;
use super::run::{CommandRun, CommandSpec, CommandTools};
use crate::clock;

/// How long to wait before a command is restarted: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// After a run of this length the pause is reset to the first one.
const LASTING: Duration = Duration::from_secs(60);

/// A command to keep running, and what it needs.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// A command line for bash, which runs in the home folder.
    pub command: String,
    /// What it needs to call the API.
    pub session: Session,
    /// The name of the log in `/var/log` for its standard output.
    pub output: String,
    /// The name of the log for its standard error.
    pub errors: String,
    /// The socket on which it should listen, passed as `$DOMAIN_SOCKET`.
    pub socket: Option<PathBuf>,
}

/// The state of a supervised command.
#[derive(Debug, Default)]
pub struct ServiceStatus {
    /// Whether it runs.
    pub running: AtomicBool,
    /// Whether it has ever ended.
    pub ended: AtomicBool,
}

/// Keeps a command running until it is stopped or dropped.
#[derive(Debug)]
pub struct Supervisor {
    task: JoinHandle<()>,
    status: Arc<ServiceStatus>,
}

impl Supervisor {
    /// Starts a command.
    #[must_use]
    pub fn start(tools: &Arc<CommandTools>, spec: ServiceSpec) -> Self {
        let status = Arc::new(ServiceStatus::default());
        let supervision = Supervision { tools: Arc::clone(tools), spec, status: Arc::clone(&status) };
        Self { task: tokio::spawn(supervision.keep()), status }
    }

    /// The state of a supervised command.
    #[must_use]
    pub fn status(&self) -> &ServiceStatus {
        &self.status
    }

    /// Starts to kill the command and everything that it started.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Whether all its processes have ended.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.task.is_finished()
    }

    /// Kills the command and everything that it started, and waits until they have ended.
    pub async fn stop(mut self) {
        self.task.abort();
        // An error only means that it was aborted.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Supervision {
    tools: Arc<CommandTools>,
    spec: ServiceSpec,
    status: Arc<ServiceStatus>,
}

impl Supervision {
    async fn keep(self) {
        let mut pause = PAUSES.0;
        loop {
            let began = clock::now();
            if let Err(error) = self.run().await {
                log::warn!("cannot run {:?}: {error}", self.spec.command);
            }
            self.status.running.store(false, Ordering::Relaxed);
            self.status.ended.store(true, Ordering::Relaxed);
            if clock::now() - began >= LASTING {
                pause = PAUSES.0;
            }
            clock::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn run(&self) -> io::Result<i32> {
        let mut environment = self.tools.launcher.environment(&self.spec.session);
        if let Some(socket) = &self.spec.socket {
            environment.push(("DOMAIN_SOCKET", OsString::from(socket)));
            match fs::remove_file(socket) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        let spec = CommandSpec {
            command: self.spec.command.clone(),
            folder: self.tools.launcher.home(),
            environment,
            output: self.tools.launcher.visible(&format!("/var/log/{}", self.spec.output)),
            errors: self.tools.logs.open(&self.spec.errors)?,
        };
        let run = CommandRun::start(&self.tools, spec).await?;
        self.status.running.store(true, Ordering::Relaxed);
        run.wait().await
    }
}
