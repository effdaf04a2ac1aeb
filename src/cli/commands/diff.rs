//! `pya diff`: what a deploy would change, without writing anything.

use serde_json::{Value, json};

use super::project::{Prepared, executors};
use crate::cli::args::{self, Diff};
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::github;
use crate::cli::listing::{list, stat};
use crate::cli::output::Output;
use crate::cli::terminal::shown;
use crate::deploy::{DeployDiff, DeployOptions, Estimate, FileChange, Forecast, LeftOut, Plan, Project};
use crate::error::{ErrorKind, Result};
use crate::setting::Setting;
use crate::text::{counted, first_few};

/// Both sides compared, and what a deploy would make of it.
pub struct Comparison {
    pub diff: DeployDiff,
    pub options: DeployOptions,
    /// `Config` where the deploy would be refused.
    pub forecast: Result<Forecast>,
}

pub async fn run(args: &Diff, context: &Context) -> Result<Exit> {
    let Comparison { diff, options, forecast } = compare(args, context).await?;
    let forecast = unless_refused(forecast, &context.output)?;
    let plan = forecast.as_ref().map(|forecast| forecast.plan.clone());
    let plan = plan.or_else(|| diff.plan_with(&options).ok()).unwrap_or_else(|| diff.plan());
    // What is gone here may go there.
    let removed = diff.removed.iter().map(|path| FileChange::new(path, 'D'));
    let changes = diff.listed(plan.changes().into_iter().chain(removed));
    let document = document(&diff, &plan, forecast.as_ref());
    let (is_folded, width) = (context.output.is_read() && !args.list.all, context.output.width());
    let lines = if args.stat { stat(&changes, &diff, &plan, is_folded, width) } else { list(&changes, is_folded) };
    context.output.lines(&lines, args.list.color, &document);
    let found = format!("Diff: {}", counted(changes.len(), "change"));
    context.output.warn_of_failure(github::summarise_files(&found, &changes));
    summarise(&diff, &options, &context.output);
    if let Some(forecast) = &forecast {
        tell_cost(forecast, context);
    }
    Ok(Exit::Ok)
}

/// The diff as `--json` has it, with what a deploy would make of it.
fn document(diff: &DeployDiff, plan: &Plan, forecast: Option<&Forecast>) -> Value {
    let mut document = diff.to_json();
    document["plan"] = plan.to_json();
    document["forecast"] = json!(forecast);
    document
}

/// What a deploy would do. A diff is worth showing also where a deploy of it would be refused.
fn unless_refused(forecast: Result<Forecast>, output: &Output) -> Result<Option<Forecast>> {
    match forecast {
        Err(error) if error.kind() == ErrorKind::Config => {
            output.warn(&format!("pya deploy would be refused: {}", error.chain()));
            Ok(None)
        }
        forecast => forecast.map(Some),
    }
}

/// Prints what a deploy would take, and what to know of it before.
fn tell_cost(forecast: &Forecast, context: &Context) {
    let output = &context.output;
    output.warn_all(&forecast.warnings);
    let Some(way) = forecast.estimate() else { return };
    output.say(&format!("pya deploy takes {}", way.cost()));
    let note = undo_note(&forecast.plan, &forecast.executor, forecast.rollback_bytes);
    let is_wanted = context.global.verbose > 0;
    let lines = executor_lines(&forecast.estimates, &forecast.executor, &forecast.why, is_wanted);
    note.iter().chain(&lines).for_each(|line| output.say(line));
}

/// Compares, and forecasts a deploy with the options that hold here.
///
/// # Errors
/// Whatever made the comparison impossible.
pub async fn compare(args: &Diff, context: &Context) -> Result<Comparison> {
    let prepared = Prepared::new(&args.select, context)?;
    let executors = executors(&args::ExecutorOptions::default(), &prepared.settings);
    let mut diff = prepared.diff(&executors, &context.output).await?;
    let options = DeployOptions {
        // Refused by the deploy if nothing would be left.
        delete: (args.delete || prepared.settings.table.delete) && diff.has_local_files(),
        delete_unmanaged: args.delete_unmanaged && diff.has_local_files(),
        include: args.select.include.clone(),
        executors,
        reload: prepared.settings.table.domains(),
        max_delete: Some(usize::MAX),
        ..DeployOptions::default()
    };
    if args.delete_unmanaged {
        diff = prepared.with_unmanaged(&diff, &options).await?;
    }
    let forecast = forecast(&prepared, &diff, &options).await;
    Ok(Comparison { diff, options, forecast })
}

/// What to know about undoing a deploy, if it changes files.
pub fn undo_note(plan: &Plan, executor: &str, bytes: u64) -> Option<String> {
    (!plan.changes().is_empty()).then(|| crate::deploy::undo_note(executor, bytes)).flatten()
}

/// What `pya deploy` would cost.
async fn forecast(prepared: &Prepared<'_>, diff: &DeployDiff, options: &DeployOptions) -> Result<Forecast> {
    let Project { client, .. } = &prepared.project;
    keeping_budget(client, crate::deploy::forecast(&prepared.project, diff, options)).await
}

/// Which executor was chosen and why, and if they are `wanted`, a line for each with its cost, the chosen one marked.
pub fn executor_lines(estimates: &[Estimate], executor: &str, why: &str, wanted: bool) -> Vec<String> {
    let mark = |estimate: &Estimate| if estimate.executor == executor { " <- chosen" } else { "" };
    let lines = estimates.iter().filter(|_| wanted).map(|estimate| format!("  {estimate}{}", mark(estimate)));
    lines.chain((!why.is_empty()).then(|| format!("executor {executor}: {why}"))).collect()
}

/// Prints what the list of changes leaves out: counts, files that are left alone and why, warnings.
pub fn summarise(diff: &DeployDiff, options: &DeployOptions, output: &Output) {
    output.say(&counts(diff, options));
    for (source, left_out) in &diff.left_out {
        output.say(&format!("left out by {source}: {}", extent(left_out)));
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

/// How many files there are, and what of them a deploy would touch.
fn counts(diff: &DeployDiff, options: &DeployOptions) -> String {
    let counts = [(&diff.added, "added"), (&diff.changed, "changed"), (&diff.unchanged, "unchanged")];
    let files = counts.iter().map(|(paths, _)| paths.len()).sum();
    let counts = counts.map(|(paths, what)| format!("{} {what}", paths.len())).join(", ");
    let removed = match (diff.removed.len(), options.delete) {
        (0, _) => String::new(),
        (number, true) => format!(", {number} to delete"),
        (number, false) => format!(", {number} deleted locally (kept on the host without {})", Setting::Delete),
    };
    let renamed = match diff.renamed.len() {
        0 => String::new(),
        number => format!(", {number} of them renamed"),
    };
    let unmanaged = match (diff.unmanaged.len(), options.delete_unmanaged) {
        (0, _) => String::new(),
        (number, true) => format!(", {number} unmanaged on the host to delete"),
        (number, false) => format!(", {number} unmanaged on the host (left alone)"),
    };
    format!("{}: {counts}{removed}{renamed}{unmanaged}", counted(files, "file"))
}

fn extent(left_out: &LeftOut) -> String {
    let files = counted(left_out.files, "file");
    match left_out.folders {
        0 => files,
        number => format!("{files} and {}", counted(number, "folder")),
    }
}
