//! The Django settings as the host has them: those that decide how a project is served, and no others.
//!
//! They are imported in a process of their own, by the virtualenv's Python. That runs the project's code, as `manage.py`
//! does, so it is only done on the host. What the settings print is never returned: it may be anything.

use super::maintenance::carry_out;
use crate::deploy::plan::environment::PythonEnvironment;
use crate::deploy::plan::executor::{ExecutorOptions, NO_COMMANDS};
use crate::deploy::project::Project;
use crate::error::Result;
use crate::host::{Executor, InspectResult, Variables, checked_settings};

/// What to inspect. What is left out is taken from the web app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Where `manage.py` is in the project, if not at its root.
    pub manage: Option<String>,
    /// The settings module.
    pub settings: Option<String>,
    /// The virtualenv's folder.
    pub virtualenv: Option<String>,
    /// The working folder, where the web app's process, which was started earlier, may still have another one.
    pub folder: Option<String>,
}

/// Imports the settings on the host, and returns those that decide how the project is served. Sends the API two requests
/// for what is left out of `inspection`, and none if it names both settings and virtualenv and an agent does it.
///
/// # Errors
/// `Config` if nothing can run it, or where it would not see what the web app sees; `Job` if the settings cannot be
/// imported, with the exception.
pub async fn inspect_settings(
    project: &Project,
    executors: &ExecutorOptions,
    inspection: &Inspection,
) -> Result<InspectResult> {
    let Inspection { manage, settings, virtualenv, folder } = inspection;
    let settings = settings.as_deref().map(checked_settings).transpose()?;
    let client = &project.client;
    let executor = executors.for_job(client, NO_COMMANDS).await?;
    let domain = executors.domain.as_deref();
    let is_known = settings.is_some() && virtualenv.is_some() && matches!(executor, Executor::Webapp(_));
    let environment = if let (true, Some(domain), Some(module)) = (is_known, domain, settings) {
        PythonEnvironment::inside(domain, module)
    } else {
        PythonEnvironment::read(client, domain, settings, &executor).await?
    };
    let operation = environment.inspect(manage.clone(), virtualenv.clone(), folder.clone());
    let variables = environment.variables(&operation, &Variables::default());
    carry_out(project, executors, &executor, operation, variables).await
}
