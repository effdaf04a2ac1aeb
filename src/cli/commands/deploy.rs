//! `pya deploy`: upload what changed, delete what was asked for, reload the web app.
//!
//! The answer is the report, even of a deploy that failed in part or was interrupted.

use std::sync::Arc;
use std::time::Duration;

use super::diff::{executor_lines, summarise, undo_note};
use super::project::{Prepared, executors_and_reloads, variables};
use crate::cli::args::Deploy;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::github;
use crate::cli::listing::{ListOptions, list};
use crate::cli::output::Output;
use crate::cli::progress::Progress;
use crate::cli::report::{Report, deploy_page};
use crate::cli::terminal::shown;
use crate::clock;
use crate::deploy::{DeployDiff, DeployOptions, DeployReport, ProgressEvent, Project, Recorder, Steps};
use crate::error::Result;
use crate::project_table::Table;
use crate::text::{cost_text, counted, duration_text, revision_text};

/// A deploy that takes at least this many seconds says so before it starts, and lists the alternatives.
const LONG: f64 = 60.0;

/// As it was typed, for the report.
const COMMAND: &str = "pya deploy";

/// Between two looks whether another deploy has ended.
const PAUSE: Duration = Duration::from_secs(10);

pub async fn run(args: &Deploy, context: &Context) -> Result<Exit> {
    let page = Report::at(args.report.as_deref())?;
    page.of(COMMAND, context, Box::pin(deploy(args, context, &page))).await
}

async fn deploy(args: &Deploy, context: &Context, page: &Report) -> Result<Exit> {
    let mut prepared = Prepared::new(&args.select, context)?;
    prepared.project.client = page.watched(prepared.project.client);
    let output = &context.output;
    let options = options(args, &prepared)?;
    page.hide(&options.steps.variables);
    options.check()?;
    let (start, wait) = (clock::now(), Duration::from_secs(args.wait));
    let (diff, report) = loop {
        let (diff, report) = attempt(&prepared, &options, context, page).await?;
        let left = wait.saturating_sub(clock::now() - start);
        if !report.held || left.is_zero() {
            break (diff, report);
        }
        page.tell_of_signals(COMMAND, context);
        output.say(&format!("another deploy is under way: trying again for {}", duration_text(left)));
        clock::sleep(PAUSE.min(left)).await;
    };
    print_changes(&report, &diff, &args.list, output);
    print_report(&report, &diff.warnings, output, context.global.verbose > 0);
    output.warn_of_failure(github::summarise(&report));
    let is_written = page.write(|| deploy_page(&report, &diff, &prepared.project, None), output);
    Ok(exit_of(&report, is_written))
}

/// Of a run what was done, of a dry run what would be: the same lines, unless something failed.
fn print_changes(report: &DeployReport, diff: &DeployDiff, wanted: &ListOptions, output: &Output) {
    let lines = list(&diff.listed(report.changes().into_iter()), output.is_read() && !wanted.all);
    output.lines(&lines, wanted.color, &report.to_json());
}

/// How a deploy ended, whose report `is_written`.
fn exit_of(report: &DeployReport, is_written: bool) -> Exit {
    match (report.ok, report.held) {
        (true, _) if is_written => Exit::Ok,
        (false, true) => Exit::Held,
        _ => Exit::Failed,
    }
}

/// Compares both sides, and deploys what differs.
async fn attempt(
    prepared: &Prepared<'_>,
    options: &DeployOptions,
    context: &Context,
    page: &Report,
) -> Result<(DeployDiff, DeployReport)> {
    let output = &context.output;
    let mut diff = prepared.diff(&options.executors_in_effect(), output).await?;
    if options.delete_unmanaged {
        diff = prepared.with_unmanaged(&diff, options).await?;
    }
    summarise(&diff, options, output);
    let report = perform(&prepared.project, &diff, options, context, page).await?;
    Ok((diff, report))
}

