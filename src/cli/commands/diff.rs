//! `pya diff`: what a deploy would change, without writing anything.

use serde_json::json;

use super::project::{Prepared, executors};
use crate::cli::args::{self, Diff};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::terminal::shown;
use crate::deploy::{DeployDiff, DeployOptions, Estimate, Forecast};
use crate::error::{ErrorKind, Result};
use crate::text::{counted, first_few};

pub async fn run(args: &Diff, context: &Context) -> Result<Exit> {
    let prepared = Prepared::new(&args.select, context)?;
    let diff = prepared.diff(&context.output).await?;
    let forecast = match forecast(&prepared, &diff).await {
        Ok(forecast) => Some(forecast),
        // A diff is worth showing also where a deploy of it would be refused.
        Err(error) if error.kind() == ErrorKind::Config => {
            context.output.warn(&format!("pya deploy would be refused: {}", error.chain()));
            None
        }
        Err(error) => return Err(error),
    };
    let mut document = diff.to_json();
    document["forecast"] = json!(forecast);
    context.output.answer(&diff.to_string(), &document);
    summarise(&diff, prepared.settings.table.delete, &context.output);
    for warning in forecast.iter().flat_map(|forecast| &forecast.warnings) {
        context.output.warn(warning);
    }
    if let Some((forecast, way)) = forecast.as_ref().and_then(|forecast| Some((forecast, forecast.estimate()?))) {
        context.output.say(&format!("pya deploy takes {}", way.cost()));
        for line in executor_lines(&forecast.estimates, &forecast.executor, &forecast.why) {
            context.output.say(&line);
        }
    }
    Ok(Exit::Ok)
}

/// What `pya deploy` without options would cost.
async fn forecast(prepared: &Prepared<'_>, diff: &DeployDiff) -> Result<Forecast> {
    let options = DeployOptions {
        // Refused by the deploy if nothing would be left.
        delete: prepared.settings.table.delete && diff.has_local_files(),
        executors: executors(&args::ExecutorOptions::default(), &prepared.settings),
        reload: prepared.settings.domains(),
        max_delete: Some(usize::MAX),
        ..DeployOptions::default()
    };
    let forecast = crate::deploy::forecast(&prepared.project, diff, &options).await;
    prepared.project.client.persist_budget();
    forecast
}

/// A line for each executor with its cost, the chosen one marked, and why it was chosen.
pub fn executor_lines(estimates: &[Estimate], executor: &str, why: &str) -> Vec<String> {
    let mark = |estimate: &Estimate| if estimate.executor == executor { " <- chosen" } else { "" };
    let mut lines: Vec<String> = estimates.iter().map(|estimate| format!("  {estimate}{}", mark(estimate))).collect();
    if !why.is_empty() {
        lines.push(format!("executor {executor}: {why}"));
    }
    lines
}

/// Prints what the list of changes leaves out: counts, files that are left alone and why, warnings. What is gone here is
/// removed only if the deploy `deletes`.
pub fn summarise(diff: &DeployDiff, deletes: bool, output: &Output) {
    let removed = match (diff.removed.len(), deletes) {
        (0, _) | (_, true) => "removed",
        (_, false) => "gone here and left on the host (--delete removes)",
    };
    let counts = [(&diff.added, "added"), (&diff.changed, "changed"), (&diff.removed, removed)];
    let counts = counts.map(|(paths, what)| format!("{} {what}", paths.len())).join(", ");
    let unmanaged = match diff.unmanaged.len() {
        0 => String::new(),
        number => format!(", {number} unmanaged on the host (left alone)"),
    };
    output.say(&format!("{}: {counts}, {} unchanged{unmanaged}", counted(files(diff), "file"), diff.unchanged.len()));
    for (source, left_out) in &diff.left_out {
        let folders = match left_out.folders {
            0 => String::new(),
            number => format!(" and {}", counted(number, "folder")),
        };
        output.say(&format!("left out by {source}: {}{folders}", counted(left_out.files, "file")));
    }
    if !diff.protected.is_empty() {
        let names = first_few(diff.protected.iter().map(|path| shown(path)));
        output.say(&format!("protected, not touched: {names}"));
    }
    if diff.empty_folders > 0 {
        output.say(&format!("{} cannot be created on the host", counted(diff.empty_folders, "empty folder")));
    }
    for (path, reason) in &diff.skipped {
        output.warn(&format!("{} is not sent: {reason}", shown(path)));
    }
    for warning in diff.other_warnings() {
        output.warn(warning);
    }
}

fn files(diff: &DeployDiff) -> usize {
    diff.added.len() + diff.changed.len() + diff.unchanged.len()
}
