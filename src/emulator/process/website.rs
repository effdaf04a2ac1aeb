//! Running websites: for each domain a command that listens on the socket named by `$DOMAIN_SOCKET`.
//!
//! A reload starts the command on a new socket, so that the old process can finish its requests. The sockets are not in
//! the account's folder, because the system limits their paths to about a hundred bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;

use super::launcher::Session;
use super::logs::site_log;
use super::run::CommandTools;
use super::supervisor::{ServiceSpec, Supervisor};
use crate::platform::temporary_folder;

/// How often to check whether they are finished.
const LOOK: Duration = Duration::from_millis(5);

/// A site that is served by a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Website {
    /// Counts from 1 in the account.
    pub id: u64,
    /// Its domain.
    pub domain_name: String,
    /// The command that serves it.
    pub command: String,
    /// Whether it is served.
    pub enabled: bool,
}

impl Website {
    /// The name in `/var/log` of its log of a kind (`access`, `error` or `server`).
    #[must_use]
    pub fn log_name(&self, kind: &str) -> String {
        site_log(&self.domain_name, kind)
    }
}

/// A website's running command. Whoever sends it a request holds this value until the response is complete.
#[derive(Debug)]
pub struct RunningWebsite {
    supervisor: Supervisor,
    /// The socket on which it listens or is about to listen.
    pub socket: PathBuf,
}

impl RunningWebsite {
    /// Whether the command has ended before, so that waiting for its socket may be pointless.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.supervisor.status().ended.load(Ordering::Relaxed)
    }

    /// Kills it once its last request is finished, or when that takes too long.
    fn retire(mut running: Arc<Self>, request_limit: Duration) {
        tokio::spawn(async move {
            let answered = async {
                while Arc::get_mut(&mut running).is_none() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            // If that takes too long, the remaining requests lose their connection.
            let _ = tokio::time::timeout(request_limit, answered).await;
            running.supervisor.abort();
        });
    }
}

/// The account's websites, in memory.
#[derive(Debug)]
pub struct Websites {
    tools: Arc<CommandTools>,
    /// How long an old process may take to finish its requests.
    request_limit: Duration,
    sites: Mutex<RunningSites>,
}

#[derive(Debug, Default)]
struct RunningSites {
    last: u64,
    last_socket: u64,
    /// Created for the first website, and removed at the end.
    sockets: Option<TempDir>,
    by_domain: BTreeMap<String, (Website, Option<Arc<RunningWebsite>>)>,
}

impl RunningSites {
    /// A path for another socket.
    fn next_socket(&mut self) -> io::Result<PathBuf> {
        let folder = match self.sockets.take() {
            Some(folder) => folder,
            None => temporary_folder("websites-")?,
        };
        self.last_socket += 1;
        let socket = folder.path().join(format!("{}.sock", self.last_socket));
        self.sockets = Some(folder);
        Ok(socket)
    }
}

impl Websites {
    /// Creates an empty list. An old process may take `request_limit` to finish its requests.
    #[must_use]
    pub fn new(tools: Arc<CommandTools>, request_limit: Duration) -> Self {
        Self { tools, request_limit, sites: Mutex::default() }
    }

    /// All websites, oldest first.
    pub async fn all(&self) -> Vec<Website> {
        let mut sites: Vec<_> = self.sites.lock().await.by_domain.values().map(|(site, _)| site.clone()).collect();
        sites.sort_by_key(|site| site.id);
        sites
    }

    /// The website at a domain.
    pub async fn get(&self, domain: &str) -> Option<Website> {
        self.sites.lock().await.by_domain.get(&domain.to_lowercase()).map(|(site, _)| site.clone())
    }

    /// The running command of a website; `None` if there is no such website, or it is disabled.
    pub async fn running(&self, domain: &str) -> Option<Arc<RunningWebsite>> {
        self.sites.lock().await.by_domain.get(&domain.to_lowercase())?.1.clone()
    }

    /// Creates a website and starts it if it is enabled; `None` if the domain has one already.
    ///
    /// # Errors
    /// If the folder for sockets cannot be created.
    pub async fn create(
        &self,
        domain: &str,
        command: &str,
        enabled: bool,
        session: &Session,
    ) -> io::Result<Option<Website>> {
        let mut sites = self.sites.lock().await;
        let domain_name = domain.to_lowercase();
        if sites.by_domain.contains_key(&domain_name) {
            return Ok(None);
        }
        sites.last += 1;
        let site = Website { id: sites.last, domain_name: domain_name.clone(), command: command.to_owned(), enabled };
        let running = self.start(&mut sites, &site, session)?;
        sites.by_domain.insert(domain_name, (site.clone(), running));
        Ok(Some(site))
    }

    /// Enables or disables a website; `None` if there is none.
    ///
    /// # Errors
    /// If the folder for sockets cannot be created.
    pub async fn enable(&self, domain: &str, enabled: bool, session: &Session) -> io::Result<Option<Website>> {
        let mut sites = self.sites.lock().await;
        match sites.by_domain.get(&domain.to_lowercase()) {
            Some((site, _)) if site.enabled != enabled => {
                let site = Website { enabled, ..site.clone() };
                self.renew(&mut sites, site, session).map(Some)
            }
            other => Ok(other.map(|(site, _)| site.clone())),
        }
    }

    /// Restarts a website; `None` if there is none.
    ///
    /// # Errors
    /// If the folder for sockets cannot be created.
    pub async fn reload(&self, domain: &str, session: &Session) -> io::Result<Option<Website>> {
        let mut sites = self.sites.lock().await;
        let site = sites.by_domain.get(&domain.to_lowercase()).map(|(site, _)| site.clone());
        site.map(|site| self.renew(&mut sites, site, session)).transpose()
    }

    fn renew(&self, sites: &mut RunningSites, site: Website, session: &Session) -> io::Result<Website> {
        let running = self.start(sites, &site, session)?;
        let old = sites.by_domain.insert(site.domain_name.clone(), (site.clone(), running));
        self.retire(old.and_then(|(_, running)| running));
        Ok(site)
    }

    /// Lets what ran for a website end, if anything did.
    fn retire(&self, running: Option<Arc<RunningWebsite>>) {
        if let Some(running) = running {
            RunningWebsite::retire(running, self.request_limit);
        }
    }

    /// Stops and removes a website; false if there is none.
    pub async fn delete(&self, domain: &str) -> bool {
        let Some((_, running)) = self.sites.lock().await.by_domain.remove(&domain.to_lowercase()) else { return false };
        self.retire(running);
        true
    }

    /// Kills all of them.
    pub async fn stop(&self) {
        let mut sites = self.sites.lock().await;
        for (_, running) in sites.by_domain.values_mut() {
            if let Some(running) = running.take() {
                running.supervisor.abort();
                while !running.supervisor.has_stopped() {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
        if let Some(Err(error)) = sites.sockets.take().map(TempDir::close) {
            log::warn!("cannot remove the websites' sockets: {error}");
        }
    }

    fn start(
        &self,
        sites: &mut RunningSites,
        site: &Website,
        session: &Session,
    ) -> io::Result<Option<Arc<RunningWebsite>>> {
        if !site.enabled {
            return Ok(None);
        }
        let socket = sites.next_socket()?;
        let spec = ServiceSpec {
            command: site.command.clone(),
            session: session.clone(),
            output: site.log_name("server"),
            errors: site.log_name("error"),
            socket: Some(socket.clone()),
        };
        let supervisor = Supervisor::start(&self.tools, spec);
        Ok(Some(Arc::new(RunningWebsite { supervisor, socket })))
    }
}
