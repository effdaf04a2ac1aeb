//! `pya launch`: from a project to a served page.
//!
//! On a terminal it shows what it found and what it is going to make, and asks once; elsewhere, and with `--yes`, it does
//! not ask. The answer is the report, also of a launch that stopped.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;

use super::createsuperuser::{EMAIL, in_environment, password};
use super::init::{local_plan, tell_found};
use super::open::open;
use crate::blocking::blocking;
use crate::cli::args::Launch;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::github;
use crate::cli::output::Output;
use crate::cli::prompt;
use crate::cli::report::{Report, launch_page};
use crate::cli::settings::Settings;
use crate::cli::step_line::{step_line, wrapped};
use crate::cli::terminal::print_line;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::host::Variables;
use crate::launch::{
    LaunchOptions, LaunchRecorder, LaunchReport, LocalPlan, ProjectKind, SeenHost, StepRecord, StepState, Superuser,
    launch,
};
use crate::text::cost_text;

pub async fn run(args: &Launch, context: &Context) -> Result<Exit> {
    let page = Report::at(args.report.as_deref())?;
    page.of("pya launch", context, Box::pin(launch_and_tell(args, context, &page))).await
}

async fn launch_and_tell(args: &Launch, context: &Context, page: &Report) -> Result<Exit> {
    let (settings, local) = local_plan(&args.detect, context)?;
    let client = page.watched(settings.client()?);
    let output = &context.output;
    let mut options = options(args, &settings, &client, &local, output).await?;
    page.hide(&local.variables);
    if let Some(superuser) = &options.superuser {
        page.hide(&superuser.password);
    }
    tell_found(&local, output);
    let mut planned_requests = 0;
    if !args.dry_run && !args.yes && std::io::stdin().is_terminal() {
        let plan = LaunchOptions { dry_run: true, ..options.clone() };
        let (planned, seen) = perform(&client, &local, &plan, context, page).await;
        options.seen = seen;
        planned_requests = planned.requests;
        if planned.error.is_some() {
            page.write(|| launch_page(&planned, &client, false), output);
            return Ok(conclude(&planned, output));
        }
        confirm(&local, output).await?;
    }
    let (mut report, _) = perform(&client, &local, &options, context, page).await;
    report.requests += planned_requests;
    let exit = conclude(&report, output);
    let is_written = page.write(|| launch_page(&report, &client, false), output);
    // Last, since a signal may come while the browser starts.
    let is_watched = std::io::stdout().is_terminal() && !output.is_json();
    if report.ok && !args.dry_run && !args.no_open && is_watched {
        show_site(report.url).await?;
    }
    Ok(if exit == Exit::Ok && !is_written { Exit::Failed } else { exit })
}

async fn show_site(url: String) -> Result<()> {
    if let Err(why) = blocking(move || Ok(open(&url))).await? {
        log::debug!("no browser was started: {why}");
    }
    Ok(())
}

async fn options(
    args: &Launch,
    settings: &Settings<'_>,
    client: &Client,
    local: &LocalPlan,
    output: &Output,
) -> Result<LaunchOptions> {
    let table = &settings.table;
    // It is refused for a website, whose launch has no use for the password.
    let has_use = !args.dry_run && !matches!(local.project.kind, ProjectKind::Asgi(_));
    let superuser = match &args.superuser {
        Some(name) if has_use => Some(superuser(name, output).await?),
        Some(name) => Some(Superuser { name: name.clone(), email: None, password: Variables::default() }),
        None => None,
    };
    Ok(LaunchOptions {
        site_url: args.detect.site_url.clone().or_else(|| table.site_url.clone()),
        python: args.python.clone(),
        virtualenv: args.virtualenv.clone(),
        replace_wsgi: args.replace_wsgi,
        superuser,
        dry_run: args.dry_run,
        remote_root: table.remote_root(client.user())?,
        seen: None,
        select: table.select()?,
        deploy: table.deploy(),
    })
}

