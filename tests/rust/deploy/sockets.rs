//! Deploys by the real client over real sockets: the interleavings that the model tries all, tried on the emulator too.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pythonanywhere_api::api::{Entry, Reloaded};
use pythonanywhere_api::client::{Observer, Options, RateLimit};
use pythonanywhere_api::deploy::{DeployReport, Project, Recorder, Remote, SelectOptions, deploy, diff};
use pythonanywhere_api::emulator::Emulator;
use pythonanywhere_api::finder::NeverSkip;
use pythonanywhere_api::{BaseUrl, Client, RemotePath, Result, Token};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::crash::schedules;
use super::{deleting, local};
use crate::emulator_host::unlimited;

/// A client whose requests wait for permits, one each.
#[derive(Clone)]
struct Gated {
    client: Client,
    gate: Arc<Semaphore>,
    answered: Arc<AtomicUsize>,
    /// Seconds by which the service's clock is ahead of the emulator's.
    ahead: Arc<AtomicU64>,
}

impl Gated {
    fn new(emulator: &Emulator) -> Self {
        let options = Options { rate_limit: RateLimit::Off, ..Options::default() };
        let host = BaseUrl::parse(emulator.url()).unwrap();
        let token = Token::new(emulator.token()).unwrap();
        let client = Client::new(&host, emulator.user(), &token, options).unwrap();
        Self { client, gate: Arc::new(Semaphore::new(0)), answered: Arc::default(), ahead: Arc::default() }
    }

    /// One whose requests all go out.
    fn open(emulator: &Emulator) -> Self {
        let client = Self::new(emulator);
        client.gate.add_permits(100_000);
        client
    }

    async fn pass<T>(&self, request: impl Future<Output = Result<T>>) -> Result<T> {
        self.gate.acquire().await.unwrap().forget();
        let outcome = request.await;
        self.answered.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    /// Lets one request through and waits for its answer, unless the deploy is over.
    async fn step<T>(&self, task: &JoinHandle<T>) {
        let before = self.answered.load(Ordering::SeqCst);
        self.gate.add_permits(1);
        while self.answered.load(Ordering::SeqCst) == before && !task.is_finished() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
}

impl Remote for Gated {
    fn host(&self) -> &str {
        Remote::host(&self.client)
    }

    fn user(&self) -> &str {
        self.client.user()
    }

    async fn list(&self, path: &RemotePath) -> Result<Vec<Entry>> {
        self.pass(self.client.list_dir(path)).await
    }

    async fn tree(&self, path: &RemotePath) -> Result<Vec<String>> {
        self.pass(self.client.tree(path)).await
    }

    async fn read(&self, path: &RemotePath) -> Result<Bytes> {
        self.pass(self.client.read_file(path)).await
    }

    async fn read_head(&self, path: &RemotePath, bytes: usize) -> Result<Bytes> {
        self.pass(self.client.read_head(path, bytes)).await
    }

    async fn write(&self, path: &RemotePath, content: Bytes) -> Result<()> {
        self.pass(self.client.upload_file(path, content)).await.map(drop)
    }

    async fn delete(&self, path: &RemotePath) -> Result<()> {
        self.pass(self.client.delete_path(path)).await
    }

    async fn reload(&self, domain: &str) -> Result<Reloaded> {
        self.pass(self.client.reload_webapp(domain)).await
    }

    async fn ask(&self, domain: &str) -> Result<()> {
        self.pass(self.client.webapp(domain)).await.map(drop)
    }

    fn server_time(&self) -> Option<SystemTime> {
        let ahead = Duration::from_secs(self.ahead.load(Ordering::SeqCst));
        self.client.server_time().map(|time| time + ahead)
    }

    fn observed(&self, observer: Arc<dyn Observer>) -> Self {
        Self { client: self.client.with_observer(observer), ..self.clone() }
    }

    fn requests_sent(&self) -> u64 {
        self.client.requests_sent()
    }

    fn limit(&self) -> Option<u32> {
        None
    }
}

async fn run(client: Gated, root: &Path, name: &str) -> Result<DeployReport> {
    let remote_root = RemotePath::parse(&format!("/home/{}/{name}", client.user()))?;
    let project = Project { client, local_root: root.to_owned(), remote_root };
    let found = diff(&project, &SelectOptions::default(), &NeverSkip, None).await?;
    deploy(&project, &found, &deleting(), Arc::new(()), &Recorder::default()).await
}

fn site(who: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..8 {
        std::fs::write(folder.path().join(format!("f{number}")), who).unwrap();
    }
    std::fs::write(folder.path().join(format!("only-{who}")), who).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn two_deploys_never_both_go_on_over_sockets() {
    let emulator = Emulator::start(unlimited()).unwrap();
    let sites = [site("a"), site("b")];
    // The model tries all 924; here every eleventh.
    for (number, schedule) in schedules().iter().enumerate().step_by(11) {
        let name = format!("p{number}");
        if number % 2 == 1 {
            let first = Gated::open(&emulator);
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("f0"), "first").unwrap();
            assert!(run(first, folder.path(), &name).await.unwrap().ok);
        }
        let clients = [Gated::new(&emulator), Gated::new(&emulator)];
        let tasks = [0, 1].map(|which| {
            let (client, root, name) = (clients[which].clone(), sites[which].path().to_owned(), name.clone());
            tokio::spawn(async move { run(client, &root, &name).await })
        });
        for &second in schedule {
            let which = usize::from(second);
            clients[which].step(&tasks[which]).await;
        }
        for client in &clients {
            client.gate.add_permits(100_000);
        }
        let mut went_on = 0;
        for task in tasks {
            went_on += usize::from(task.await.unwrap().is_ok_and(|report| !report.uploaded.is_empty()));
        }
        assert!(went_on <= 1, "both went on: {schedule:?}");

        let last = Gated::open(&emulator);
        let report = run(last, sites[0].path(), &name).await.unwrap();
        assert!(report.ok, "{schedule:?}: {report:?}");
        let there = local(&emulator.root().join("home/demo").join(&name));
        assert_eq!(there, local(sites[0].path()), "{schedule:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_that_slept_gives_up_what_it_was_sending() {
    const LATER: u64 = 11 * 60;
    let emulator = Emulator::start(unlimited()).unwrap();
    let sites = [site("a"), site("b")];
    let sleeper = Gated::new(&emulator);
    let task = {
        let (client, root) = (sleeper.clone(), sites[0].path().to_owned());
        tokio::spawn(async move { run(client, &root, "slept").await })
    };
    // The state folder, the project, the intent, the state folder once more, and two of nine files.
    for _ in 0..6 {
        sleeper.step(&task).await;
    }
    let sent = local(&emulator.root().join("home/demo/slept")).len();
    assert!((1..9).contains(&sent), "the test's premise: in the middle of its uploads, not after {sent}");

    sleeper.ahead.store(LATER, Ordering::SeqCst);
    let report = tokio::time::timeout(Duration::from_secs(20), task).await.unwrap().unwrap().unwrap();
    assert!(!report.ok && report.failed.values().any(|why| why.contains("another may have taken over")), "{report:?}");

    let successor = Gated::open(&emulator);
    successor.ahead.store(LATER, Ordering::SeqCst);
    let report = run(successor, sites[1].path(), "slept").await.unwrap();
    assert!(report.ok, "{report:?}");
    // Nothing of the first one waits to be sent.
    sleeper.gate.add_permits(100_000);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let there = local(&emulator.root().join("home/demo/slept"));
    for (path, content) in local(sites[1].path()) {
        assert_eq!(there.get(&path), Some(&content), "{path}");
    }
}
