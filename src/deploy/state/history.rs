//! The history: what deploys did, as the manifest tells it, oldest first.
//!
//! # How an entry becomes true
//! A manifest is written once the files are in place, before commands, reload and health check, and no request more is
//! made for the history. So a deploy writes its own entry as [`DeployOutcome::Applied`], which claims no success, and whoever
//! reads the history next knows the rest ([`super::outcome`]): an intent goes only at the end of a deploy that did all it
//! was to do, and a deploy that failed, or was cut off, leaves its own. The next deploy reads both anyway, and its manifest
//! has the earlier entry with its outcome. What it learns from intents that it removes is in its own intent until then.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::text::{cut, without_passwords};

/// How many deploys a manifest tells of.
pub const KEPT: usize = 50;

/// The longest name (of a user, a machine, a branch) and the longest reason, in characters.
const NAME: usize = 100;
const REASON: usize = 200;

/// More commands than a deploy runs.
const STEPS: usize = 10;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployKind {
    /// The files of a work tree went to the host.
    #[default]
    Deploy,
    /// The files that a deploy had replaced came back.
    Rollback,
}

/// What became of a deploy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeployOutcome {
    /// Its files are in place, and the rest was still to be done when this was written.
    Applied,
    /// It is at work.
    Running,
    /// It did all it was to do.
    Done,
    /// It ended in an error.
    Failed,
    /// It was cut off, or another deploy took over: its end was not told.
    Interrupted,
    /// It failed, and the old files were put back.
    RolledBack,
}

impl DeployOutcome {
    /// Its name, as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
            Self::RolledBack => "rolled_back",
        }
    }
}

/// A command that a deploy was to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOutcome {
    /// Its name, such as `migrate`.
    pub step: String,
    /// Whether it ended with 0; `None` if that is not known, or if it did not run.
    #[serde(default)]
    pub ok: Option<bool>,
}

/// One deploy. Fields of later versions are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployEntry {
    /// Of the deploy.
    pub id: String,
    /// What was done.
    #[serde(default)]
    pub kind: DeployKind,
    /// When it began, in seconds since 1970 by the service's clock.
    pub time: u64,
    /// The user who deployed, on the machine where they did.
    #[serde(default)]
    pub who: String,
    /// That machine.
    #[serde(default)]
    pub host: String,
    /// The commit that the work tree was at, if git knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch; `None` if the work tree was at none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether what was deployed is not all in that commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dirty: Option<bool>,
    /// How many files were put there.
    #[serde(default)]
    pub uploaded: u64,
    /// How many files went.
    #[serde(default)]
    pub deleted: u64,
    /// How many files were copied on the host, as it had their content.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub copied: u64,
    /// What put the files in place; `none` for one request per file.
    #[serde(default)]
    pub executor: String,
    /// How long it took until the files were in place, or until it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What became of it.
    pub outcome: DeployOutcome,
    /// Why it failed; human-readable, one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The commands that it was to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepOutcome>,
    /// The deploy that a rollback undid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl DeployEntry {
    /// The same with texts of limited length: all entries are part of each manifest, and of some jobs.
    #[must_use]
    pub(crate) fn bounded(mut self) -> Self {
        let names = [&mut self.id, &mut self.who, &mut self.host, &mut self.executor];
        let others = [&mut self.commit, &mut self.branch, &mut self.undoes].into_iter().flatten();
        for name in names.into_iter().chain(others).chain(self.steps.iter_mut().map(|step| &mut step.step)) {
            shorten(name, NAME);
        }
        if let Some(reason) = &mut self.reason {
            let line = without_passwords(reason.trim().lines().next().unwrap_or_default());
            *reason = cut(&line, REASON).into_owned();
        }
        self.steps.truncate(STEPS);
        self
    }

    /// Takes over what is known of a deploy whose files are in place.
    fn settle(&mut self, told: &Self) {
        let is_told_whole = !matches!(told.outcome, DeployOutcome::Running | DeployOutcome::Interrupted);
        if is_told_whole {
            *self = Self { seconds: told.seconds.or(self.seconds), ..told.clone() };
        } else {
            // Its note is older than the manifest.
            self.outcome = told.outcome;
            self.reason.clone_from(&told.reason);
        }
    }

    /// Notes that it did all it was to do.
    fn end_well(&mut self) {
        self.outcome = DeployOutcome::Done;
        self.steps.iter_mut().for_each(|step| step.ok = Some(true));
    }
}

fn shorten(text: &mut String, length: usize) {
    if text.len() > length {
        *text = cut(text, length).into_owned();
    }
}

/// Reads entries as far as they are such: what is damaged in a history must not make a manifest unreadable.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<DeployEntry>, D::Error> {
    let Value::Array(entries) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    let known = entries.into_iter().filter_map(|entry| serde_json::from_value::<DeployEntry>(entry).ok());
    Ok(newest(known.filter(|entry| !entry.id.is_empty()).map(DeployEntry::bounded).collect()))
}

