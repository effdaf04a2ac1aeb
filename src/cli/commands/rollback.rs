//! `pya rollback`: undoing a deploy.

use serde_json::json;

use super::project::{executors_and_reloads, remote};
use crate::cli::args::Rollback;
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
