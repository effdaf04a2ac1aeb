//! Web apps at work: for each domain one Python process that runs its WSGI file (`wsgi_worker.py`).
//!
//! As on the host, a reload starts a new process and lets the old one finish what it does, and writing the WSGI file
//! reloads by itself, unless that happens in the very second of the last load.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::launcher::{Launcher, Session};
use super::webapp::{WebApp, wsgi_path};
use crate::emulator::account::Account;

const SCRIPT: &str = include_str!("wsgi_worker.py");

/// How long a new process may take until it listens; loading the web app comes after that.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How long an old process may go on with its last request.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);

/// Why a web app's process did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It ended before it listened; its error log says why.
    #[error("the process of {domain} ended before it listened")]
    Ended {
        /// The web app's domain.
        domain: String,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The running web apps.
#[derive(Debug)]
pub struct WebProcesses {
    launcher: Arc<Launcher>,
    script: PathBuf,
    root: PathBuf,
    running: Mutex<HashMap<String, Worker>>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    port: u16,
    /// The WSGI file's time when it was loaded, in whole seconds.
    loaded: Option<u64>,
}

impl WebProcesses {
    /// Starts nothing yet.
    ///
    /// # Errors
    /// If the script cannot be written.
    pub fn new(launcher: Arc<Launcher>, account: &Account) -> io::Result<Self> {
        let script = account.private().join("wsgi_worker.py");
        fs::write(&script, SCRIPT)?;
        Ok(Self { launcher, script, root: account.root().to_owned(), running: Mutex::default() })
    }

    /// The port of a web app's process, which is started or renewed if need be.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn port(&self, app: &WebApp, session: &Session) -> Result<u16, StartError> {
        let mut running = self.running.lock().await;
        if let Some(worker) = running.get_mut(&app.domain_name) {
            let written = self.written(&app.domain_name);
            if worker.child.try_wait()?.is_none() && written <= worker.loaded {
                return Ok(worker.port);
            }
        }
        self.renew(&mut running, app, session).await
    }

    /// Starts a new process of a web app and retires the old one.
    ///
    /// # Errors
    /// If it cannot be started; the old one goes on then.
    pub async fn reload(&self, app: &WebApp, session: &Session) -> Result<(), StartError> {
        let mut running = self.running.lock().await;
        self.renew(&mut running, app, session).await.map(drop)
    }

    /// Ends a web app's process after its last request.
    pub async fn retire(&self, domain: &str) {
        if let Some(worker) = self.running.lock().await.remove(domain) {
            worker.retire();
        }
    }

    /// Ends all processes at once.
    pub async fn stop(&self) {
        for (_, mut worker) in self.running.lock().await.drain() {
            if let Err(error) = worker.child.kill().await {
                log::debug!("a web app's process was gone already: {error}");
            }
        }
    }

    async fn renew(
        &self,
        running: &mut HashMap<String, Worker>,
        app: &WebApp,
        session: &Session,
    ) -> Result<u16, StartError> {
        let worker = self.start(app, session).await?;
        let port = worker.port;
        if let Some(old) = running.insert(app.domain_name.clone(), worker) {
            old.retire();
        }
        Ok(port)
    }

    async fn start(&self, app: &WebApp, session: &Session) -> Result<Worker, StartError> {
        let domain = &app.domain_name;
        let loaded = self.written(domain);
        let python = self.python(app);
        let wsgi = self.launcher.visible(&wsgi_path(domain));
        let words: [&Path; 4] = [&python, Path::new("-u"), &self.script, &wsgi];
        let mut command = Command::from(self.launcher.command(&words, &self.folder(app), false));
        command.envs(self.launcher.environment(session)).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(self.open_log(domain, "error")?).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let mut line = String::new();
        let read = tokio::time::timeout(START_LIMIT, BufReader::new(stdout).read_line(&mut line)).await;
        match (read, line.trim().parse()) {
            (Ok(Ok(_)), Ok(port)) => Ok(Worker { child, port, loaded }),
            _ => Err(StartError::Ended { domain: domain.clone() }),
        }
    }

    /// The virtualenv's Python, else that of the emulator.
    fn python(&self, app: &WebApp) -> PathBuf {
        if app.virtualenv_path.is_empty() {
            return self.launcher.python().to_owned();
        }
        let inside = self.launcher.visible(&app.virtualenv_path).join("bin/python");
        // The virtualenv may be one of this machine, outside the account.
        let in_account = self.root.join(app.virtualenv_path.trim_start_matches('/')).join("bin/python").exists();
        if in_account { inside } else { Path::new(&app.virtualenv_path).join("bin/python") }
    }

    /// Where it starts: its working directory, or the home folder if that is not there.
    fn folder(&self, app: &WebApp) -> PathBuf {
        let exists = self.root.join(app.working_directory.trim_start_matches('/')).is_dir();
        if exists && !app.working_directory.is_empty() {
            self.launcher.visible(&app.working_directory)
        } else {
            self.launcher.home()
        }
    }

    /// When the WSGI file was written, in whole seconds; `None` if it is not there.
    fn written(&self, domain: &str) -> Option<u64> {
        let modified = fs::metadata(self.root.join(wsgi_path(domain).trim_start_matches('/'))).ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// A log of a domain, to be appended to.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open_log(&self, domain: &str, kind: &str) -> io::Result<fs::File> {
        let path = self.root.join(format!("var/log/{domain}.{kind}.log"));
        OpenOptions::new().create(true).append(true).open(path)
    }
}

impl Worker {
    /// Lets it finish its request, and ends it if that takes too long.
    fn retire(mut self) {
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            && let Err(error) = kill_process(pid, Signal::TERM)
        {
            log::debug!("an old web app's process was gone already: {error}");
        }
        tokio::spawn(async move {
            // Dropped after the limit, it is killed.
            tokio::time::timeout(REQUEST_LIMIT, self.child.wait()).await
        });
    }
}
