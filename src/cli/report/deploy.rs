//! The report of a deploy.

use super::change_list::Change;
use super::page::{Mood, Page, Step};
use crate::client::Client;
use crate::deploy::intent::{host_name, user_name};
use crate::deploy::{DeployDiff, DeployReport, FileChange, Project, StepReport};
use crate::text::{counted, revision_text, sized};

/// What became of a deploy, in a few words.
#[must_use]
pub fn title(report: &DeployReport) -> &'static str {
    match (report.ok, report.dry_run) {
        (true, true) => "Dry run: nothing was written",
        (false, true) => "Dry run: the deploy would fail",
        (true, false) if report.plan.actions.is_empty() => "Nothing to deploy: the host is up to date",
        (true, false) => "Deployed",
        (false, false) if report.held => "Not deployed: another deploy is under way",
        (false, false) if report.rolled_back => "Deploy failed and was rolled back",
        (false, false) => "Deploy failed",
    }
}

/// A deploy that ended, or that a signal ended: then with what is to be done `next`.
#[must_use]
pub fn deploy_page(report: &DeployReport, diff: &DeployDiff, project: &Project, next: Option<&str>) -> Page {
    let title = if next.is_some() { "Deploy interrupted" } else { title(report) };
    let failed = report.failed.iter().map(|(what, why)| (what.clone(), why.clone()));
    Page {
        title: title.to_owned(),
        mood: mood(report, next.is_some()),
        command: "pya deploy",
        numbers: numbers(report, diff),
        facts: facts(report, project),
        errors: report.stopped.iter().map(|why| (String::new(), why.clone())).chain(failed).collect(),
        warnings: report.warnings.clone(),
        notes: notes(report, next),
        files: files(report, diff),
        steps: report.steps.iter().map(step).collect(),
        error_log: report.error_log.clone(),
    }
}

fn numbers(report: &DeployReport, diff: &DeployDiff) -> Vec<(&'static str, String)> {
    let uploaded = of_planned(report.uploaded.len(), report, |letter| letter != 'D');
    let sent = report.uploaded.iter().filter_map(|path| diff.size_after(path)).sum();
    vec![
        ("uploaded", format!("{uploaded}, {}", sized(sent))),
        ("deleted", of_planned(report.deleted.len(), report, |letter| letter == 'D')),
        ("requests of the deploy", report.requests.to_string()),
    ]
}

/// How many files were done, and of how many, unless it were all.
fn of_planned(done: usize, report: &DeployReport, is_meant: impl Fn(char) -> bool) -> String {
    let planned = report.plan.changes().iter().filter(|change| is_meant(change.letter)).count();
    if report.ok || done >= planned { counted(done, "file") } else { format!("{done} of {}", counted(planned, "file")) }
}

/// What was done, and what was planned and not done.
fn files(report: &DeployReport, diff: &DeployDiff) -> Vec<(&'static str, Vec<Change>)> {
    let done = report.changes();
    let mut left = report.plan.changes();
    left.retain(|change| !done.contains(change));
    let list = |changes: &[FileChange<'_>]| changes.iter().map(|change| Change::of(change, diff)).collect();
    let title = match () {
        () if report.dry_run => "What would change",
        () if report.rolled_back => "What changed, and was put back",
        () => "What changed",
    };
    let mut files = vec![(title, list(&diff.listed(done.into_iter())))];
    if !left.is_empty() {
        files.push(("What was planned, and is not known to be done", list(&left)));
    }
    files
}

fn mood(report: &DeployReport, is_interrupted: bool) -> Mood {
    match report.ok {
        true if report.dry_run || report.plan.actions.is_empty() => Mood::Neutral,
        true if !is_interrupted => Mood::Good,
        _ => Mood::Bad,
    }
}

/// Whose account it is, and who deploys.
pub(super) fn account(client: &Client) -> Vec<(&'static str, String)> {
    vec![
        ("account", format!("{} at {}", client.user(), client.host().authority())),
        ("by", format!("{} on {}", user_name(), host_name())),
    ]
}

fn facts(report: &DeployReport, project: &Project) -> Vec<(&'static str, String)> {
    let mut facts = account(&project.client);
    facts.push(("from", project.local_root.display().to_string()));
    facts.push(("to", project.remote_root.to_string()));
    facts.extend(report.commit.as_deref().map(|commit| ("commit", commit_text(commit, report))));
    facts.extend(report.id.clone().map(|id| ("deploy", id)));
    if !report.executor.is_empty() {
        facts.push(("executor", executor_text(report)));
    }
    if !report.reloaded.is_empty() {
        facts.push(("reloaded", report.reloaded.join(", ")));
    }
    facts
}

fn commit_text(commit: &str, report: &DeployReport) -> String {
    let revision = revision_text(Some(commit), report.branch.as_deref(), report.dirty);
    let changed = if report.dirty == Some(true) { ", with changes that are not in it" } else { "" };
    format!("{revision} ({commit}{changed})")
}

fn executor_text(DeployReport { executor, why, .. }: &DeployReport) -> String {
    if why.is_empty() { executor.clone() } else { format!("{executor}: {why}") }
}

fn notes(report: &DeployReport, next: Option<&str>) -> Vec<String> {
    let interrupted = next.map(|_| "A signal ended the deploy; this is how far it came.".to_owned());
    let cost = report.estimate().filter(|_| report.dry_run).map(|way| format!("The deploy would take {}.", way.cost()));
    let rolled_back = report.rolled_back.then(|| "The files are as they were before this deploy.".to_owned());
    let untouched =
        (report.untouched && !report.rolled_back).then(|| "Everything is as it was before this deploy.".to_owned());
    [interrupted, next.map(str::to_owned), cost, rolled_back, untouched].into_iter().flatten().collect()
}

fn step(step: &StepReport) -> Step {
    let end = step.exit_status.map_or("its result is unknown".to_owned(), |status| format!("exit status {status}"));
    Step { name: step.step.clone(), end, is_bad: !step.ok, output: step.output.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_signal_ended_is_no_success() {
        let done = DeployReport { ok: true, ..DeployReport::default() };
        assert_eq!(mood(&done, false), Mood::Neutral, "there was nothing to do");
        let planned = DeployReport { plan: crate::deploy::Plan::default(), ..DeployReport::default() };
        assert_eq!(mood(&planned, true), Mood::Bad);
        let notes = notes(&DeployReport { untouched: true, ..DeployReport::default() }, Some("run it again"));
        assert_eq!(notes[1], "run it again");
        assert_eq!(notes[2], "Everything is as it was before this deploy.");
    }
}
