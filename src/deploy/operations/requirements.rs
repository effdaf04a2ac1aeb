//! Requirements in a virtualenv on the host, for projects whose packages take longer than one request may.
//!
//! The host ends a request to a web app after five minutes, and pip knows no half-done installation. So each requirement is
//! made into wheels by itself, as many in one request as there is time for, and then all are installed at once from those.
//! An installation that was cut off goes on from there, and one that would change nothing is not begun.

use super::maintenance::carry_out;
use crate::deploy::plan::environment::limit_of;
use crate::deploy::plan::executor::{ExecutorOptions, NO_COMMANDS};
use crate::deploy::project::Project;
use crate::error::Result;
use crate::host::{Operation, RequirementsResult, Variables};

/// Installs a requirements file of the project in the virtualenv at `virtualenv`, unless what it says was installed there
/// last.
///
/// # Errors
/// `Config` if nothing can run it, if the file is not there, or if the virtualenv has no Python that works; `Job` if pip
/// fails, with the requirement and what pip said.
pub async fn install_requirements(
    project: &Project,
    executors: &ExecutorOptions,
    requirements: &str,
    virtualenv: &str,
) -> Result<RequirementsResult> {
    let executor = executors.for_job(&project.client, NO_COMMANDS).await?;
    let operation = Operation::Requirements {
        requirements: requirements.to_owned(),
        virtualenv: virtualenv.to_owned(),
        timeout: limit_of(&executor),
    };
    carry_out(project, executors, &executor, operation, Variables::default()).await
}
