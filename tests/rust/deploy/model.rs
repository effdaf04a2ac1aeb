//! A model of the service in memory, for what needs thousands of runs: every interleaving, a cut at every request.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pythonanywhere_api::api::{Entry, Reloaded};
use pythonanywhere_api::client::Observer;
use pythonanywhere_api::deploy::Remote;
use pythonanywhere_api::{Error, RemotePath, Result};
use tokio::sync::Semaphore;

/// The host.
#[derive(Default)]
pub struct Host {
    pub files: BTreeMap<String, Bytes>,
    /// Folders stay when their last file goes.
    pub folders: BTreeSet<String>,
    pub reloads: Vec<String>,
    /// Method and path of every request.
    pub log: Vec<(&'static str, String)>,
    /// Seconds since 1970.
    pub time: u64,
    /// The request (counted from 0) that is never answered, and whether it still has its effect.
    pub cut: Option<(usize, bool)>,
    /// Whether a write that is cut off leaves half a file.
    pub torn: bool,
    /// Answers instead of the host: method, end of the path, status, whether the effect is there.
    pub faults: Vec<(&'static str, String, u16, bool)>,
}

impl Host {
    /// The project's files, without the root.
    pub fn project(&self) -> BTreeMap<String, Bytes> {
        self.files
            .iter()
            .filter_map(|(path, content)| Some((path.strip_prefix("/home/u/p/")?.to_owned(), content.clone())))
            .collect()
    }

    pub fn put(&mut self, path: &str, content: &str) {
        self.write(&format!("/home/u/p/{path}"), Bytes::from(content.to_owned()));
    }

    pub fn notes(&self) -> Vec<String> {
        let notes = self.files.keys().filter(|path| path.starts_with("/home/u/.pya/"));
        notes.map(|path| path.rsplit('/').next().unwrap().to_owned()).collect()
    }

    pub fn count(&self, method: &str) -> usize {
        self.log.iter().filter(|(logged, _)| *logged == method).count()
    }

    fn write(&mut self, path: &str, content: Bytes) {
        for (end, _) in path.match_indices('/').skip(1) {
            self.folders.insert(path[..end].to_owned());
        }
        self.files.insert(path.to_owned(), content);
    }

    fn delete(&mut self, path: &str) -> bool {
        let below = format!("{path}/");
        let before = self.files.len() + self.folders.len();
        self.files.retain(|file, _| file != path && !file.starts_with(&below));
        self.folders.retain(|folder| folder != path && !folder.starts_with(&below));
        before != self.files.len() + self.folders.len()
    }

    fn list(&self, path: &str) -> Option<Vec<Entry>> {
        self.folders.contains(path).then(|| {
            let child = |entry: &String| {
                let name = entry.strip_prefix(path)?.strip_prefix('/')?;
                (!name.contains('/')).then(|| name.to_owned())
            };
            let files = self.files.keys().filter_map(child).map(|name| Entry { name, is_dir: false, is_file: true });
            let folders =
                self.folders.iter().filter_map(child).map(|name| Entry { name, is_dir: true, is_file: false });
            files.chain(folders).collect()
        })
    }
}

/// A client of the host.
#[derive(Clone)]
pub struct Model {
    host: Arc<Mutex<Host>>,
    requests: Arc<AtomicU64>,
    /// Each request needs one permit.
    pub gate: Arc<Semaphore>,
}

impl Model {
    pub fn new() -> Self {
        let host = Host { time: 1_000_000, ..Host::default() };
        let gate = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
        Self { host: Arc::new(Mutex::new(host)), requests: Arc::default(), gate }
    }

    /// Another client of the same host whose requests wait for permits.
    pub fn gated(&self) -> Self {
        Self { gate: Arc::new(Semaphore::new(0)), requests: Arc::default(), host: Arc::clone(&self.host) }
    }

    pub fn host(&self) -> MutexGuard<'_, Host> {
        self.host.lock().unwrap()
    }

    async fn request<T>(
        &self,
        method: &'static str,
        path: &str,
        effect: impl FnOnce(&mut Host) -> Result<T>,
    ) -> Result<T> {
        self.gate.acquire().await.unwrap().forget();
        let outcome = self.answer(method, path, effect);
        self.requests.fetch_add(1, Ordering::SeqCst);
        // Others may go on between a request's effect and its answer.
        tokio::task::yield_now().await;
        match outcome {
            Some(outcome) => outcome,
            None => pending().await,
        }
    }

    fn answer<T>(
        &self,
        method: &'static str,
        path: &str,
        effect: impl FnOnce(&mut Host) -> Result<T>,
    ) -> Option<Result<T>> {
        let mut host = self.host();
        let number = host.log.len();
        host.log.push((method, path.to_owned()));
        match host.cut {
            Some((cut, has_effect)) if number >= cut => {
                if number == cut && has_effect {
                    let _ = effect(&mut host);
                    if host.torn && method == "POST" {
                        let content = host.files.get_mut(path).expect("it was just written");
                        *content = content.slice(..content.len() / 2);
                    }
                }
                return None;
            }
            _ => {}
        }
        let fault = host.faults.iter().find(|(m, end, ..)| *m == method && path.ends_with(end.as_str())).cloned();
        if let Some((_, _, status, has_effect)) = fault {
            if has_effect {
                let _ = effect(&mut host);
            }
            return Some(Err(error(method, path, status)));
        }
        Some(effect(&mut host))
    }
}

fn error(method: &str, path: &str, status: u16) -> Error {
    Error::Api {
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        detail: "as told".to_owned(),
        code: None,
        retry_after: None,
        browser_url: None,
        recognised: true,
    }
}

impl Remote for Model {
    fn host(&self) -> &'static str {
        "model"
    }

