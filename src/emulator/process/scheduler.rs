//! Runs scheduled tasks: each enabled task has a scheduler that waits for its time by the emulator's clock.
//!
//! If a run has not finished when the next one is due, both run side by side: the service leaves locking to the
//! command. If the clock jumps over several due times, the task runs once.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::launcher::Session;
use super::run::{CommandRun, CommandSpec, CommandTools};
use super::task_times::ScheduledTask;
use crate::clock;
use crate::emulator::calendar;

/// The account's scheduled tasks, in memory.
#[derive(Debug)]
pub struct Schedule {
    tools: Arc<CommandTools>,
    tasks: Mutex<TimedTasks>,
}

#[derive(Debug, Default)]
struct TimedTasks {
    last: u64,
    by_id: BTreeMap<u64, TimedTask>,
}

#[derive(Debug)]
struct TimedTask {
    /// The scheduler reads it, so that runs continue when the task changes.
    task: watch::Sender<ScheduledTask>,
    scheduler: Option<JoinHandle<()>>,
}

impl TimedTask {
    fn shown(&self) -> ScheduledTask {
        self.task.borrow().clone()
    }

    /// Kills its runs and waits until they have ended.
    async fn stop(&mut self) {
        if let Some(scheduler) = self.scheduler.take() {
            scheduler.abort();
            // An error only says that it was aborted.
            let _ = scheduler.await;
        }
    }
}

impl Schedule {
    /// Creates an empty schedule.
    #[must_use]
    pub fn new(tools: Arc<CommandTools>) -> Self {
        Self { tools, tasks: Mutex::default() }
    }

    /// All tasks, in the order of their ids.
    pub async fn all(&self) -> Vec<ScheduledTask> {
        self.tasks.lock().await.by_id.values().map(TimedTask::shown).collect()
    }

    /// The task with an id.
    pub async fn get(&self, id: u64) -> Option<ScheduledTask> {
        self.tasks.lock().await.by_id.get(&id).map(TimedTask::shown)
    }

    /// Adds `task` under a new id.
    pub async fn create(&self, task: ScheduledTask, session: &Session) -> ScheduledTask {
        let mut tasks = self.tasks.lock().await;
        tasks.last += 1;
        let task = ScheduledTask { id: tasks.last, ..task };
        let mut timed = TimedTask { task: watch::Sender::new(task.clone()), scheduler: None };
        self.start(&mut timed, session);
        tasks.by_id.insert(task.id, timed);
        task
    }

    /// Replaces the task that has the same id; false if there is none.
    pub async fn replace(&self, task: ScheduledTask, session: &Session) -> bool {
        let mut tasks = self.tasks.lock().await;
        let Some(timed) = tasks.by_id.get_mut(&task.id) else { return false };
        let (was_enabled, is_enabled) = (timed.shown().enabled, task.enabled);
        timed.task.send_replace(task);
        match (was_enabled, is_enabled) {
            (true, false) => timed.stop().await,
            (false, true) => self.start(timed, session),
            _ => {}
        }
        true
    }

    /// Stops and removes a task; false if there is none. Its log remains.
    pub async fn delete(&self, id: u64) -> bool {
        let removed = self.tasks.lock().await.by_id.remove(&id);
        match removed {
            Some(mut timed) => {
                timed.stop().await;
                true
            }
            None => false,
        }
    }

    /// Stops all tasks.
    pub async fn stop(&self) {
        for timed in self.tasks.lock().await.by_id.values_mut() {
            timed.stop().await;
        }
    }

    fn start(&self, timed: &mut TimedTask, session: &Session) {
        if !timed.shown().enabled {
            return;
        }
        let scheduler = Scheduler {
            tools: Arc::clone(&self.tools),
            session: session.clone(),
            // A due time before the scheduler's first check must not be missed.
            from: clock::wall(),
        };
        timed.scheduler = Some(tokio::spawn(scheduler.keep(timed.task.subscribe())));
    }
}

struct Scheduler {
    tools: Arc<CommandTools>,
    session: Session,
    from: std::time::SystemTime,
}

impl Scheduler {
    async fn keep(self, mut task: watch::Receiver<ScheduledTask>) {
        let mut runs = FuturesUnordered::new();
        let mut due = task.borrow_and_update().next_after(self.from);
        loop {
            let left = due.duration_since(clock::wall()).unwrap_or_default();
            tokio::select! {
                () = clock::sleep(left) => {
                    runs.push(self.run(task.borrow().clone()));
                    // By rounding, the clock may be slightly before the due time.
                    due = task.borrow().next_after(clock::wall().max(due));
                }
                changed = task.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    due = task.borrow_and_update().next_after(clock::wall());
                }
                Some(()) = runs.next() => {}
            }
        }
    }

    async fn run(&self, task: ScheduledTask) {
        if let Err(error) = self.try_to_run(&task).await {
            log::warn!("cannot run a scheduled task: {error}");
        }
    }

    async fn try_to_run(&self, task: &ScheduledTask) -> io::Result<()> {
        let mut log = self.tools.logs.open(&task.log_name())?;
        let spec = CommandSpec {
            command: task.command.clone(),
            folder: self.tools.launcher.home(),
            environment: self.tools.launcher.environment(&self.session),
            output: self.tools.launcher.visible(&format!("/var/log/{}", task.log_name())),
            errors: log.try_clone()?,
        };
        let began = clock::now();
        let status = CommandRun::start(&self.tools, spec).await?.wait().await?;
        let (stamp, took) = (calendar::stamp(clock::wall()), (clock::now() - began).as_secs_f64());
        writeln!(log, "\n{stamp} -- Completed task, took {took:.2} seconds, return code was {status}.")
    }
}
