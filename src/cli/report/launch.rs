//! The report of a launch.

use super::deploy::account;
use super::page::{Mood, Page, Step};
use crate::client::Client;
use crate::launch::{LaunchReport, StepRecord, StepState};

/// A launch that ended, or, if it `is_interrupted`, one that a signal ended.
#[must_use]
pub fn launch_page(report: &LaunchReport, client: &Client, is_interrupted: bool) -> Page {
    let (title, mood) = title(report, is_interrupted);
    let interrupted =
        is_interrupted.then(|| "A signal ended the launch. Launch it again to go on from here.".to_owned());
    Page {
        title: title.to_owned(),
        mood,
        command: "pya launch",
        numbers: vec![("steps", report.steps.len().to_string())],
        facts: facts(report, client),
        errors: report.error_message().map(|why| (String::new(), why)).into_iter().collect(),
        warnings: report.warnings.clone(),
        notes: interrupted.into_iter().chain(report.next.iter().map(|next| format!("Next: {next}"))).collect(),
        steps: report.steps.iter().map(step).collect(),
        ..Page::default()
    }
}

fn title(report: &LaunchReport, is_interrupted: bool) -> (&'static str, Mood) {
    match (report.ok, report.dry_run) {
        _ if is_interrupted => ("Launch interrupted", Mood::Bad),
        (true, true) => ("Dry run: nothing was written", Mood::Neutral),
        (true, false) => ("Launched", Mood::Good),
        (false, _) => ("Launch failed", Mood::Bad),
    }
}

fn facts(report: &LaunchReport, client: &Client) -> Vec<(&'static str, String)> {
    let mut facts = account(client);
    facts.extend([("site", report.url.clone()), ("folder", report.remote_root.clone())]);
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn step(record: &StepRecord) -> Step {
    // What still runs when the report is written was cut off.
    let is_bad = matches!(record.state, StepState::Failed | StepState::Running);
    let state = if record.state == StepState::Running { "not finished" } else { record.state.as_str() };
    let end = if record.detail.is_empty() { state.to_owned() } else { format!("{state}: {}", record.detail) };
    Step { name: record.step.to_owned(), end, is_bad, ..Step::default() }
}
