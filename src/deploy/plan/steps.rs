//! Commands that a deploy runs on the host between the new files and the reload: requirements, static files, migrations.
//!
//! The database comes last, since it is what no rollback puts back. A command that fails ends the deploy before the reload.

use serde::Serialize;

use super::environment::PythonEnvironment;
use crate::host::{Operation, Receipt, State, Variables};

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
    /// The Django settings of `manage.py`, if not those of the web app.
    pub settings: Option<String>,
    /// What each of the commands gets as environment variables.
    pub variables: Variables,
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReport {
    /// `requirements`, `collectstatic` or `migrate`.
    pub step: String,
    /// Whether it ended with 0.
    pub ok: bool,
    /// Its exit status; `None` if it is unknown.
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

    /// Whether `manage.py` is to be run.
    pub(crate) fn runs_manage(&self) -> bool {
        self.collectstatic || self.migrate
    }

    /// The names of what is to be run.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        let requirements = self.requirements.is_some().then_some("requirements");
        let collectstatic = self.collectstatic.then_some("collectstatic");
        let migrate = self.migrate.then_some("migrate");
        [requirements, collectstatic, migrate].into_iter().flatten()
    }

    /// What is run, each under its name and with its variables.
    pub(crate) fn operations(&self, environment: &PythonEnvironment) -> Vec<(&'static str, Operation, Variables)> {
        let manage = |args: &[&str]| {
            let args = args.iter().map(|&arg| arg.to_owned()).collect();
            environment.manage(args, self.manage.clone())
        };
        let mut operations = Vec::new();
        if let Some(requirements) = self.requirements.clone() {
            operations.push(("requirements", environment.pip(requirements)));
        }
        if self.collectstatic {
            operations.push(("collectstatic", manage(&["collectstatic", "--noinput"])));
        }
        if self.migrate {
            operations.push(("migrate", manage(&["migrate", "--noinput"])));
        }
        let with_variables = |(name, operation): (&'static str, Operation)| {
            let variables = environment.variables(&operation, &self.variables);
            (name, operation, variables)
        };
        operations.into_iter().map(with_variables).collect()
    }
}

impl StepReport {
    pub(crate) fn of(step: &str, receipt: &Receipt) -> Self {
        let reason = match receipt.state {
            State::Done if receipt.is_ok() => String::new(),
            _ => receipt.error.as_ref().map(|error| format!("{}\n", error.message)).unwrap_or_default(),
        };
        Self {
            step: step.to_owned(),
            ok: receipt.is_ok(),
            // While another command is running, the state of the database is unknown.
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

    /// The migration that was started and, as far as the output shows, not finished: not every database undoes it.
    #[must_use]
    pub fn half_migration(&self) -> Option<&str> {
        let last = self.output.lines().filter_map(|line| line.trim().strip_prefix("Applying ")).next_back()?;
        let is_half = self.step == "migrate" && !self.ok && !last.contains("... OK");
        is_half.then(|| last.split("...").next().unwrap_or(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_comes_last() {
        let steps =
            Steps { requirements: Some("r.txt".into()), collectstatic: true, migrate: true, ..Steps::default() };
        let names: Vec<&str> =
            steps.operations(&PythonEnvironment::default()).into_iter().map(|(name, ..)| name).collect();
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