    fn user(&self) -> &'static str {
        "u"
    }

    async fn list(&self, path: &RemotePath) -> Result<Vec<Entry>> {
        let path = path.as_str();
        self.request("LIST", path, |host| {
            if host.files.contains_key(path) {
                return Err(Error::WrongType { path: path.to_owned(), found: "a file", expected: "a folder" });
            }
            host.list(path).ok_or_else(|| error("GET", path, 404))
        })
        .await
    }

    async fn tree(&self, path: &RemotePath) -> Result<Vec<String>> {
        let below = format!("{}/", path.as_str());
        let is_near = |folder: &&String| folder.strip_prefix(&below).is_some_and(|rest| rest.matches('/').count() < 2);
        let folders =
            |host: &mut Host| Ok(host.folders.iter().filter(is_near).map(|path| format!("{path}/")).collect());
        self.request("TREE", path.as_str(), folders).await
    }

    async fn read(&self, path: &RemotePath) -> Result<Bytes> {
        let path = path.as_str();
        self.request("GET", path, |host| host.files.get(path).cloned().ok_or_else(|| error("GET", path, 404))).await
    }

    async fn read_head(&self, path: &RemotePath, bytes: usize) -> Result<Bytes> {
        Ok(self.read(path).await?.slice(..bytes.min(self.host().files[path.as_str()].len())))
    }

    async fn write(&self, path: &RemotePath, content: Bytes) -> Result<()> {
        let path = path.as_str();
        self.request("POST", path, |host| {
            let is_blocked = host.folders.contains(path)
                || path.match_indices('/').any(|(end, _)| host.files.contains_key(&path[..end]));
            if is_blocked {
                return Err(error("POST", path, 400));
            }
            host.write(path, content);
            Ok(())
        })
        .await
    }

    async fn delete(&self, path: &RemotePath) -> Result<()> {
        let path = path.as_str();
        self.request("DELETE", path, |host| if host.delete(path) { Ok(()) } else { Err(error("DELETE", path, 404)) })
            .await
    }

    async fn reload(&self, domain: &str) -> Result<Reloaded> {
        self.request("RELOAD", domain, |host| {
            host.reloads.push(domain.to_owned());
            Ok(Reloaded::Done)
        })
        .await
    }

    async fn ask(&self, domain: &str) -> Result<()> {
        self.request("ASK", domain, |_| Ok(())).await
    }

    fn server_time(&self) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(self.host().time))
    }

    fn observed(&self, _observer: Arc<dyn Observer>) -> Self {
        Self { requests: Arc::default(), ..self.clone() }
    }

    fn requests_sent(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    fn limit(&self) -> Option<u32> {
        Some(40)
    }
}
