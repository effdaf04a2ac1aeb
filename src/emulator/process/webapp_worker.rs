//! Running web apps: for each domain one process that runs its WSGI file: a small server in Python
//! (`wsgi_worker.py`), or uWSGI where the settings name one (`uwsgi_worker.py`).
//!
//! As on the host, a reload starts a new process and lets the old one finish its requests. Changing the WSGI file
//! reloads the web app by itself, unless it changes in the same second in which it was loaded.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Mutex;

use super::launcher::{Launcher, Session};
use super::logs::{Logs, site_log};
use super::terminate::ProcessTree;
use super::webapp_config::{WebApp, wsgi_path};
use crate::clock;
use crate::emulator::account::Account;
use crate::emulator::calendar;
use crate::emulator::settings::Settings;

const SCRIPT: &str = include_str!("wsgi_worker.py");

const UWSGI_SCRIPT: &str = include_str!("uwsgi_worker.py");

/// How long a new process may take until it listens. It loads the web app after that.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How often to check whether they are finished.
const IDLE_CHECK: Duration = Duration::from_millis(5);

/// How long an idle process may take to exit.
const END_LIMIT: Duration = Duration::from_secs(5);

/// Why a web app's process did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It exited before it listened; the reason is in its error log.
    #[error("the web app process of {domain} exited before it listened")]
    Ended {
        /// The web app's domain.
        domain: String,
    },
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

#[derive(Debug, Default)]
struct WorkerUsage {
    /// Whether there has been a request since the web app was loaded.
    was_hit: AtomicBool,
    /// Whether a request took too long, so that the process has to end at once.
    is_overdue: AtomicBool,
}

/// Permission to send one request to a process, which keeps running until the guard is dropped.
#[derive(Debug)]
pub struct WorkerGuard {
    /// The port on which the process listens.
    pub port: u16,
    /// Whether this is the first request since the web app was loaded.
    pub is_first: bool,
    usage: Arc<WorkerUsage>,
}

/// The running web apps.
#[derive(Debug)]
pub struct WebAppWorkers {
    launcher: Arc<Launcher>,
    script: PathBuf,
    root: PathBuf,
    logs: Logs,
    /// Whether each request is handled in its own thread.
    threads: bool,
    /// The uWSGI to serve with, if not the emulator's own server.
    uwsgi: Option<PathBuf>,
    /// How long an old process may take to finish its requests.
    request_limit: Duration,
    running: Mutex<HashMap<String, WebAppWorker>>,
}

#[derive(Debug)]
struct WebAppWorker {
    child: Child,
    tree: Option<ProcessTree>,
    port: u16,
    /// Shared with each request in progress.
    usage: Arc<WorkerUsage>,
    /// The modification time of the WSGI file when it was loaded, in whole seconds.
    loaded: Option<u64>,
}

impl WebAppWorkers {
    /// Prepares to start web apps, without starting any.
    ///
    /// # Errors
    /// If the script cannot be written.
    pub fn new(launcher: Arc<Launcher>, account: &Account, settings: &Settings) -> io::Result<Self> {
        let (name, text) = match &settings.uwsgi {
            Some(_) => ("uwsgi_worker.py", UWSGI_SCRIPT),
            None => ("wsgi_worker.py", SCRIPT),
        };
        let script = account.private().join(name);
        fs::write(&script, text)?;
        Ok(Self {
            launcher,
            script,
            root: account.root().to_owned(),
            logs: Logs::new(account),
            threads: settings.undocumented.webapp_threads,
            uwsgi: settings.uwsgi.clone(),
            request_limit: settings.request_limit,
            running: Mutex::default(),
        })
    }

