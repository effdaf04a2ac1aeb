//! Websites at work: commands that listen on the socket that `$DOMAIN_SOCKET` names, one for each domain.
//!
//! A reload starts the command anew on a new socket, so that requests of the old one are answered while it is ended.
//! Sockets are not in the account's folder: the system allows their paths about a hundred bytes only.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;

use super::cpu::CpuMeter;
use super::keeper::{Duty, Keeper};
use super::launcher::{Launcher, Session};
use crate::emulator::account::Account;

/// How long an old command may go on with its last requests.
const REQUEST_LIMIT: Duration = Duration::from_secs(300);

/// How often it is looked whether they are answered.
const LOOK: Duration = Duration::from_millis(5);

/// A site that a command serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Website {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The domain it is served at.
    pub domain_name: String,
    /// What serves it.
    pub command: String,
    /// Whether it is served.
    pub enabled: bool,
}

impl Website {
    /// The name of its log of a kind (`access`, `error` or `server`) in `/var/log`.
    #[must_use]
    pub fn log_name(&self, kind: &str) -> String {
        format!("{}.{kind}.log", self.domain_name)
    }
}

/// A website's command at work. Whoever sends it a request holds it until the answer is read.
#[derive(Debug)]
pub struct Serving {
    keeper: Keeper,
    /// Where it listens, or will.
    pub socket: PathBuf,
}

impl Serving {
    /// Whether the command has ended since it was started, so that waiting for its socket may be in vain.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.keeper.condition().ended.load(Ordering::Relaxed)
    }

    /// Ends it once its last request is answered, or when that takes too long.
    fn retire(mut serving: Arc<Self>) {
        tokio::spawn(async move {
            let answered = async {
                while Arc::get_mut(&mut serving).is_none() {
                    tokio::time::sleep(LOOK).await;
                }
            };
            // Whoever still waits loses the connection.
            let _ = tokio::time::timeout(REQUEST_LIMIT, answered).await;
            serving.keeper.abort();
        });
    }
}

/// The account's websites, in memory.
#[derive(Debug)]
pub struct Websites {
    launcher: Arc<Launcher>,
    meter: Arc<CpuMeter>,
    logs: PathBuf,
    sockets: TempDir,
    last_socket: AtomicU64,
    sites: Mutex<Sites>,
}

#[derive(Debug, Default)]
struct Sites {
    last: u64,
    by_domain: BTreeMap<String, (Website, Option<Arc<Serving>>)>,
}

impl Websites {
    /// None yet.
    ///
    /// # Errors
    /// If there is no place for sockets.
    pub fn new(launcher: Arc<Launcher>, meter: Arc<CpuMeter>, account: &Account) -> io::Result<Self> {
        Ok(Self {
            launcher,
            meter,
            logs: account.root().join("var/log"),
            sockets: tempfile::Builder::new().prefix("websites-").tempdir()?,
            last_socket: AtomicU64::new(0),
            sites: Mutex::default(),
        })
    }

    /// All of them, oldest first.
    pub async fn all(&self) -> Vec<Website> {
        let mut sites: Vec<_> = self.sites.lock().await.by_domain.values().map(|(site, _)| site.clone()).collect();
        sites.sort_by_key(|site| site.id);
        sites
    }

    /// That of a domain.
    pub async fn get(&self, domain: &str) -> Option<Website> {
        self.sites.lock().await.by_domain.get(&domain.to_lowercase()).map(|(site, _)| site.clone())
    }

    /// What answers a domain's requests; `None` if there is no such site, or it is disabled.
    pub async fn serving(&self, domain: &str) -> Option<Arc<Serving>> {
        self.sites.lock().await.by_domain.get(&domain.to_lowercase())?.1.clone()
    }

    /// Makes a website and starts it if it is enabled; `None` if the domain has one.
    pub async fn create(&self, domain: &str, command: &str, enabled: bool, session: &Session) -> Option<Website> {
        let mut sites = self.sites.lock().await;
        let domain_name = domain.to_lowercase();
        if sites.by_domain.contains_key(&domain_name) {
            return None;
        }
        sites.last += 1;
        let site = Website { id: sites.last, domain_name: domain_name.clone(), command: command.to_owned(), enabled };
        sites.by_domain.insert(domain_name, (site.clone(), self.start(&site, session)));
        Some(site)
    }

    /// Enables or disables one.
    pub async fn enable(&self, domain: &str, enabled: bool, session: &Session) -> Option<Website> {
        let mut sites = self.sites.lock().await;
        let (site, serving) = sites.by_domain.get_mut(&domain.to_lowercase())?;
        if site.enabled != enabled {
            site.enabled = enabled;
            replace(serving, self.start(site, session));
        }
        Some(site.clone())
    }

    /// Starts one anew; whether there is one.
    pub async fn reload(&self, domain: &str, session: &Session) -> bool {
        let mut sites = self.sites.lock().await;
        let Some((site, serving)) = sites.by_domain.get_mut(&domain.to_lowercase()) else { return false };
        replace(serving, self.start(site, session));
        true
    }

    /// Ends and forgets one; whether there was one.
    pub async fn delete(&self, domain: &str) -> bool {
        let removed = self.sites.lock().await.by_domain.remove(&domain.to_lowercase());
        removed.is_some_and(|(_, mut serving)| {
            replace(&mut serving, None);
            true
        })
    }

    /// Ends all at once.
    pub async fn stop(&self) {
        for (_, serving) in self.sites.lock().await.by_domain.values_mut() {
            if let Some(serving) = serving.take() {
                serving.keeper.abort();
                while !serving.keeper.has_stopped() {
                    tokio::time::sleep(LOOK).await;
                }
            }
        }
    }

    fn start(&self, site: &Website, session: &Session) -> Option<Arc<Serving>> {
        if !site.enabled {
            return None;
        }
        let number = self.last_socket.fetch_add(1, Ordering::Relaxed);
        let socket = self.sockets.path().join(format!("{number}.sock"));
        let duty = Duty {
            command: site.command.clone(),
            session: session.clone(),
            output: site.log_name("server"),
            errors: site.log_name("error"),
            socket: Some(socket.clone()),
        };
        let keeper = Keeper::start(&self.launcher, &self.meter, self.logs.clone(), duty);
        Some(Arc::new(Serving { keeper, socket }))
    }
}

fn replace(serving: &mut Option<Arc<Serving>>, new: Option<Arc<Serving>>) {
    if let Some(old) = std::mem::replace(serving, new) {
        Serving::retire(old);
    }
}
