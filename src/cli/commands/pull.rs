//! `pya pull`: files of the project on the host, downloaded as one archive.

use serde_json::json;

use super::project::{executors, remote};
use crate::cli::args::Pull;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::terminal::shown;
use crate::deploy::{PullOptions, PullReport};
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
    let executors = executors(&args.executors, &settings);
    let pull = crate::deploy::pull(&project, &executors, &options, &args.folder);
    let report = keeping_budget(&project.client, pull).await?;
    for (path, reason) in &report.unreadable {
        context.output.failure(&format!("{} could not be read on the host: {reason}", shown(path)));
    }
    report.unmatched.iter().for_each(|mask| tell_unmatched(mask, &context.output));
    print_pulled(&report, &context.output);
    Ok(if report.unreadable.is_empty() && report.unmatched.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn tell_unmatched(mask: &str, output: &Output) {
    let is_plain = !mask.is_empty() && !mask.contains(['*', '?', '[']) && !mask.ends_with('/');
    let advice = if is_plain { format!(" (write {mask}/ for everything in a folder)") } else { String::new() };
    output.failure(&format!("no file on the host matches the mask {}{advice}", shown(mask)));
}

fn print_pulled(report: &PullReport, output: &Output) {
    let lines: Vec<String> = report.written.iter().map(|path| shown(path)).collect();
    output.answer(&lines.join("\n"), &json!(report));
    output.say(&format!("{} written, {} unchanged", counted(report.written.len(), "file"), report.unchanged));
    if !report.skipped.is_empty() {
        let number = report.skipped.len();
        output.say(&format!("{number} skipped on the host: links, caches, virtualenvs (--json lists them)"));
    }
}