/// What a manifest says of the deploys before it, with what `told` adds, oldest first: an entry that claims no outcome and
/// of which nothing is told did end well.
pub(crate) fn completed(written: &[DeployEntry], told: &[DeployEntry]) -> Vec<DeployEntry> {
    let mut entries = written.to_vec();
    for news in told {
        match entries.iter_mut().find(|entry| entry.id == news.id) {
            None => entries.push(news.clone()),
            Some(entry) if entry.outcome == DeployOutcome::Applied => entry.settle(news),
            Some(_) => {}
        }
    }
    entries.iter_mut().filter(|entry| entry.outcome == DeployOutcome::Applied).for_each(DeployEntry::end_well);
    // What is written keeps its order: the clocks of those who deployed may differ.
    let mut latest = 0;
    let key = |(number, entry): (usize, DeployEntry)| {
        latest = if number < written.len() { entry.time.max(latest) } else { latest };
        (if number < written.len() { latest } else { entry.time }, entry)
    };
    let mut entries: Vec<(u64, DeployEntry)> = entries.into_iter().enumerate().map(key).collect();
    entries.sort_by_key(|(time, _)| *time);
    newest(entries.into_iter().map(|(_, entry)| entry).collect())
}

/// The last entries, as many as are kept.
pub(crate) fn newest(mut entries: Vec<DeployEntry>) -> Vec<DeployEntry> {
    entries.drain(..entries.len().saturating_sub(KEPT));
    entries
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(id: &str, outcome: DeployOutcome) -> DeployEntry {
        let value = json!({"id": id, "time": 5, "uploaded": 3, "outcome": outcome, "steps": [{"step": "migrate"}]});
        serde_json::from_value(value).unwrap()
    }

    fn outcomes(entries: &[DeployEntry]) -> Vec<(&str, DeployOutcome)> {
        entries.iter().map(|entry| (entry.id.as_str(), entry.outcome)).collect()
    }

    #[test]
    fn what_is_damaged_is_left_out_and_fields_of_later_versions_are_ignored() {
        let good = json!({"id": "a", "time": 5, "outcome": "done", "new": {"x": [1]}});
        let strange = [
            json!(null),
            json!("a"),
            json!({}),
            json!({"id": "", "time": 5, "outcome": "done"}),
            json!({"id": "b", "time": -1, "outcome": "done"}),
            json!({"id": "b", "time": 5, "outcome": "splendid"}),
            json!({"id": "b", "time": 5, "outcome": "done", "steps": 7}),
        ];
        for bad in &strange {
            assert_eq!(outcomes(&read(json!([bad, good])).unwrap()), [("a", DeployOutcome::Done)], "{bad}");
        }
        for history in [json!(null), json!({}), json!("a"), json!(5)] {
            assert_eq!(read(history).unwrap(), []);
        }
    }

    #[test]
    fn texts_are_cut_and_the_oldest_entries_dropped() {
        let many: Vec<Value> = (0..60)
            .map(|number| {
                json!({"id": format!("{number}"), "time": number, "outcome": "failed", "branch": "ü".repeat(900),
                    "reason": format!("to postgres://me:s3cret@db/x: {}\nmore", "x".repeat(900)),
                    "steps": vec![json!({"step": "migrate"}); 99]})
            })
            .collect();
        let entries = read(json!(many)).unwrap();
        assert_eq!((entries.len(), entries[0].id.as_str()), (50, "10"));
        let last = entries.last().unwrap();
        assert_eq!(last.branch.as_ref().unwrap().chars().count(), 100);
        let reason = last.reason.as_ref().unwrap();
        assert!(reason.starts_with("to postgres://me:***@db/x: xxx") && reason.chars().count() == 200, "{reason}");
        assert_eq!(last.steps.len(), 10);
        assert!(serde_json::to_vec(last).unwrap().len() < 2048);
    }

    #[test]
    fn success_is_claimed_only_where_no_note_was_left() {
        let written =
            [entry("a", DeployOutcome::Done), entry("b", DeployOutcome::Applied), entry("c", DeployOutcome::Applied)];
        let failed = DeployEntry { reason: Some("why".into()), uploaded: 2, ..entry("c", DeployOutcome::Failed) };
        let all =
            completed(&written, &[failed, entry("a", DeployOutcome::Failed), entry("d", DeployOutcome::Interrupted)]);
        let expected = [
            ("a", DeployOutcome::Done),
            ("b", DeployOutcome::Done),
            ("c", DeployOutcome::Failed),
            ("d", DeployOutcome::Interrupted),
        ];
        assert_eq!(outcomes(&all), expected);
        assert_eq!((all[1].steps[0].ok, all[2].steps[0].ok), (Some(true), None));
        assert_eq!((all[2].reason.as_deref(), all[2].uploaded), (Some("why"), 2));
        // One that was cut off after its manifest: that knows more than its note.
        let told = DeployEntry { uploaded: 0, ..entry("b", DeployOutcome::Interrupted) };
        let all = completed(&written[1..2], &[told]);
        assert_eq!((all[0].outcome, all[0].uploaded), (DeployOutcome::Interrupted, 3));
    }
}
