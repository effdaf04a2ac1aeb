//! `pya manage` and `pya run`: commands on the host. Their output is the answer; whatever they fail with, we end with 1, as
//! other codes of ours have a meaning. `--json` tells their exit status.

use serde_json::json;

use super::project::{remote, via};
use crate::cli::args::{Manage, Run};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::deploy::{Command, Outcome, command};
use crate::error::{Error, Result};

pub async fn manage(args: &Manage, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let mut via = via(&args.via, &settings);
    if let Some(word) = args.web_app.as_deref().filter(|word| !word.contains('.')) {
        return Err(Error::config(format!(
            "{word:?} is no domain of a web app: the command's words come after \"--\""
        )));
    }
    if args.web_app.is_some() {
        if args.via.domain.is_some() {
            return Err(Error::config("the web app is given twice: as DOMAIN and as --domain"));
        }
        via.domain.clone_from(&args.web_app);
    }
    say_what_goes_on(context);
    let what = Command::Manage(args.args.clone(), settings.table.manage.clone());
    let outcome = command(&project, &via, what).await;
    project.client.persist_budget();
    Ok(print_outcome(&outcome?, context))
}

pub async fn run(args: &Run, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    say_what_goes_on(context);
    let outcome = command(&project, &via(&args.via, &settings), Command::Run(args.command.clone())).await;
    project.client.persist_budget();
    Ok(print_outcome(&outcome?, context))
}

/// After Ctrl-C: nothing ends a command inside a web app.
fn say_what_goes_on(context: &Context) {
    context.on_interrupt(|output| {
        output
            .say("if the command was begun in the web app, it goes on there: \"pya history\" tells when it has ended");
    });
}

fn print_outcome(outcome: &Outcome, context: &Context) -> Exit {
    let Outcome { exit_status, output, truncated } = outcome;
    context.output.answer(output, &json!({ "exit_status": exit_status, "output": output, "truncated": truncated }));
    if *truncated {
        context.output.warn("the middle of the output is left out");
    }
    if *exit_status == 0 {
        return Exit::Ok;
    }
    context.output.failure(&format!("it ended with exit status {exit_status}"));
    Exit::Failed
}
