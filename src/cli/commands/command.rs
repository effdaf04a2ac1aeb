//! `pya manage` and `pya run`: commands on the host. Their output is the answer. Whatever exit status they fail with,
//! `pya` exits with 1, as its other codes have meanings of their own; `--json` contains their exit status.

use serde_json::json;

use super::project::{executors, remote, variables};
use crate::cli::args::{Manage, Run};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::deploy::{Command, Outcome, command};
use crate::error::{Error, Result};

pub async fn manage(args: &Manage, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let mut executors = executors(&args.executors, &settings);
    if let Some(word) = args.web_app.as_deref().filter(|word| !word.contains('.')) {
        return Err(Error::config(format!(
            "{word:?} is not the domain of a web app: the arguments for manage.py come after \"--\""
        )));
    }
    if args.web_app.is_some() {
        if args.executors.domain.is_some() {
            return Err(Error::config("the web app is given twice: as an argument and with --domain"));
        }
        executors.domain.clone_from(&args.web_app);
    }
    let what = Command::Manage {
        args: args.args.clone(),
        manage: settings.table.manage.clone(),
        settings: args.settings.clone().or_else(|| settings.table.settings.clone()),
    };
    let outcome = command(&project, &executors, what, &variables(&args.set_env)?).await;
    project.client.persist_budget();
    Ok(print_outcome(&outcome?, context))
}

pub async fn run(args: &Run, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let (executors, what) = (executors(&args.executors, &settings), Command::Run(args.command.clone()));
    let outcome = command(&project, &executors, what, &variables(&args.set_env)?).await;
    project.client.persist_budget();
    Ok(print_outcome(&outcome?, context))
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
