//! `pya rollback` and `pya history`: undoing a deploy, and the list of what was done on the host.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::project::{executors_and_reloads, remote};
use crate::cli::args::{History, Rollback};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal::shown;
use crate::error::Result;
use crate::text::counted;

pub async fn run(args: &Rollback, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let (executors, reload) = executors_and_reloads(&args.executors, &settings, args.no_reload, &args.reload);
    context.on_interrupt(|output| {
        output.say("the rollback may continue on the host: run it again to finish it");
    });
    let report = crate::deploy::rollback(&project, &executors, args.id.as_deref(), &reload).await;
    project.client.persist_budget();
    let report = report?;
    for (path, reason) in &report.not_deleted {
        context.output.warn(&format!("{} was not removed: {reason}", shown(path)));
    }
    let count = counted(usize::try_from(report.written).unwrap_or(usize::MAX), "file");
    let text = if report.resumed {
        format!("the rollback of deploy {} had started before, and is finished now", report.deploy)
    } else {
        format!("deploy {} is undone: {count} restored, {} removed", report.deploy, report.deleted.len())
    };
    context.output.answer(&text, &json!(report));
    for domain in &report.reloaded {
        context.output.say(&format!("reloaded {domain}"));
    }
    for warning in &report.warnings {
        context.output.warn(warning);
    }
    if !report.migrations.is_empty() {
        context.output.warn(&format!("these migrations ran and are not undone: {}", report.migrations.join(", ")));
    }
    if !report.kept_for_rollback {
        context.output.say("the replaced files were not kept, so this rollback cannot be undone");
    }
    context.output.say("databases are unchanged: a rollback restores only files");
    let is_whole = report.warnings.is_empty() && report.not_deleted.is_empty();
    Ok(if is_whole { Exit::Ok } else { Exit::Failed })
}

pub async fn history(args: &History, context: &Context) -> Result<Exit> {
    let (_, project) = remote(args.remote_root.as_deref(), context)?;
    let jobs = crate::deploy::history(&project).await;
    project.client.persist_budget();
    let jobs = jobs?;
    let text: String = jobs.iter().map(line).collect();
    context.output.answer(&text, &json!(jobs));
    if jobs.is_empty() {
        context.output.say("no jobs have run on the host yet; deploys that upload single files are not listed");
    }
    Ok(Exit::Ok)
}

fn line(job: &Value) -> String {
    let text = |name: &str| shown(job[name].as_str().unwrap_or("?"));
    let time = job["finished"].as_i64().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let time = time.map_or("?".to_owned(), |time| {
        format!("{} {:02}:{:02}:{:02}", time.date(), time.hour(), time.minute(), time.second())
    });
    format!("{}  {time}  {:<8}  {:<7}  {}\n", text("id"), text("operation"), text("state"), text("summary"))
}
