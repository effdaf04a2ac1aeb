//! What the history will say of this deploy ([`crate::deploy::state::history`]).

use std::collections::BTreeSet;

use super::context::Run;
use crate::deploy::remote::Remote;
use crate::deploy::state::history::{DeployEntry, DeployOutcome, StepOutcome};
use crate::deploy::state::intent::Intent;
use crate::deploy::state::lease::Lease;

impl<R: Remote> Run<'_, R> {
    /// Notes in our intent how this deploy begins, and what the intents tell that it takes over.
    pub(super) fn record(&self, intent: &mut Intent) {
        // Without force a running one is not taken over, and tells of itself when it ends.
        let told = self.base.told.iter().filter(|told| self.options.force || told.outcome != DeployOutcome::Running);
        intent.history = told.cloned().map(|told| if is_running(&told) { taken_over(told) } else { told }).collect();
        let revision = self.revision.as_ref();
        let steps = self.options.steps.names().map(|step| StepOutcome { step: step.to_owned(), ok: None });
        intent.record(DeployEntry {
            commit: revision.and_then(|revision| revision.commit.clone()),
            branch: revision.and_then(|revision| revision.branch.clone()),
            dirty: revision.map(|revision| revision.dirty),
            executor: self.strategy.name().to_owned(),
            steps: steps.collect(),
            ..intent.entry()
        });
    }

    /// The history for the manifest of this deploy. `seconds` are those until the files are in place, if that is now.
    pub(super) fn history(&self, intent: &Intent, seconds: Option<f64>) -> Vec<DeployEntry> {
        let deleted: usize = self.work.deletes.values().map(Vec::len).sum();
        let uploaded = self.work.uploads.len() as u64;
        let seconds = seconds.map(in_tenths);
        intent.history_with(
            &self.base.history,
            DeployEntry { uploaded, deleted: deleted as u64, seconds, ..intent.entry() },
        )
    }

    /// Notes in our intent how this deploy ended, for whoever reads it there.
    pub(super) fn settle(&self, lease: &Lease<R>, outcome: DeployOutcome) {
        let report = self.recorder.report();
        let going: BTreeSet<&String> = self.work.deletes.values().flatten().collect();
        let mut intent = lease.intent();
        let mut entry = intent.entry();
        for step in &mut entry.steps {
            let ran = report.steps.iter().find(|ran| ran.step == step.step);
            step.ok = ran.and_then(|ran| ran.exit_status.map(|_| ran.ok));
        }
        intent.record(DeployEntry {
            uploaded: report.uploaded.len() as u64,
            deleted: report.deleted.iter().filter(|path| going.contains(path)).count() as u64,
            seconds: Some(in_tenths(report.seconds)),
            outcome,
            reason: report.error_message(),
            ..entry
        });
    }
}

fn is_running(entry: &DeployEntry) -> bool {
    entry.outcome == DeployOutcome::Running
}

fn taken_over(entry: DeployEntry) -> DeployEntry {
    let reason = Some("another deploy took over by force".to_owned());
    DeployEntry { outcome: DeployOutcome::Interrupted, reason, ..entry }
}

fn in_tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}
