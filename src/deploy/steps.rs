//! Commands that a deploy runs on the host between the new files and the reload: requirements, static files, migrations.
//!
//! The database comes last, since it is what no rollback puts back. A command that fails ends the deploy before the reload.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::apply::Run;
use super::keeper::Keeper;
use super::progress::ProgressEvent;
use super::remote::Remote;
use crate::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Executor, JobFolder, Operation, Receipt, State, random_id, settings_module, wsgi_file};

/// How long a command may run inside a web app, in seconds, where a request may take 5 minutes.
pub const COMMAND_LIMIT: u64 = 240;

/// How long one may run elsewhere.
const LONG_COMMAND_LIMIT: u64 = 3600;

/// How long a receipt may come later than its command's limit: a scheduled task begins within two minutes.
const RECEIPT_LATER: Duration = Duration::from_secs(6 * 60);

/// How long a command may run where `executor` starts it, in seconds.
pub(super) fn limit_of(executor: &Executor) -> u64 {
    if matches!(executor, Executor::Webapp(_)) { COMMAND_LIMIT } else { LONG_COMMAND_LIMIT }
}

/// How long to wait for the receipt of a command that `executor` starts.
pub(super) fn receipt_within(executor: &Executor) -> Duration {
    Duration::from_secs(limit_of(executor)) + RECEIPT_LATER
}

/// What is run on the host after the files are there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// A requirements file of the project, installed with pip.
    pub requirements: Option<String>,
    /// Whether `manage.py collectstatic` is run.
    pub collectstatic: bool,
    /// Whether `manage.py migrate` is run.
    pub migrate: bool,
    /// Where `manage.py` is in the project, if not at its root.
    pub manage: Option<String>,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// `requirements`, `collectstatic` or `migrate`.
    pub step: String,
    /// Whether it ended with 0.
    pub ok: bool,
    /// Its exit status; `None` if nobody knows.
    pub exit_status: Option<i32>,
    /// What it printed.
    pub output: String,
}

impl Steps {
    /// Whether nothing is to be run.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.requirements.is_none() && !self.collectstatic && !self.migrate
    }

    /// The names of what is to be run.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let wanted = [
            (self.requirements.is_some(), "requirements"),
            (self.collectstatic, "collectstatic"),
            (self.migrate, "migrate"),
        ];
        wanted.into_iter().filter_map(|(is_wanted, name)| is_wanted.then_some(name))
    }

    fn operations(&self, surroundings: &Surroundings) -> Vec<(&'static str, Operation)> {
        let manage = |args: &[&str]| {
            let args = args.iter().map(|&arg| arg.to_owned()).collect();
            surroundings.manage(args, self.manage.clone())
        };
        let mut operations = Vec::new();
        if let Some(requirements) = self.requirements.clone() {
            operations.push(("requirements", surroundings.pip(requirements)));
        }
        if self.collectstatic {
            operations.push(("collectstatic", manage(&["collectstatic", "--noinput"])));
        }
        if self.migrate {
            operations.push(("migrate", manage(&["migrate", "--noinput"])));
        }
        operations
    }
}

impl StepReport {
    fn of(step: &str, receipt: &Receipt) -> Self {
        let reason = match receipt.state {
            State::Done if receipt.is_ok() => String::new(),
            _ => receipt.error.as_ref().map(|error| format!("{}\n", error.message)).unwrap_or_default(),
        };
        Self {
            step: step.to_owned(),
            ok: receipt.is_ok(),
            // Where another command is at work, nobody knows what the database is like.
            exit_status: receipt.exit_status.filter(|_| !receipt.is_busy()),
            output: format!("{}{reason}", receipt.output),
        }
    }

    /// The migrations that Django says it applied.
    #[must_use]
    pub fn migrations(&self) -> Vec<String> {
        let applied = self.output.lines().filter_map(|line| line.trim().strip_prefix("Applying "));
        let done = applied.filter_map(|rest| rest.split_once("... OK").map(|(name, _)| name.to_owned()));
        if self.step == "migrate" { done.collect() } else { Vec::new() }
    }

    /// The migration that was begun and, as far as the output tells, not ended: not every database takes it back.
    #[must_use]
    pub fn half_migration(&self) -> Option<&str> {
        let last = self.output.lines().filter_map(|line| line.trim().strip_prefix("Applying ")).next_back()?;
        let is_half = self.step == "migrate" && !self.ok && !last.contains("... OK");
        is_half.then(|| last.split("...").next().unwrap_or(last))
    }
}

/// With what the web app runs, as far as a command must be told.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Where its packages are, if in a virtualenv.
    virtualenv: Option<String>,
    /// Its version of Python, as `3.13`.
    python: Option<String>,
    /// Its Django settings.
    settings: Option<String>,
    /// How long a command may run, in seconds.
    timeout: u64,
}

