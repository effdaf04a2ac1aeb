//! Maintenance jobs: jobs on the host other than deploys. A command, a hash of the whole tree, an archive, a rollback.
//!
//! A maintenance job that makes a task leaves a note for as long as it works, so that the next command finds the task if we are
//! killed. It is not a deploy's note: a maintenance job does not stop others from deploying.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::api::TaskKind;
use crate::cleanup;
use crate::client::{Client, RemotePath};
use crate::deploy::plan::endless;
use crate::deploy::plan::environment::{PythonEnvironment, limit_of, receipt_within};
use crate::deploy::plan::executor::{ExecutorOptions, NO_COMMANDS};
use crate::deploy::plan::step_files::manage_hint;
use crate::deploy::project::Project;
use crate::deploy::remote::{Remote, delete_if_there};
use crate::deploy::state::folder::{State, StateFolder};
use crate::deploy::state::intent::Intent;
use crate::deploy::state::lease::Lease;
use crate::deploy::state::recovery::sweep_tasks;
use crate::error::{Error, Result};
use crate::host::{
    Executor, Job, JobFolder, Lane, Operation, Receipt, Variables, checked_settings, random_id, sweep_own,
};
use crate::setting::Setting;

/// How long a job may take: the runner begins none that is older than 30 minutes.
pub(crate) const JOB_LIMIT: Duration = Duration::from_secs(25 * 60);

/// What a maintenance job needs.
pub(crate) struct Maintenance<'a, R> {
    pub remote: &'a R,
    pub folder: &'a StateFolder,
    pub root: &'a RemotePath,
    pub job_folder: JobFolder,
    pub executor: &'a Executor,
}

impl<'a> Maintenance<'a, Client> {
    /// For the jobs of a project.
    pub(crate) fn of(project: &'a Project, folder: &'a StateFolder, executor: &'a Executor) -> Self {
        let job_folder = JobFolder::new(&project.client, folder.path());
        Self { remote: &project.client, folder, root: &project.remote_root, job_folder, executor }
    }
}

/// A command to be run on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `manage.py` with these arguments.
    Manage {
        /// What comes after `manage.py`.
        args: Vec<String>,
        /// Where it is in the project, if not at its root.
        manage: Option<String>,
        /// The Django settings, if not those of the web app.
        settings: Option<String>,
    },
    /// Any program with its arguments, in the project's folder. The agent refuses it.
    Run(Vec<String>),
}

impl Command {
    /// Refuses what no program can be given, what would never end on the host, and settings that are none.
    fn check(&self) -> Result<()> {
        let (Self::Manage { args: words, .. } | Self::Run(words)) = self;
        if words.iter().any(|word| word.contains('\0')) {
            return Err(Error::config("the command contains a NUL character, which no program can be given"));
        }
        match self {
            Self::Manage { args, settings, .. } => {
                endless::check_manage(args)?;
                settings.as_deref().map_or(Ok(()), |module| checked_settings(module).map(drop))
            }
            Self::Run(words) => endless::check_run(words),
        }
    }
}

/// The result of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its exit status; that of a killed one is not 0.
    pub exit_status: i32,
    /// What it printed, both streams.
    pub output: String,
    /// Whether the middle of the output is missing.
    pub truncated: bool,
}

impl<R: Remote> Maintenance<'_, R> {
    /// Has an operation carried out as the job `id`, and waits for its receipt. Removes first what killed deploys left in
    /// the account.
    pub(crate) async fn run_as(
        &self,
        id: &str,
        operation: Operation,
        limit: Duration,
        lane: Option<&Lane>,
    ) -> Result<Receipt> {
        let state = self.folder.read_notes_by(self.remote, lane).await?;
        sweep_tasks(&self.job_folder.client, self.folder, &state).await?;
        self.start(id, operation, Variables::default(), limit).await
    }

    /// The same for a caller that has read the notes of other deploys.
    pub(crate) async fn run_after(&self, state: &State, operation: Operation, limit: Duration) -> Result<Receipt> {
        sweep_tasks(&self.job_folder.client, self.folder, state).await?;
        self.start(&random_id(16)?, operation, Variables::default(), limit).await
    }

    pub(super) async fn start(
        &self,
        id: &str,
        operation: Operation,
        variables: Variables,
        limit: Duration,
    ) -> Result<Receipt> {
        let job = self.job_folder.job(id, self.root, operation).with_variables(variables);
        if self.executor.task_kinds().is_empty() {
            return self.run_job(&job, limit).await;
        }
        let place = self.folder.maintenance(id)?;
        let lease = self.write_note(id, &place).await?;
        let mut note = self.note(id, place);
        let receipt = self.run_job(&job, limit).await;
        note.is_over = true;
        self.end_note(lease).await;
        receipt
    }

    /// Removes the note of a job, or leaves it: while a task of the job is there, the note must be, too.
    async fn end_note(&self, lease: Lease<R>) {
        let ended = if self.job_folder.left_tasks().is_empty() { lease.remove().await } else { lease.leave().await };
        if let Err(error) = ended {
            log::warn!("the note of this job is still on the host, and will expire: {}", error.chain());
        }
    }

    /// Writes the note of the job `id`, and keeps it fresh.
    async fn write_note(&self, id: &str, place: &RemotePath) -> Result<Lease<R>> {
        let mut intent = Intent::new(self.remote.server_time());
        id.clone_into(&mut intent.id);
        intent.tasks.extend(self.executor.task_kinds());
        let mut lease = Lease::write(self.remote, place.clone(), intent).await?;
        lease.start();
        Ok(lease)
    }

    fn note(&self, id: &str, place: RemotePath) -> Note {
        Note {
            client: self.job_folder.client.clone(),
            place,
            kinds: self.executor.task_kinds(),
            state: self.folder.path().name().to_owned(),
            id: id.to_owned(),
            is_over: false,
        }
    }

    async fn run_job(&self, job: &Job, limit: Duration) -> Result<Receipt> {
        let receipt = self.executor.run(&self.job_folder, job, limit).await;
        if let Err(error) = &receipt
            && job.operation.timeout().is_some()
            && self.job_folder.may_have_begun(error)
        {
            log::warn!("it is unknown whether the command ended: check before you run it again");
        }
        receipt
    }
}

