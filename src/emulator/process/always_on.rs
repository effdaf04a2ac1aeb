//! Always-on tasks: commands that run all the time and are restarted when they end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex;

use super::launcher::Session;
use super::run::CommandTools;
use super::supervisor::{ServiceSpec, Supervisor};

/// An always-on task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlwaysOnTask {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The command line that it runs.
    pub command: String,
    /// The user's description.
    pub description: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// Whether its command is running.
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
    tools: Arc<CommandTools>,
    tasks: Mutex<SupervisedTasks>,
}

#[derive(Debug, Default)]
struct SupervisedTasks {
    last: u64,
    by_id: BTreeMap<u64, SupervisedTask>,
}

#[derive(Debug)]
struct SupervisedTask {
    task: AlwaysOnTask,
    supervisor: Option<Supervisor>,
}

impl SupervisedTask {
    fn shown(&self) -> AlwaysOnTask {
        let running =
            self.supervisor.as_ref().is_some_and(|supervisor| supervisor.status().running.load(Ordering::Relaxed));
        AlwaysOnTask { running, ..self.task.clone() }
    }

    /// Kills its processes and waits until they have ended.
    async fn stop(&mut self) {
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.stop().await;
        }
    }
}

impl AlwaysOn {
    /// Creates an empty list.
    #[must_use]
    pub fn new(tools: Arc<CommandTools>) -> Self {
        Self { tools, tasks: Mutex::default() }
    }

    /// All tasks, in the order of their ids.
    pub async fn all(&self) -> Vec<AlwaysOnTask> {
        self.tasks.lock().await.by_id.values().map(SupervisedTask::shown).collect()
    }

    /// The task with an id.
    pub async fn get(&self, id: u64) -> Option<AlwaysOnTask> {
        self.tasks.lock().await.by_id.get(&id).map(SupervisedTask::shown)
    }

    /// Creates a task and starts it if it is enabled.
    pub async fn create(&self, command: &str, description: &str, enabled: bool, session: &Session) -> AlwaysOnTask {
        let mut tasks = self.tasks.lock().await;
        tasks.last += 1;
        let id = tasks.last;
        let (command, description) = (command.to_owned(), description.to_owned());
        let task = AlwaysOnTask { id, command, description, enabled, running: false };
        let mut supervised = SupervisedTask { task, supervisor: None };
        self.start(&mut supervised, session);
        let shown = supervised.shown();
        tasks.by_id.insert(id, supervised);
        shown
    }

    /// Changes a task. Its command is restarted only if the command or `enabled` changes.
    pub async fn change(
        &self,
        id: u64,
        session: &Session,
        change: impl FnOnce(&mut AlwaysOnTask),
    ) -> Option<AlwaysOnTask> {
        let mut tasks = self.tasks.lock().await;
        let supervised = tasks.by_id.get_mut(&id)?;
        let before = supervised.task.clone();
        change(&mut supervised.task);
        if (&before.command, before.enabled) != (&supervised.task.command, supervised.task.enabled) {
            supervised.stop().await;
            self.start(supervised, session);
        }
        Some(supervised.shown())
    }

    /// Restarts a task, if it is enabled.
    pub async fn restart(&self, id: u64, session: &Session) -> Option<AlwaysOnTask> {
        let mut tasks = self.tasks.lock().await;
        let supervised = tasks.by_id.get_mut(&id)?;
        supervised.stop().await;
        self.start(supervised, session);
        Some(supervised.shown())
    }

    /// Stops and removes a task; false if there is none. Its log remains.
    pub async fn delete(&self, id: u64) -> bool {
        let removed = self.tasks.lock().await.by_id.remove(&id);
        match removed {
            Some(mut supervised) => {
                supervised.stop().await;
                true
            }
            None => false,
        }
    }

    /// Stops all tasks.
    pub async fn stop(&self) {
        for supervised in self.tasks.lock().await.by_id.values_mut() {
            supervised.stop().await;
        }
    }

    fn start(&self, supervised: &mut SupervisedTask, session: &Session) {
        if !supervised.task.enabled {
            return;
        }
        let log = supervised.task.log_name();
        let command = supervised.task.command.clone();
        let spec = ServiceSpec { command, session: session.clone(), output: log.clone(), errors: log, socket: None };
        supervised.supervisor = Some(Supervisor::start(&self.tools, spec));
    }
}