/// The superuser with the password that the environment has, or that is asked for.
async fn superuser(name: &str, output: &Output) -> Result<Superuser> {
    let password = password(output).await?;
    Superuser::with_password(name.to_owned(), in_environment(EMAIL), password)
}

/// Launches, and tells of each step as it ends; also what was seen of the host before.
async fn perform(
    client: &Client,
    local: &LocalPlan,
    options: &LaunchOptions,
    context: &Context,
    page: &Report,
) -> (LaunchReport, Option<SeenHost>) {
    let bar = spinner(&context.output);
    let recorder = LaunchRecorder::new(Arc::new(shown_on(bar.clone(), &context.output)));
    // A dry run changes nothing, so what was said for that holds.
    if !options.dry_run {
        let (so_far, file, account) = (recorder.clone(), page.clone(), client.clone());
        context.on_interrupt(move |output| tell_interrupted(&so_far.report(), &account, &file, output));
    }
    let report = launch(client, local, options, &recorder).await;
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    if !options.dry_run {
        context.on_interrupt(|_| ());
    }
    (report, recorder.seen())
}

/// Prints how far a launch came that a signal ended, for which the page is written as well.
fn tell_interrupted(report: &LaunchReport, client: &Client, page: &Report, output: &Output) {
    output.answer("", &report.to_json());
    output.say("interrupted: launch it again to go on from here");
    page.write(|| launch_page(report, client, true), output);
}

/// What turns while a step runs, on a terminal.
fn spinner(output: &Output) -> Option<ProgressBar> {
    let bar = output.is_watched().then(|| output.bars().add(ProgressBar::new_spinner()))?;
    bar.enable_steady_tick(Duration::from_millis(120));
    Some(bar)
}

/// Names the step that runs on the spinner, and prints a line about each that has ended.
fn shown_on(spinner: Option<ProgressBar>, output: &Output) -> impl Fn(&StepRecord) + use<> {
    let (bars, is_quiet, width) = (output.bars().clone(), output.is_quiet(), Output::message_width());
    move |record| {
        if let (StepState::Running, Some(bar)) = (record.state, &spinner) {
            bar.set_message(record.step);
        }
        if let (Some(line), false) = (line(record, width), is_quiet) {
            bars.suspend(|| print_line(&line));
        }
    }
}

/// The line about a step that has ended; a failure is told at the end.
fn line(record: &StepRecord, width: Option<usize>) -> Option<String> {
    let mark = match record.state {
        StepState::Running | StepState::Failed => return None,
        // Both were only looked at.
        StepState::Done if matches!(record.step, "account" | "page") => "ok",
        StepState::Done => "done",
        StepState::Skipped => "ok",
        StepState::Planned => "plan",
    };
    Some(step_line(mark, record.step, &record.detail, width))
}

/// Shows the files that are to be made, and asks.
async fn confirm(local: &LocalPlan, output: &Output) -> Result<()> {
    for (path, text) in local.writes() {
        output.say(&format!("{path}:"));
        text.lines().for_each(|line| output.say(&format!("    {line}")));
    }
    output.ask("Launch it? [y/N]");
    if prompt::is_yes().await? { Ok(()) } else { Err(Error::config("nothing was changed")) }
}

/// Prints the report, and returns the exit code.
fn conclude(report: &LaunchReport, output: &Output) -> Exit {
    let text = if report.ok && !report.dry_run { report.url.as_str() } else { "" };
    output.answer(text, &report.to_json());
    output.warn_of_failure(github::summarise_launch(report));
    output.warn_all(&report.warnings);
    if let Some(message) = report.error_message() {
        output.failure(&message);
        return report.kind.map_or(Exit::Failed, Exit::of_kind);
    }
    let cost = cost_text(report.requests, report.seconds);
    if report.dry_run {
        output.say(&format!("dry run, nothing was written; {cost}"));
        return Exit::Ok;
    }
    output.say(&format!("launched; {cost}"));
    report.next.iter().for_each(|next| tell_next(next, output));
    Exit::Ok
}

fn tell_next(next: &str, output: &Output) {
    output.say(&wrapped("next: ", next, Output::message_width(), "next: ".len()));
}
