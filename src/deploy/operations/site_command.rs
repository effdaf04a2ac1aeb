//! `manage.py` in a web app whose agent, virtualenv and settings the caller knows: nothing is asked of the API.

use super::inspect::Inspection;
use super::maintenance::{Maintenance, Outcome};
use crate::deploy::plan::environment::{PythonEnvironment, receipt_within};
use crate::deploy::plan::executor::{ExecutorOptions, NO_COMMANDS};
use crate::deploy::project::Project;
use crate::deploy::state::folder::StateFolder;
use crate::error::{Error, Result};
use crate::host::{Operation, Receipt, Variables, random_id};

/// Runs `manage.py` with `args` and `variables` as `environment` says, and waits until it ends.
///
/// # Errors
/// `Config` without a domain or an agent; `Job` if it could not be started; `Timeout` if it is unknown whether it ended. A
/// command that failed is not an error.
pub(crate) async fn manage_in_site(
    project: &Project,
    executors: &ExecutorOptions,
    environment: &Inspection,
    args: &[&str],
    variables: Variables,
) -> Result<Outcome> {
    let client = &project.client;
    let executor = executors.for_job(client, NO_COMMANDS).await?;
    let (Some(domain), Some(settings)) = (executors.domain.as_deref(), environment.settings.as_deref()) else {
        return Err(Error::config("manage.py needs the domain of a web app and a settings module"));
    };
    let inside = PythonEnvironment::inside(domain, settings);
    let operation = operation(&inside, environment, args);
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    let maintenance = Maintenance::of(project, &folder, &executor);
    outcome(&maintenance.start(&random_id(16)?, operation, variables, receipt_within(&executor)).await?)
}

/// `manage.py` with `args`, where `environment` says.
fn operation(inside: &PythonEnvironment, environment: &Inspection, args: &[&str]) -> Operation {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let mut operation = inside.manage(args, environment.manage.clone());
    if let Operation::Manage { environment: told, .. } = &mut operation {
        told.virtualenv.clone_from(&environment.virtualenv);
        told.folder.clone_from(&environment.folder);
    }
    operation
}

/// How the command ended, with why the runner ended it, if it did.
fn outcome(receipt: &Receipt) -> Result<Outcome> {
    let Some(exit_status) = receipt.exit_status else { return Err(receipt.to_error()) };
    let mut output = receipt.output.clone();
    if let Some(error) = receipt.error.as_ref().filter(|_| exit_status != 0) {
        output.push_str(&error.message);
        output.push('\n');
    }
    Ok(Outcome { exit_status, output, truncated: receipt.truncated })
}