impl Surroundings {
    /// Those of the web app `domain`. Inside it, the agent knows its Python and its settings; anything else is told what
    /// the web app's record and its WSGI file say.
    pub(super) async fn of(client: &Client, domain: Option<&str>, executor: &Executor) -> Result<Self> {
        let timeout = limit_of(executor);
        let Some(domain) = domain else { return Ok(Self { timeout, ..Self::default() }) };
        let record = client.webapp(domain).await?;
        let field = |name: &str| record[name].as_str().filter(|value| !value.is_empty()).map(str::to_owned);
        let virtualenv = field("virtualenv_path");
        if matches!(executor, Executor::Webapp(_)) {
            return Ok(Self { virtualenv, timeout, ..Self::default() });
        }
        let wsgi = match client.read_file(&wsgi_file(domain)?).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Bytes::new(),
            wsgi => wsgi?,
        };
        let settings = settings_module(&String::from_utf8_lossy(&wsgi)).map(str::to_owned);
        Ok(Self { virtualenv, python: field("python_version"), settings, timeout })
    }

    /// `manage.py` with these arguments.
    pub(super) fn manage(&self, args: Vec<String>, manage: Option<String>) -> Operation {
        Operation::Manage {
            args,
            manage: manage.unwrap_or_else(|| "manage.py".to_owned()),
            virtualenv: self.virtualenv.clone(),
            python: self.python.clone(),
            settings: self.settings.clone(),
            timeout: self.timeout,
        }
    }

    fn pip(&self, requirements: String) -> Operation {
        let (virtualenv, python) = (self.virtualenv.clone(), self.python.clone());
        Operation::Pip { requirements, virtualenv, python, timeout: self.timeout }
    }
}

impl<R: Remote> Run<'_, R> {
    /// Runs what is asked for; false ends the deploy.
    pub(super) async fn run_steps(&self, keeper: &Keeper<R>) -> bool {
        match self.try_steps(keeper).await {
            Ok(is_ok) => is_ok,
            Err(error) => {
                self.recorder.lock().stopped = Some(error.chain());
                false
            }
        }
    }

    async fn try_steps(&self, keeper: &Keeper<R>) -> Result<bool> {
        if self.options.steps.is_none() {
            return Ok(true);
        }
        let (client, executor) = self.means.needed()?;
        let surroundings = Surroundings::of(client, self.options.via.domain.as_deref(), executor).await?;
        // Others must know the tasks of these jobs as those of a deploy that is going on.
        let owner = Some(keeper.intent().id.clone());
        let job_folder = JobFolder { owner, ..self.job_folder(client) };
        for (step, operation) in self.options.steps.operations(&surroundings) {
            self.watcher.tell(ProgressEvent::Running { step: step.to_owned() });
            let job = job_folder.job(&random_id(16)?, &self.base.remote_root, operation);
            self.recorder.lock().running = Some(step.to_owned());
            let receipt = keeper.right().during(executor.run(&job_folder, &job, receipt_within(executor))).await;
            self.recorder.lock().running = None;
            let receipt = match receipt {
                Ok(receipt) => receipt,
                Err(Error::Timeout { .. }) => {
                    let output = "nobody knows whether it ended: look before you run it again".to_owned();
                    let report = StepReport { step: step.to_owned(), ok: false, exit_status: None, output };
                    self.recorder.lock().steps.push(report);
                    self.recorder.lock().stopped = Some(format!("{step} did not end in time"));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            let report = StepReport::of(step, &receipt);
            let is_ok = report.ok;
            if is_ok {
                keeper.intent().steps.remove(step);
            }
            self.recorder.lock().steps.push(report);
            if !is_ok {
                self.recorder.lock().stopped = Some(format!("{step} failed: {}", receipt.reason()));
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_comes_last() {
        let steps = Steps { requirements: Some("r.txt".into()), collectstatic: true, migrate: true, manage: None };
        let names: Vec<&str> = steps.operations(&Surroundings::default()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["requirements", "collectstatic", "migrate"]);
        assert!(Steps::default().is_none() && !steps.is_none());
        assert_eq!((Steps::default().names().count(), steps.names().count()), (0, 3));
    }

    #[test]
    fn the_migrations_that_ran_are_named() {
        let output = "Running migrations:\n  Applying app.0001_initial... OK\n  Applying app.0002_x...Traceback\n";
        let report = StepReport { step: "migrate".into(), ok: false, exit_status: Some(1), output: output.to_owned() };
        assert_eq!(report.migrations(), ["app.0001_initial"]);
        assert_eq!(report.half_migration(), Some("app.0002_x"));
        let whole = StepReport { ok: true, output: "  Applying app.0001_initial... OK\n".to_owned(), ..report };
        assert_eq!(whole.half_migration(), None);
    }
}