/// The note of a job that makes a task. If the job is cut off, it goes as well, but after the task that it tells of.
struct Note {
    client: Client,
    place: RemotePath,
    kinds: &'static [TaskKind],
    state: String,
    id: String,
    is_over: bool,
}

impl Drop for Note {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let Self { client, place, state, id, .. } = self;
        let (client, place, kinds, state, id) =
            (client.clone(), place.clone(), self.kinds, std::mem::take(state), std::mem::take(id));
        cleanup::defer(async move {
            let tidied = async {
                for &kind in kinds {
                    sweep_own(&client, kind, &state, &id).await?;
                }
                delete_if_there(&client, &place).await
            };
            if let Err(error) = tidied.await {
                log::warn!("the note of an interrupted job is still there, for the next command: {}", error.chain());
            }
        });
    }
}

/// Has an executor carry out an operation that is not a command of the user's, and returns what it found. Asks the API
/// for nothing where the agent of a site tells it what is in the state folder.
pub(super) async fn carry_out<T: DeserializeOwned>(
    project: &Project,
    executors: &ExecutorOptions,
    executor: &Executor,
    operation: Operation,
    variables: Variables,
) -> Result<T> {
    let client = &project.client;
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    let lane = executors.lane(client).filter(|_| matches!(executor, Executor::Webapp(_)));
    let (state, _) = folder.read_by(client, lane.as_ref()).await?;
    sweep_tasks(client, &folder, &state).await?;
    let maintenance = Maintenance::of(project, &folder, executor);
    let receipt = successful(maintenance.start(&random_id(16)?, operation, variables, JOB_LIMIT).await?)?;
    serde_json::from_value(receipt.result)
        .map_err(|error| Error::job(format!("the host's answer makes no sense: {error}")))
}

/// The receipt of a job, unless that failed.
pub(super) fn successful(receipt: Receipt) -> Result<Receipt> {
    if receipt.is_ok() { Ok(receipt) } else { Err(receipt.to_error()) }
}

/// Runs a command on the host, with these variables besides its own, and waits until it ends. If the future is dropped
/// before, the command is ended on the host.
///
/// # Errors
/// `Config` if nothing can run it, or if it would never end there; `Job` if it could not be started; `Timeout` if it is
/// unknown whether it ended; what the service answers. A command that failed is not an error.
pub async fn command(
    project: &Project,
    executors: &ExecutorOptions,
    command: Command,
    variables: &Variables,
) -> Result<Outcome> {
    command.check()?;
    let client = &project.client;
    let executor = executors.for_job(client, NO_COMMANDS).await?;
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    // Also before a command that is refused.
    let lane = executors.lane(client);
    sweep_tasks(client, &folder, &folder.read_notes_by(client, lane.as_ref()).await?).await?;
    let mut variables = variables.clone();
    let operation = match command {
        Command::Manage { args, manage, settings } => {
            let (domain, settings) = (executors.domain.as_deref(), settings.as_deref());
            let environment = PythonEnvironment::read(client, domain, settings, &executor).await?;
            let operation = environment.manage(args, manage);
            variables = environment.variables(&operation, &variables);
            operation
        }
        Command::Run(_) if matches!(executor, Executor::Webapp(_)) => {
            return Err(Error::config(format!(
                "the agent in a web app runs manage.py and pip only: a task ({}) or a console runs anything",
                Setting::AllowTasks
            )));
        }
        Command::Run(command) => Operation::Run { command, folder: String::new(), timeout: limit_of(&executor) },
    };
    let maintenance = Maintenance::of(project, &folder, &executor);
    outcome(&maintenance.start(&random_id(16)?, operation, variables, receipt_within(&executor)).await?)
}

/// How a command ended. One that failed is not an error, one that did not run is.
fn outcome(receipt: &Receipt) -> Result<Outcome> {
    let mut output = receipt.output.clone();
    match (receipt.exit_status, &receipt.error) {
        (Some(status), None) => Ok(Outcome { exit_status: status, output, truncated: receipt.truncated }),
        (Some(status), Some(error)) if status != 0 && error.kind == "timed_out" => {
            output.push_str(&error.message);
            output.push('\n');
            Ok(Outcome { exit_status: status, output, truncated: receipt.truncated })
        }
        (_, Some(error)) if error.kind == "missing" && error.message.contains("manage.py") => {
            Err(Error::config(format!("{}: {}", error.message, manage_hint("FOLDER/manage.py"))))
        }
        _ => Err(receipt.to_error()),
    }
}
