//! The report of a rollback.

use super::deploy::account;
use super::page::{Mood, Page};
use crate::deploy::{Project, RollbackReport};
use crate::text::counted;

/// A rollback that was done, perhaps in part.
#[must_use]
pub fn rollback_page(report: &RollbackReport, project: &Project) -> Page {
    let is_whole = report.warnings.is_empty() && report.not_deleted.is_empty();
    Page {
        title: if is_whole { "Rolled back" } else { "Rolled back in part" }.to_owned(),
        mood: if is_whole { Mood::Good } else { Mood::Bad },
        command: "pya rollback",
        numbers: vec![
            ("restored", counted(usize::try_from(report.written).unwrap_or(usize::MAX), "file")),
            ("removed", counted(report.deleted.len(), "file")),
        ],
        facts: facts(report, project),
        errors: report.not_deleted.iter().map(|(path, why)| (path.clone(), why.clone())).collect(),
        warnings: report.warnings.clone(),
        notes: notes(report),
        ..Page::default()
    }
}

fn facts(report: &RollbackReport, project: &Project) -> Vec<(&'static str, String)> {
    let mut facts = account(&project.client);
    facts.extend([("undone", report.deploy.clone()), ("in", project.remote_root.to_string())]);
    facts.push(("reloaded", report.reloaded.join(", ")));
    facts.push(("removed", report.deleted.join(", ")));
    facts.retain(|(_, value)| !value.is_empty());
    facts
}

fn notes(report: &RollbackReport) -> Vec<String> {
    let mut notes = vec!["Databases are unchanged: a rollback restores only files.".to_owned()];
    if !report.migrations.is_empty() {
        notes.push(format!("These migrations ran and are not undone: {}", report.migrations.join(", ")));
    }
    if !report.kept_for_rollback {
        notes.push("The disk had no room to keep the replaced files, so this rollback cannot be undone.".to_owned());
    }
    notes
}
