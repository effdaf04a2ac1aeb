//! What became of earlier deploys, as far as the notes in the state folder tell.
//!
//! A deploy that did all it was to do removes its intent. So each intent that is there tells of a deploy that is running,
//! failed or was cut off, and of those that it took over, whose own intents are gone.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::folder::State;
use super::history::{DeployEntry, DeployKind, DeployOutcome, completed, newest};
use super::intent::{Intent, IntentState};

/// How many entries a job carries at most: the agent takes 64 KiB.
const IN_JOB: usize = 8;

impl State {
    /// The history, with what the notes tell at `now`, the service's time.
    pub(crate) fn history(&self, now: Option<SystemTime>) -> Vec<DeployEntry> {
        completed(self.written_history(), &self.told(now))
    }

    /// The history as the manifest has it.
    pub(crate) fn written_history(&self) -> &[DeployEntry] {
        self.manifest.as_ref().map_or(&[], |manifest| &manifest.history)
    }

    /// The ids of the deploys that are under way at `now`.
    pub(crate) fn running(&self, now: Option<SystemTime>) -> BTreeSet<String> {
        let is_running = |intent: &&Intent| intent.standing(now) == IntentState::Running;
        self.intents.iter().filter(is_running).map(|intent| intent.id.clone()).collect()
    }

    /// What the notes tell at `now`, which a manifest need not have yet.
    pub(crate) fn told(&self, now: Option<SystemTime>) -> Vec<DeployEntry> {
        let mut told: Vec<DeployEntry> = self.intents.iter().map(|intent| told_by(intent, now)).collect();
        for intent in &self.intents {
            for entry in intent.history.iter().filter(|entry| entry.id != intent.id) {
                match told.iter_mut().find(|known| known.id == entry.id) {
                    None => told.push(entry.clone()),
                    // Whoever took over knew why it had failed.
                    Some(known) if known.outcome == DeployOutcome::Interrupted => known.clone_from(entry),
                    Some(_) => {}
                }
            }
        }
        let is_lost =
            |entry: &&DeployEntry| entry.outcome == DeployOutcome::Applied && self.unreadable.contains(&entry.id);
        let lost = self.written_history().iter().filter(is_lost).cloned();
        told.extend(lost.map(|entry| DeployEntry { outcome: DeployOutcome::Interrupted, ..entry }));
        told.sort_by_key(|entry| entry.time);
        told
    }
}

/// The entry of the deploy behind an intent.
fn told_by(intent: &Intent, now: Option<SystemTime>) -> DeployEntry {
    let mut entry = intent.entry();
    if matches!(entry.outcome, DeployOutcome::Applied | DeployOutcome::Running) {
        entry.outcome = match intent.standing(now) {
            IntentState::Running => DeployOutcome::Running,
            IntentState::Ended if intent.ended => DeployOutcome::Failed,
            IntentState::Ended => DeployOutcome::Interrupted,
        };
        if entry.outcome == DeployOutcome::Failed && !intent.reload.is_empty() {
            entry.reason.get_or_insert_with(|| "a web app was not reloaded".to_owned());
        }
    }
    entry
}

impl Intent {
    /// What the history says of this deploy. An older version wrote less.
    pub(crate) fn entry(&self) -> DeployEntry {
        let own = self.history.iter().find(|entry| entry.id == self.id);
        own.cloned().unwrap_or_else(|| {
            DeployEntry {
                id: self.id.clone(),
                kind: if self.undoes.is_some() { DeployKind::Rollback } else { DeployKind::Deploy },
                time: self.since,
                who: self.who.clone(),
                host: self.host.clone(),
                commit: None,
                branch: None,
                dirty: None,
                uploaded: 0,
                deleted: 0,
                copied: 0,
                executor: String::new(),
                seconds: None,
                outcome: DeployOutcome::Running,
                reason: None,
                steps: Vec::new(),
                undoes: self.undoes.clone(),
            }
            .bounded()
        })
    }

    /// Notes what the history says of this deploy, as the last entry.
    pub(crate) fn record(&mut self, entry: DeployEntry) {
        self.history.retain(|other| other.id != self.id);
        self.history.push(entry.bounded());
    }

