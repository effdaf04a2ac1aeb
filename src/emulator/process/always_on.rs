//! Always-on tasks: commands that run all the time, and are started again when they end.
//!
//! Each has a keeper, an asynchronous task that holds its run. Aborting the keeper drops the run, which ends the
//! processes; whoever stops one waits for that, so a restarted command finds its sockets free.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::cpu::CpuMeter;
use super::launcher::{Launcher, Session};
use super::run::{Job, Run};
use crate::clock;
use crate::emulator::account::Account;

/// How long to wait before a command that has ended is started again: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A command that lasted this long gets the first pause again.
const LASTING: Duration = Duration::from_secs(60);

/// An always-on task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlwaysOnTask {
    /// Counts from 1 in the account.
    pub id: u64,
    /// What it runs.
    pub command: String,
    /// The user's words about it.
    pub description: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Whether its command runs at this moment.
    pub running: bool,
}

impl AlwaysOnTask {
    /// The name of its log in `/var/log`.
    #[must_use]
    pub fn log_name(&self) -> String {
        format!("alwayson-log-{}.log", self.id)
    }
}

/// The account's always-on tasks, in memory.
#[derive(Debug)]
pub struct AlwaysOn {
    launcher: Arc<Launcher>,
    meter: Arc<CpuMeter>,
    logs: PathBuf,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    last: u64,
    by_id: BTreeMap<u64, Kept>,
}

#[derive(Debug)]
struct Kept {
    task: AlwaysOnTask,
    running: Arc<AtomicBool>,
    keeper: Option<JoinHandle<()>>,
}

impl Kept {
    fn shown(&self) -> AlwaysOnTask {
        AlwaysOnTask { running: self.running.load(Ordering::Relaxed), ..self.task.clone() }
    }

    /// Ends its processes and waits for that.
    async fn stop(&mut self) {
        if let Some(keeper) = self.keeper.take() {
            keeper.abort();
            // An error only says that it was aborted.
            let _ = keeper.await;
        }
        self.running.store(false, Ordering::Relaxed);
    }
}

impl AlwaysOn {
    /// None yet.
    #[must_use]
    pub fn new(launcher: Arc<Launcher>, meter: Arc<CpuMeter>, account: &Account) -> Self {
        Self { launcher, meter, logs: account.root().join("var/log"), tasks: Mutex::default() }
    }

    /// All of them, by their ids.
    pub async fn all(&self) -> Vec<AlwaysOnTask> {
        self.tasks.lock().await.by_id.values().map(Kept::shown).collect()
    }

    /// One of them.
    pub async fn get(&self, id: u64) -> Option<AlwaysOnTask> {
        self.tasks.lock().await.by_id.get(&id).map(Kept::shown)
    }

    /// Makes one and starts it if it is enabled.
    pub async fn create(&self, command: &str, description: &str, enabled: bool, session: &Session) -> AlwaysOnTask {
        let mut tasks = self.tasks.lock().await;
        tasks.last += 1;
        let id = tasks.last;
        let (command, description) = (command.to_owned(), description.to_owned());
        let task = AlwaysOnTask { id, command, description, enabled, running: false };
        let mut kept = Kept { task, running: Arc::default(), keeper: None };
        self.start(&mut kept, session);
        let shown = kept.shown();
        tasks.by_id.insert(id, kept);
        shown
    }

    /// Changes one. It goes on undisturbed unless its command or being enabled has changed.
    pub async fn change(
        &self,
        id: u64,
        session: &Session,
        change: impl FnOnce(&mut AlwaysOnTask),
    ) -> Option<AlwaysOnTask> {
        let mut tasks = self.tasks.lock().await;
        let kept = tasks.by_id.get_mut(&id)?;
        let before = kept.task.clone();
        change(&mut kept.task);
        if (&before.command, before.enabled) != (&kept.task.command, kept.task.enabled) {
            kept.stop().await;
            self.start(kept, session);
        }
        Some(kept.shown())
    }

    /// Ends one and starts it again, if it is enabled.
    pub async fn restart(&self, id: u64, session: &Session) -> Option<AlwaysOnTask> {
        let mut tasks = self.tasks.lock().await;
        let kept = tasks.by_id.get_mut(&id)?;
        kept.stop().await;
        self.start(kept, session);
        Some(kept.shown())
    }

    /// Ends and forgets one; whether there was one. Its log stays.
    pub async fn delete(&self, id: u64) -> bool {
        let removed = self.tasks.lock().await.by_id.remove(&id);
        match removed {
            Some(mut kept) => {
                kept.stop().await;
                true
            }
            None => false,
        }
    }

    /// Ends all.
    pub async fn stop(&self) {
        for kept in self.tasks.lock().await.by_id.values_mut() {
            kept.stop().await;
        }
    }

    fn start(&self, kept: &mut Kept, session: &Session) {
        if !kept.task.enabled {
            return;
        }
        let keeper = Keeper {
            launcher: Arc::clone(&self.launcher),
            meter: Arc::clone(&self.meter),
            session: session.clone(),
            log: self.logs.join(kept.task.log_name()),
            task: kept.task.clone(),
            running: Arc::clone(&kept.running),
        };
        kept.keeper = Some(tokio::spawn(keeper.keep()));
    }
}

struct Keeper {
    launcher: Arc<Launcher>,
    meter: Arc<CpuMeter>,
    session: Session,
    log: PathBuf,
    task: AlwaysOnTask,
    running: Arc<AtomicBool>,
}

impl Keeper {
    async fn keep(self) {
        let mut pause = PAUSES.0;
        loop {
            let began = clock::now();
            if let Err(error) = self.run().await {
                log::warn!("an always-on task cannot run: {error}");
            }
            self.running.store(false, Ordering::Relaxed);
            if clock::now() - began >= LASTING {
                pause = PAUSES.0;
            }
            clock::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    async fn run(&self) -> io::Result<i32> {
        let job = Job {
            command: self.task.command.clone(),
            folder: self.launcher.home(),
            environment: self.launcher.environment(&self.session),
            output: self.launcher.visible(&format!("/var/log/{}", self.task.log_name())),
            errors: OpenOptions::new().create(true).append(true).open(&self.log)?,
        };
        let run = Run::start(&self.launcher, &self.meter, job).await?;
        self.running.store(true, Ordering::Relaxed);
        run.wait().await
    }
}
