//! Commands that a deploy runs on the host between the new files and the reload: requirements, static files, migrations.
//!
//! The database comes last, since it is what no rollback puts back. A command that fails ends the deploy before the reload.

use std::time::Duration;

use serde::Serialize;

use super::apply::Run;
use super::keeper::Keeper;
use super::progress::ProgressEvent;
use super::remote::Remote;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::{Operation, Receipt, State, Workshop, random_hex};

/// How long a command may run on the host, in seconds: a request to a web app may take 5 minutes.
pub const COMMAND_LIMIT: u64 = 240;

/// How long to wait for the receipt of one.
pub(super) const RECEIPT_WITHIN: Duration = Duration::from_secs(10 * 60);

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

    fn operations(&self, virtualenv: Option<&str>) -> Vec<(&'static str, Operation)> {
        let virtualenv = virtualenv.map(str::to_owned);
        let manage = |args: &[&str]| Operation::Manage {
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            manage: self.manage.clone().unwrap_or_else(|| "manage.py".to_owned()),
            virtualenv: virtualenv.clone(),
            settings: None,
            timeout: COMMAND_LIMIT,
        };
        let mut operations = Vec::new();
        if let Some(requirements) = self.requirements.clone() {
            let pip = Operation::Pip { requirements, virtualenv: virtualenv.clone(), timeout: COMMAND_LIMIT };
            operations.push(("requirements", pip));
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
            exit_status: receipt.exit_status,
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

/// Where the web app's packages are, if in a virtualenv.
pub(super) async fn virtualenv_of(client: &Client, domain: Option<&str>) -> Result<Option<String>> {
    let Some(domain) = domain else { return Ok(None) };
    let record = client.webapp(domain).await?;
    Ok(record["virtualenv_path"].as_str().filter(|path| !path.is_empty()).map(str::to_owned))
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
        let virtualenv = virtualenv_of(client, self.options.via.domain.as_deref()).await?;
        // Others must know the tasks of these jobs as those of a deploy that is going on.
        let owner = Some(keeper.intent().id.clone());
        let shop = Workshop { client: client.clone(), state: self.folder.path().clone(), owner };
        for (step, operation) in self.options.steps.operations(virtualenv.as_deref()) {
            self.watcher.tell(ProgressEvent::Running { step: step.to_owned() });
            let job = shop.job(&random_hex(8)?, &self.base.remote_root, operation);
            self.recorder.lock().running = Some(step.to_owned());
            let receipt = keeper.right().during(executor.run(&shop, &job, RECEIPT_WITHIN)).await;
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
        let names: Vec<&str> = steps.operations(None).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["requirements", "collectstatic", "migrate"]);
        assert!(Steps::default().is_none() && !steps.is_none());
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