/// The options of a deploy: what was typed, else what the settings say.
///
/// # Errors
/// `Config` for a variable that is not set.
pub fn options(args: &Deploy, prepared: &Prepared<'_>) -> Result<DeployOptions> {
    let table = &prepared.settings.table;
    let (executors, reload) = executors_and_reloads(&args.executors, &prepared.settings, args.no_reload, &args.reload);
    Ok(DeployOptions {
        delete: args.delete || table.delete,
        delete_unmanaged: args.delete_unmanaged,
        max_delete: args.max_delete.or(table.max_delete),
        include: args.select.include.clone(),
        dry_run: args.dry_run,
        health: health(args, prepared, &reload),
        reload,
        keep_owed_reloads: args.no_reload,
        force: args.force,
        steps: steps(args, table)?,
        rollback_on_failure: args.rollback_on_failure,
        executors,
        ..DeployOptions::default()
    })
}

fn steps(args: &Deploy, table: &Table) -> Result<Steps> {
    Ok(Steps {
        requirements: args.requirements.clone(),
        collectstatic: args.collectstatic,
        migrate: args.migrate,
        manage: table.manage.clone(),
        settings: args.settings.clone().or_else(|| table.settings.clone()),
        variables: variables(&args.set_env)?,
    })
}

/// The path for the health check. The domains of an emulator lead nowhere unless its address is given.
fn health(args: &Deploy, prepared: &Prepared<'_>, reload: &[String]) -> Option<String> {
    let has_address = args.executors.site_url.is_some() || prepared.settings.table.site_url.is_some();
    let is_reachable = has_address || !prepared.project.client.host().is_loopback();
    match &args.health_url {
        _ if args.no_health => None,
        Some(path) => Some(path.clone()),
        None => (is_reachable && !reload.is_empty()).then(|| "/".to_owned()),
    }
}

/// What to do next after Ctrl-C.
fn what_next(report: &DeployReport) -> &'static str {
    if !report.reloaded.is_empty() {
        return "the files are in place and the web app was reloaded; run the deploy again to finish the rest";
    }
    match report.running.as_deref() {
        Some("bundle") => {
            "the host may still be putting the files in place: run the deploy again to check, and to reload the web app"
        }
        Some(_) => {
            "the files are in place, but a command may still run on the host; run the deploy again to reload the web app"
        }
        None if !report.steps.is_empty() => {
            "the files are in place, and the web app was not reloaded: run the deploy again, with the steps that it owes"
        }
        None => "run the deploy again to send the rest; until then the web app is not reloaded",
    }
}

/// Deploys a diff with a progress bar, and prints the report so far after Ctrl-C, for which the `page` is written as well. A
/// long deploy first says how long it takes.
///
/// # Errors
/// Whatever kept the deploy from starting.
async fn perform(
    project: &Project,
    diff: &DeployDiff,
    options: &DeployOptions,
    context: &Context,
    page: &Report,
) -> Result<DeployReport> {
    let recorder = Recorder::default();
    let (so_far, known, place, file) = (recorder.clone(), diff.clone(), project.clone(), page.clone());
    context.on_interrupt(move |output| {
        let report = so_far.report();
        let next = tell_interrupted(&report, &known, output);
        file.write(|| deploy_page(&report, &known, &place, Some(next)), output);
    });
    let bar = Arc::new(Progress::new(&context.output));
    let progress = shown_on(Arc::clone(&bar), recorder.clone(), !options.dry_run);
    let report = crate::deploy::deploy(project, diff, options, Arc::new(progress), &recorder).await;
    project.client.persist_budget();
    context.on_interrupt(|_| ());
    report
}

/// Prints how far a deploy came that a signal ended, and returns what to do next.
fn tell_interrupted(report: &DeployReport, diff: &DeployDiff, output: &Output) -> &'static str {
    output.answer("", &report.to_json());
    print_report(report, &diff.warnings, output, false);
    let next = what_next(report);
    output.say(next);
    next
}

/// Shows events on a bar; where a plan `is_announced`, with what to know of it before the first write.
fn shown_on(bar: Arc<Progress>, recorder: Recorder, is_announced: bool) -> impl Fn(ProgressEvent) {
    move |event| {
        if let ProgressEvent::Planned { seconds, .. } = event
            && is_announced
        {
            announce(&recorder.report(), seconds >= LONG, &bar);
        }
        show(&bar, event);
    }
}

