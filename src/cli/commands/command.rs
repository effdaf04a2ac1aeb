//! `pya manage` and `pya run`: commands on the host. Their output is the answer. Whatever exit status they fail with,
//! `pya` exits with 1, as its other codes have meanings of their own; `--json` contains their exit status.

use serde_json::json;

use super::project::{executors, remote, variables};
use crate::cli::args::{Manage, Run};
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::deploy::{Command, ExecutorOptions, Outcome, Project, command};
use crate::error::{Error, Result};
use crate::host::Variables;
use crate::project_table::Table;

pub async fn manage(args: &Manage, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let mut executors = executors(&args.executors, &settings);
    if let Some(domain) = web_app(args)? {
        executors.domain = Some(domain);
    }
    let what = manage_py(args.args.clone(), args.settings.as_ref(), &settings);
    let outcome = perform(&project, &executors, what, &variables(&args.set_env)?).await?;
    Ok(print_outcome(&outcome, context))
}

/// The domain that was given as an argument.
fn web_app(args: &Manage) -> Result<Option<String>> {
    if let Some(word) = args.web_app.as_deref().filter(|word| !word.contains('.')) {
        return Err(Error::config(format!(
            "{word:?} is not the domain of a web app: the arguments for manage.py come after \"--\""
        )));
    }
    if args.web_app.is_some() && args.executors.domain.is_some() {
        return Err(Error::config("the web app is given twice: as an argument and with --domain"));
    }
    Ok(args.web_app.clone())
}

/// manage.py with these arguments, and the settings module that is given, else that of the table.
pub fn manage_py(args: Vec<String>, module: Option<&String>, settings: &Settings<'_>) -> Command {
    let Table { manage, settings, .. } = &settings.table;
    Command::Manage { args, manage: manage.clone(), settings: module.or(settings.as_ref()).cloned() }
}

pub async fn run(args: &Run, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let (executors, what) = (executors(&args.executors, &settings), Command::Run(args.command.clone()));
    let outcome = perform(&project, &executors, what, &variables(&args.set_env)?).await?;
    Ok(print_outcome(&outcome, context))
}

/// Runs a command on the host.
///
/// # Errors
/// As for [`command`].
pub async fn perform(
    project: &Project,
    executors: &ExecutorOptions,
    what: Command,
    variables: &Variables,
) -> Result<Outcome> {
    keeping_budget(&project.client, command(project, executors, what, variables)).await
}

pub fn print_outcome(outcome: &Outcome, context: &Context) -> Exit {
    let Outcome { exit_status, output, truncated } = outcome;
    context.output.content(output, &json!({ "exit_status": exit_status, "output": output, "truncated": truncated }));
    if *truncated {
        context.output.warn("the output was too long: its middle is left out");
    }
    if *exit_status == 0 {
        return Exit::Ok;
    }
    context.output.failure(&format!("the command failed with exit status {exit_status}"));
    Exit::Failed
}