    /// What is noted of this deploy.
    pub(crate) fn own_entry(&mut self) -> Option<&mut DeployEntry> {
        self.history.last_mut().filter(|entry| entry.id == self.id)
    }

    /// The history before this deploy; `written` is that of the manifest before.
    pub(crate) fn history_before(&self, written: &[DeployEntry]) -> Vec<DeployEntry> {
        let told: Vec<DeployEntry> = self.history.iter().filter(|entry| entry.id != self.id).cloned().collect();
        completed(written, &told)
    }

    /// The history for the manifest of this deploy, whose files are in place then.
    pub(crate) fn history_with(&self, written: &[DeployEntry], own: DeployEntry) -> Vec<DeployEntry> {
        let mut history = self.history_before(written);
        history.push(DeployEntry { outcome: DeployOutcome::Applied, ..own });
        newest(history)
    }

    /// What a rollback of `target` adds to the history of the newest manifest, which the runner knows. A job is small.
    pub(crate) fn history_of_rollback(&self, target: &str) -> Vec<DeployEntry> {
        let mut history = self.history.clone();
        history.drain(..history.len().saturating_sub(IN_JOB));
        for entry in &mut history {
            entry.outcome = match entry.outcome {
                _ if entry.id == self.id => DeployOutcome::Applied,
                DeployOutcome::Failed if entry.id == target => DeployOutcome::RolledBack,
                outcome => outcome,
            };
        }
        history
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::RemotePath;
    use crate::deploy::state::intent::Active;
    use crate::deploy::state::manifest::{Files, Manifest};

    fn state(intents: Vec<Intent>, history: Vec<DeployEntry>) -> State {
        let root = RemotePath::parse("/home/u/p").unwrap();
        let manifest = Manifest::new(1, "d", &root, Files::new()).with_history(history);
        State { manifest: Some(manifest), intents, ..State::default() }
    }

    fn outcome(state: &State, id: &str) -> Option<DeployOutcome> {
        state.history(None).iter().find(|entry| entry.id == id).map(|entry| entry.outcome)
    }

    fn intent(ended: bool) -> Intent {
        let mut intent = Intent::new(None);
        intent.ended = ended;
        intent
    }

    #[test]
    fn an_intent_tells_of_its_deploy_also_one_of_an_older_version() {
        let mut failed = intent(true);
        failed.reload.insert("x.y".to_owned());
        let applied = DeployEntry { outcome: DeployOutcome::Applied, uploaded: 3, ..failed.entry() };
        let known = state(vec![failed.clone()], vec![applied]);
        assert_eq!(known.history(None)[0].reason.as_deref(), Some("a web app was not reloaded"));
        assert_eq!(outcome(&known, &failed.id), Some(DeployOutcome::Failed));
        let killed = intent(false);
        assert_eq!(outcome(&state(vec![killed.clone()], Vec::new()), &killed.id), Some(DeployOutcome::Interrupted));
        let active = Active::new(&killed.id);
        assert_eq!(outcome(&state(vec![killed.clone()], Vec::new()), &killed.id), Some(DeployOutcome::Running));
        drop(active);
    }

    #[test]
    fn whoever_took_over_tells_of_deploys_whose_intents_are_gone() {
        let first = intent(true);
        let mut second = intent(false);
        second.history.push(DeployEntry {
            outcome: DeployOutcome::Failed,
            reason: Some("why".into()),
            ..first.entry()
        });
        second.record(second.entry());
        // The manifest claims no outcome of the first one, and nothing is there any more that does but this note.
        let applied = DeployEntry { outcome: DeployOutcome::Applied, ..first.entry() };
        let known = state(vec![second.clone()], vec![applied]);
        assert_eq!(outcome(&known, &first.id), Some(DeployOutcome::Failed));
        assert_eq!(outcome(&known, &second.id), Some(DeployOutcome::Interrupted));
    }

    #[test]
    fn an_intent_that_cannot_be_read_claims_no_success() {
        let entry = DeployEntry { outcome: DeployOutcome::Applied, ..intent(false).entry() };
        let mut known = state(Vec::new(), vec![entry.clone()]);
        assert_eq!(outcome(&known, &entry.id), Some(DeployOutcome::Done));
        known.unreadable.insert(entry.id.clone());
        assert_eq!(outcome(&known, &entry.id), Some(DeployOutcome::Interrupted));
    }
}
