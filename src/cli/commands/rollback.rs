//! `pya rollback`: undoing a deploy.

use serde_json::json;

use super::project::{executors_and_reloads, remote};
use crate::cli::args::Rollback;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::prompt;
use crate::cli::report::{Page, Report, rollback_page};
use crate::cli::terminal::shown;
use crate::deploy::{RollbackReport, unconfirmed};
use crate::error::{Error, Result};
use crate::text::counted;

pub async fn run(args: &Rollback, context: &Context) -> Result<Exit> {
    let page = Report::at(args.report.as_deref())?;
    page.of("pya rollback", context, Box::pin(roll_back(args, context, &page))).await
}

async fn roll_back(args: &Rollback, context: &Context, page: &Report) -> Result<Exit> {
    let (settings, mut project) = remote(args.remote_root.as_deref(), context)?;
    project.client = page.watched(project.client);
    let (executors, reload) = executors_and_reloads(&args.executors, &settings, args.no_reload, &args.reload);
    let file = page.clone();
    context.on_interrupt(move |output| {
        let note = "the rollback may continue on the host: run it again to finish it";
        output.say(note);
        file.write(|| Page { notes: vec![note.to_owned()], ..Page::interrupted("pya rollback") }, output);
    });
    let confirm = |question| confirm(question, args.yes, &context.output);
    let rollback = crate::deploy::rollback(&project, &executors, args.id.as_deref(), &reload, confirm);
    let report = keeping_budget(&project.client, rollback).await?;
    print_report(&report, &context.output);
    let is_whole = report.warnings.is_empty() && report.not_deleted.is_empty();
    let is_written = page.write(|| rollback_page(&report, &project), &context.output);
    Ok(if is_whole && is_written { Exit::Ok } else { Exit::Failed })
}

/// Prints what is as before again, and what is not.
fn print_report(report: &RollbackReport, output: &Output) {
    for (path, reason) in &report.not_deleted {
        output.warn(&format!("{} was not removed: {reason}", shown(path)));
    }
    output.answer(&in_words(report), &json!(report));
    for domain in &report.reloaded {
        output.say(&format!("reloaded {domain}"));
    }
    output.warn_all(&report.warnings);
    if !report.migrations.is_empty() {
        output.warn(&format!("these migrations ran and are not undone: {}", report.migrations.join(", ")));
    }
    if !report.kept_for_rollback {
        output.say("the disk had no room to keep the replaced files, so this rollback cannot be undone");
    }
    output.say("databases are unchanged: a rollback restores only files");
}

fn in_words(report: &RollbackReport) -> String {
    let count = counted(usize::try_from(report.written).unwrap_or(usize::MAX), "file");
    if report.resumed {
        format!("the rollback of deploy {} had started before, and is finished now", report.deploy)
    } else {
        format!("deploy {} is undone: {count} restored, {} removed", report.deploy, report.deleted.len())
    }
}

/// Asks on a terminal, and refuses where there is none.
async fn confirm(question: String, yes: bool, output: &Output) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !prompt::is_possible() {
        return Err(unconfirmed(&question));
    }
    output.warn(&format!("{question}. Go on? [y/N]"));
    if prompt::is_yes().await? { Ok(()) } else { Err(Error::config("nothing was rolled back")) }
}
