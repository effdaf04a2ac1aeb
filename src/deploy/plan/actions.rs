//! The plan: what a deploy will do, in order, what it costs in requests, and how long the rate limit makes that take.
//!
//! Made by a pure function of a diff and options, so that a dry run shows exactly what the real run does. A plan without
//! actions sends nothing.

use std::fmt;

use serde::Serialize;

use crate::deploy::diff::model::FileChange;
use crate::text::counted;

/// One step of a plan. Each but a copy is one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the fields say it")]
pub enum Action {
    /// Announce what is about to change.
    WriteIntent,
    /// See whether somebody else works, and whether the diff still holds.
    ListState,
    /// See whether the intent of a running deploy, which is taken over by force, still names the same files.
    ReadLeftover { id: String },
    /// Look at a folder just before something in it is deleted.
    List { folder: String },
    /// Delete a file.
    Delete { path: String },
    /// Delete a folder that a listing showed empty.
    DeleteFolder { path: String },
    /// Upload a file.
    Upload { path: String, size: u64, replaces: bool },
    /// Copy a file on the host, as part of a bundle: no request of its own.
    Copy { path: String, from: String, size: u64, replaces: bool },
    /// Note on the host what was uploaded so far.
    Checkpoint,
    /// Write what is ours now.
    WriteManifest { generation: u64 },
    /// Reload a web app.
    Reload { domain: String },
    /// See whether the folder of a deploy that was cut off holds the only copy of something.
    ListWork { id: String },
    /// Delete that folder if it does not.
    RemoveWork { id: String },
    /// Delete a manifest that was replaced.
    RemoveManifest { generation: u64 },
    /// Delete the intent of an interrupted deploy: what it left to do is in our own.
    RemoveLeftover { id: String },
    /// Delete our own note.
    RemoveIntent,
}

impl Action {
    /// Whether it is about deploys that were cut off.
    pub(crate) fn is_about_leftovers(&self) -> bool {
        use Action::{ListWork, ReadLeftover, RemoveLeftover, RemoveWork};
        matches!(self, ReadLeftover { .. } | RemoveLeftover { .. } | ListWork { .. } | RemoveWork { .. })
    }
}

/// What a deploy does, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The steps.
    pub actions: Vec<Action>,
    /// What they cost, retries aside.
    pub requests: usize,
    /// How long the rate limit makes them take, at least, in seconds.
    pub seconds: f64,
    /// Bytes to upload.
    pub bytes: u64,
}

impl Plan {
    /// The files that change, with their letters: `A` for a new one, `C` for a new one that is copied on the host, `M` for
    /// one that replaces another, `D` for one that goes.
    #[must_use]
    pub fn changes(&self) -> Vec<FileChange<'_>> {
        let change = |action| match action {
            &Action::Upload { ref path, replaces, .. } => Some(FileChange::new(path, if replaces { 'M' } else { 'A' })),
            Action::Copy { path, replaces: true, .. } => Some(FileChange::new(path, 'M')),
            Action::Copy { path, from, .. } => Some(FileChange { path, letter: 'C', from: Some(from) }),
            Action::Delete { path } => Some(FileChange::new(path, 'D')),
            _ => None,
        };
        self.actions.iter().filter_map(change).collect()
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "actions": self.actions,
            "requests": self.requests,
            "seconds": self.seconds,
            "bytes": self.bytes,
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", counted(self.requests, "request"))?;
        if self.seconds >= 60.0 {
            write!(f, ", about {:.0} min at the rate limit", (self.seconds / 60.0).ceil())?;
        }
        Ok(())
    }
}