    /// A guard for a request to a web app's process, which is started or replaced if necessary.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn acquire(&self, app: &WebApp, session: &Session) -> Result<WorkerGuard, StartError> {
        let mut running = self.running.lock().await;
        if let Some(worker) = running.get_mut(&app.domain_name) {
            let written = self.written(&app.domain_name);
            match worker.child.try_wait()? {
                None if written <= worker.loaded => return Ok(worker.guard()),
                None => self.tell(&app.domain_name, "the WSGI file was touched, reloading")?,
                Some(status) => self.tell(&app.domain_name, &format!("worker 1 died ({status}), respawning"))?,
            }
        }
        self.renew(&mut running, app, session).await
    }

    /// Kills a process that took too long for the request of `guard`, even one that was retired. The next request starts
    /// a new one. The server log says so in the words of the host's application server.
    pub async fn abandon(&self, domain: &str, guard: &WorkerGuard, limit: Duration) {
        guard.usage.is_overdue.store(true, Ordering::Relaxed);
        let mut running = self.running.lock().await;
        let is_current = |worker: &WebAppWorker| Arc::ptr_eq(&worker.usage, &guard.usage);
        let worker = running.get(domain).is_some_and(is_current).then(|| running.remove(domain)).flatten();
        let id = worker.and_then(|worker| worker.child.id()).map_or_else(String::new, |id| format!(" (pid: {id})"));
        let limit = limit.as_secs_f64();
        if let Err(error) = self.tell(domain, &format!("*** HARAKIRI ON WORKER 1{id}: more than {limit} s ***")) {
            log::warn!("cannot write the server log of {domain}: {error}");
        }
    }

    /// Starts a new process of a web app and retires the old one. As on the host, a web app whose process cannot start,
    /// such as one whose virtualenv does not exist, was reloaded nevertheless: visitors get an error.
    ///
    /// # Errors
    /// If the system refuses; the old process then keeps running.
    pub async fn reload(&self, app: &WebApp, session: &Session) -> io::Result<()> {
        let mut running = self.running.lock().await;
        self.tell(&app.domain_name, "...gracefully killing workers...")?;
        match self.renew(&mut running, app, session).await {
            Ok(_) => Ok(()),
            Err(StartError::Io(error)) => Err(error),
            Err(StartError::Ended { domain }) => {
                self.tell(&domain, "worker 1 did not start: the error log says why")?;
                if let Some(old) = running.remove(&domain) {
                    old.retire(self.request_limit);
                }
                Ok(())
            }
        }
    }

    /// Ends a web app's process after its last request has finished.
    pub async fn retire(&self, domain: &str) {
        if let Some(worker) = self.running.lock().await.remove(domain) {
            worker.retire(self.request_limit);
        }
    }

    /// Kills all processes.
    pub async fn stop(&self) {
        for (_, mut worker) in self.running.lock().await.drain() {
            worker.kill_tree();
            if let Err(error) = worker.child.kill().await {
                log::debug!("a web app's process had already ended: {error}");
            }
        }
    }

    async fn renew(
        &self,
        running: &mut HashMap<String, WebAppWorker>,
        app: &WebApp,
        session: &Session,
    ) -> Result<WorkerGuard, StartError> {
        let worker = self.start(app, session).await?;
        let guard = worker.guard();
        if let Some(old) = running.insert(app.domain_name.clone(), worker) {
            old.retire(self.request_limit);
        }
        Ok(guard)
    }

    async fn start(&self, app: &WebApp, session: &Session) -> Result<WebAppWorker, StartError> {
        let domain = &app.domain_name;
        let loaded = self.written(domain);
        let python = self.python(app);
        let mut command = Command::from(self.command(app, &python));
        command.envs(self.launcher.environment(session)).stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(self.logs.open(&site_log(domain, "error"))?).kill_on_drop(true);
        let mut child = command.spawn()?;
        let Some(port) = announced_port(&mut child).await? else {
            return Err(StartError::Ended { domain: domain.clone() });
        };
        let tree = child.id().and_then(ProcessTree::of);
        let id = child.id().unwrap_or_default();
        self.tell(domain, &format!("spawned worker 1 (pid: {id}) with {}", python.display()))?;
        Ok(WebAppWorker { child, tree, port, usage: Arc::default(), loaded })
    }

    /// What serves a web app, without its environment.
    fn command(&self, app: &WebApp, python: &Path) -> std::process::Command {
        let wsgi = self.launcher.visible(&wsgi_path(&app.domain_name));
        let mut words: Vec<&Path> = vec![python, Path::new("-u"), &self.script];
        match &self.uwsgi {
            Some(uwsgi) => words.extend([uwsgi.as_path(), &wsgi]),
            None => words.push(&wsgi),
        }
        words.extend((self.threads && self.uwsgi.is_none()).then_some(Path::new("threads")));
        self.launcher.command(&words, &self.launcher.folder(&app.working_directory), false)
    }

    /// The Python of the web app's virtualenv, or else the account's.
    fn python(&self, app: &WebApp) -> PathBuf {
        if app.virtualenv_path.is_empty() {
            return self.launcher.python().to_owned();
        }
        let inside = self.launcher.visible(&app.virtualenv_path).join("bin/python");
        // The virtualenv may be outside the account, elsewhere on this machine.
        let in_account = self.root.join(app.virtualenv_path.trim_start_matches('/')).join("bin/python").exists();
        if in_account { inside } else { Path::new(&app.virtualenv_path).join("bin/python") }
    }

    /// When the WSGI file was modified, in whole seconds; `None` if it does not exist.
    fn written(&self, domain: &str) -> Option<u64> {
        let modified = fs::metadata(self.root.join(wsgi_path(domain).trim_start_matches('/'))).ok()?.modified().ok()?;
        Some(modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
    }

    /// Writes a line to the server log, in which the host's application server reports on web apps' processes.
    fn tell(&self, domain: &str, what: &str) -> io::Result<()> {
        writeln!(self.logs.open(&site_log(domain, "server"))?, "{} {what}", calendar::stamp(clock::wall()))
    }
}

/// The port that a process tells once it listens; `None` if it ended before, or took too long.
async fn announced_port(child: &mut Child) -> io::Result<Option<u16>> {
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
    let mut line = String::new();
    let read = tokio::time::timeout(START_LIMIT, BufReader::new(stdout).read_line(&mut line)).await;
    Ok(if matches!(read, Ok(Ok(_))) { line.trim().parse().ok() } else { None })
}

impl WebAppWorker {
    fn guard(&self) -> WorkerGuard {
        let is_first = !self.usage.was_hit.swap(true, Ordering::Relaxed);
        WorkerGuard { port: self.port, is_first, usage: Arc::clone(&self.usage) }
    }

    fn kill_tree(&self) {
        if let Some(tree) = &self.tree {
            tree.kill();
        }
    }

    /// Ends it once its last request has finished, or when that takes too long.
    fn retire(mut self, request_limit: Duration) {
        tokio::spawn(async move {
            let is_overdue = || self.usage.is_overdue.load(Ordering::Relaxed);
            let answered = async {
                while Arc::strong_count(&self.usage) > 1 && !is_overdue() {
                    tokio::time::sleep(IDLE_CHECK).await;
                }
            };
            if tokio::time::timeout(request_limit, answered).await.is_ok()
                && !is_overdue()
                && let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
                && kill_process(pid, Signal::TERM).is_ok()
            {
                // Errors and delays at its exit do not matter: it is dropped after this, which kills it.
                let _ = tokio::time::timeout(END_LIMIT, self.child.wait()).await;
            }
        });
    }
}

impl Drop for WebAppWorker {
    fn drop(&mut self) {
        self.kill_tree();
    }
}
