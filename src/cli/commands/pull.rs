//! `pya pull`: files of the project on the host, downloaded as one archive.

use serde_json::json;

use super::project::{executors, remote};
use crate::cli::args::Pull;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::terminal::shown;
use crate::deploy::PullOptions;
use crate::error::Result;
use crate::text::counted;

pub async fn run(args: &Pull, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let options = PullOptions {
        include: args.include.clone(),
        exclude: args.exclude.clone(),
        overwrite: args.overwrite,
        max_size: args.max_size.unwrap_or(PullOptions::default().max_size),
    };
    let report = crate::deploy::pull(&project, &executors(&args.executors, &settings), &options, &args.folder).await;
    project.client.persist_budget();
    let report = report?;
    for (path, reason) in &report.unreadable {
        context.output.failure(&format!("{} could not be read on the host: {reason}", shown(path)));
    }
    for mask in &report.unmatched {
        let is_plain = !mask.is_empty() && !mask.contains(['*', '?', '[']) && !mask.ends_with('/');
        let advice = if is_plain { format!(" (write {mask}/ for everything in a folder)") } else { String::new() };
        context.output.failure(&format!("no file on the host matches the mask {}{advice}", shown(mask)));
    }
    let lines: Vec<String> = report.written.iter().map(|path| shown(path)).collect();
    context.output.answer(&lines.join("\n"), &json!(report));
    context.output.say(&format!("{} written, {} unchanged", counted(report.written.len(), "file"), report.unchanged));
    if !report.skipped.is_empty() {
        let number = report.skipped.len();
        context.output.say(&format!("{number} skipped on the host: links, caches, virtualenvs (--json lists them)"));
    }
    Ok(if report.unreadable.is_empty() && report.unmatched.is_empty() { Exit::Ok } else { Exit::Failed })
}
