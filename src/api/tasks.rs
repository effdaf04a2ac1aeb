//! `always_on` and `schedule`: commands that the service starts; only what jobs on the host need of them.

use serde::{Deserialize, Serialize};

use crate::client::{Client, Request};
use crate::error::Result;

/// The two kinds of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Started at once, and again whenever it ends.
    AlwaysOn,
    /// Started at a time of day, in UTC.
    Scheduled,
}

/// A task, with the fields that matter here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Task {
    /// Its number.
    pub id: u64,
    /// The description that its owner gave it.
    #[serde(default)]
    pub description: Option<String>,
}

impl TaskKind {
    fn url(self) -> &'static str {
        match self {
            Self::AlwaysOn => "always_on/",
            Self::Scheduled => "schedule/",
        }
    }
}

impl Client {
    /// Lists the tasks of a kind.
    ///
    /// Endpoints: `GET always_on/`, `GET schedule/`.
    ///
    /// # Errors
    /// `Forbidden` for accounts that have none.
    pub async fn tasks(&self, kind: TaskKind) -> Result<Vec<Task>> {
        self.send(Request::get(kind.url())).await?.error_for_status()?.json("a list of tasks")
    }

    /// Makes a task that is started at once, and again whenever it ends. Not repeated after an ambiguous failure.
    ///
    /// Endpoint: `POST always_on/`.
    ///
    /// # Errors
    /// `Forbidden` for accounts that have none.
    pub async fn create_always_on(&self, command: &str, description: &str) -> Result<Task> {
        let fields = [("command", command), ("description", description), ("enabled", "true")];
        let request = Request::post(TaskKind::AlwaysOn.url()).form(fields);
        self.send(request).await?.error_for_status()?.json("the new task")
    }

    /// Makes a task that is started once a day at `hour:minute`, UTC. Not repeated after an ambiguous failure.
    ///
    /// Endpoint: `POST schedule/`.
    ///
    /// # Errors
    /// `Forbidden` for accounts that have none.
    pub async fn create_daily(&self, command: &str, description: &str, (hour, minute): (u64, u64)) -> Result<Task> {
        let (hour, minute) = (hour.to_string(), minute.to_string());
        let fields = [("command", command), ("description", description), ("enabled", "true"), ("interval", "daily")];
        let time = [("hour", &*hour), ("minute", &*minute)];
        let request = Request::post(TaskKind::Scheduled.url()).form(fields.into_iter().chain(time));
        self.send(request).await?.error_for_status()?.json("the new task")
    }

    /// Deletes a task, which ends its process.
    ///
    /// Endpoints: `DELETE always_on/{id}/`, `DELETE schedule/{id}/`.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub async fn delete_task(&self, kind: TaskKind, id: u64) -> Result<()> {
        self.send(Request::delete(format!("{}{id}/", kind.url()))).await?.error_for_status()?;
        Ok(())
    }
}