/// Says before the first write that the deploy cannot be undone, and if it `is_long`, how long it takes.
fn announce(report: &DeployReport, is_long: bool, bar: &Progress) {
    if report.executor == "none"
        && let Some(note) = undo_note(&report.plan, &report.executor, 0)
    {
        bar.say(&note);
    }
    if !is_long {
        return;
    }
    if let Some(way) = report.estimate() {
        bar.say(&format!("this takes {}", way.cost()));
    }
    for line in executor_lines(&report.estimates, &report.executor, &report.why, true) {
        bar.say(&line);
    }
}

fn show(bar: &Progress, event: ProgressEvent) {
    match event {
        ProgressEvent::Planned { uploads, deletes, .. } => bar.plan((uploads + deletes) as u64),
        ProgressEvent::Done { .. } | ProgressEvent::Failed { .. } | ProgressEvent::Deleted { .. } => bar.step(),
        ProgressEvent::Waiting { endpoint, seconds } => {
            bar.waiting(&endpoint, Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
        }
        ProgressEvent::Resumed { .. } => bar.resumed(),
        ProgressEvent::Working { executor } => bar.message(&format!("{executor} puts the files in place")),
        ProgressEvent::Running { step } => bar.message(&format!("running {step} on the host")),
        ProgressEvent::Reloading { domain } => bar.message(&format!("reloading {domain}")),
        _ => {}
    }
}

/// Prints what was done and what was not, without the warnings that were already printed with the diff (`said`). If it
/// `is_verbose`, a dry run lists the executors.
fn print_report(report: &DeployReport, said: &[String], output: &Output, is_verbose: bool) {
    report.warnings.iter().filter(|warning| !said.contains(warning)).for_each(|warning| output.warn(warning));
    print_failures(report, output);
    if report.dry_run {
        return print_dry_run(report, output, is_verbose);
    }
    if report.ok && report.plan.actions.is_empty() {
        return output.say("nothing to do: the host is up to date");
    }
    if let Some(id) = &report.id {
        let revision = revision_text(report.commit.as_deref(), report.branch.as_deref(), report.dirty);
        let from = if revision.is_empty() { String::new() } else { format!(" from {revision}") };
        output.say(&format!("deploy {id}{from}"));
    }
    output.say(&format!("{}; {}", done(report).join(", "), cost_text(report.requests, report.seconds)));
}

/// What could not be done, what steps printed, and what is known of why.
fn print_failures(report: &DeployReport, output: &Output) {
    for (what, reason) in &report.failed {
        output.failure(&format!("{}: {reason}", shown(what)));
    }
    for step in &report.steps {
        let end = step.exit_status.map_or("its result is unknown".to_owned(), |status| format!("exit status {status}"));
        output.quote(&format!("{}: {end}", step.step), step.output.lines());
    }
    if let Some(reason) = &report.stopped {
        output.failure(reason);
    }
    if !report.error_log.is_empty() {
        output.quote("the site's error log says:", report.error_log.iter().map(String::as_str));
    }
    if report.rolled_back {
        output.say("rolled back: the files are as they were before this deploy");
    }
}

/// What a deploy would take.
fn print_dry_run(report: &DeployReport, output: &Output, is_verbose: bool) {
    match report.estimate() {
        Some(way) => output.say(&format!("dry run, nothing was written; the deploy would take {}", way.cost())),
        None if report.ok => output.say("dry run, nothing to do: the host is up to date"),
        None => {}
    }
    let note = undo_note(&report.plan, &report.executor, report.rollback_bytes);
    let lines = executor_lines(&report.estimates, &report.executor, &report.why, is_verbose);
    note.iter().chain(&lines).for_each(|line| output.say(line));
}

/// What was done and what was not, in a few words each.
fn done(report: &DeployReport) -> Vec<String> {
    let mut done = vec![format!("{} uploaded", counted(report.uploaded.len(), "file"))];
    if !report.deleted.is_empty() {
        done.push(format!("{} deleted", report.deleted.len()));
    }
    if !report.failed.is_empty() {
        done.push(format!("{} failed", report.failed.len()));
    }
    done.extend(report.reloaded.iter().map(|domain| format!("{domain} reloaded")));
    if report.executor != "none" {
        done.push(format!("by {} ({})", report.executor, report.why));
    }
    done
}
