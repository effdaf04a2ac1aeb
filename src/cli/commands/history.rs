//! `pya history`: what was done to the project, deploys and jobs on the host.

use serde_json::json;
use time::OffsetDateTime;

use super::project::{executors, remote};
use crate::cli::args::{ExecutorOptions, History};
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::step_line::wrapped;
use crate::cli::table::{fits, table};
use crate::cli::terminal::shown;
use crate::deploy::HistoryEntry;
use crate::error::Result;
use crate::text::revision_text;

/// Before what belongs to the line above.
const INDENT: &str = "    ";

pub async fn run(args: &History, context: &Context) -> Result<Exit> {
    let entries = entries(args, context).await?;
    let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
    context.output.answer(&text(&rows, context.output.width()), &json!(entries));
    if entries.is_empty() {
        context.output.say("nothing was deployed or run here yet");
    }
    Ok(Exit::Ok)
}

/// What was done, oldest first.
///
/// # Errors
/// As for [`crate::deploy::history`].
pub async fn entries(args: &History, context: &Context) -> Result<Vec<HistoryEntry>> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let lane = executors(&ExecutorOptions::default(), &settings).lane(&project.client);
    keeping_budget(&project.client, crate::deploy::history(&project, lane.as_ref())).await
}

/// A table, or where that is too wide, an entry in a few lines.
fn text(rows: &[Vec<String>], width: Option<usize>) -> String {
    match width.filter(|&width| !fits(rows, width)) {
        None => table(rows, None),
        Some(width) => rows.iter().map(|row| block(row, width)).collect::<Vec<_>>().join("\n"),
    }
}

/// An entry: what names it, and below that the facts that there are.
fn block(row: &[String], width: usize) -> String {
    let facts: Vec<String> =
        row[4..].iter().filter(|fact| !matches!(fact.as_str(), "-" | "")).map(|fact| shown(fact)).collect();
    let head = row[..4].iter().map(|fact| shown(fact)).collect::<Vec<_>>().join(" ");
    format!("{head}\n{}", wrapped(INDENT, &facts.join(", "), Some(width), INDENT.len()))
}

/// Id, time, operation, outcome, who, revision, what was done, executor, duration, and why it failed.
fn row(entry: &HistoryEntry) -> Vec<String> {
    let seconds = entry.seconds.map(|seconds| format!("{seconds} s"));
    let mut cells = [
        entry.id.clone(),
        time_text(entry.time),
        entry.operation.clone(),
        entry.outcome.replace('_', " "),
        who(entry).unwrap_or_default(),
        revision_text(entry.commit.as_deref(), entry.branch.as_deref(), entry.dirty),
        done(entry),
        entry.executor.clone().unwrap_or_default(),
        seconds.unwrap_or_default(),
    ];
    for cell in cells.iter_mut().filter(|cell| cell.is_empty()) {
        "-".clone_into(cell);
    }
    cells.into_iter().chain(entry.uploaded.map(|_| entry.summary.clone())).collect()
}

/// Who did it, on which machine.
pub fn who(entry: &HistoryEntry) -> Option<String> {
    entry.who.as_ref().map(|who| format!("{who}@{}", entry.host.as_deref().unwrap_or_default()))
}

/// What a deploy did to files, or what a job did.
fn done(entry: &HistoryEntry) -> String {
    let Some(uploaded) = entry.uploaded else { return entry.summary.clone() };
    let (put, gone) = if entry.operation == "rollback" { ("restored", "removed") } else { ("uploaded", "deleted") };
    let counts = [(uploaded, put), (entry.copied.unwrap_or(0), "copied"), (entry.deleted.unwrap_or(0), gone)];
    let counts = counts.iter().filter(|(count, what)| *count > 0 || *what == put);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let undoes = entry.undoes.as_ref().map(|id| format!(" (undoes {id})"));
    format!("{}{}", counts.join(", "), undoes.unwrap_or_default())
}

pub fn time_text(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or("?".to_owned(), |time| {
        format!("{} {:02}:{:02}:{:02}", time.date(), time.hour(), time.minute(), time.second())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_narrow_terminal_an_entry_takes_several_lines() {
        let row = ["3f2a", "2026-01-01 00:00:00", "deploy", "done", "ada@laptop", "-", "3 uploaded", "webapp", "3.1 s"];
        let rows = [row.map(str::to_owned).to_vec()];
        assert_eq!(text(&rows, Some(100)).lines().count(), 1);
        assert_eq!(
            text(&rows, Some(38)),
            "3f2a 2026-01-01 00:00:00 deploy done\n    ada@laptop, 3 uploaded, webapp,\n    3.1 s"
        );
    }

    #[test]
    fn a_line_tells_when_what_who_from_which_commit_and_how_it_ended() {
        let text = |text: &str| Some(text.to_owned());
        let deploy = HistoryEntry {
            id: "3f2a".into(),
            operation: "deploy".into(),
            time: 1_767_225_600,
            seconds: Some(3.1),
            outcome: "rolled_back".into(),
            summary: "migrate failed".into(),
            who: text("ada"),
            host: text("laptop"),
            commit: text("0123456789ab"),
            branch: text("main"),
            dirty: Some(true),
            uploaded: Some(3),
            deleted: Some(1),
            copied: Some(0),
            executor: text("webapp"),
            ..HistoryEntry::default()
        };
        assert_eq!(
            row(&deploy).join("|"),
            "3f2a|2026-01-01 00:00:00|deploy|rolled back|ada@laptop|0123456* main|3 uploaded, 1 deleted|webapp|3.1 s|\
             migrate failed"
        );
        let rollback = HistoryEntry { operation: "rollback".into(), undoes: text("3f2a"), commit: None, ..deploy };
        assert_eq!(row(&rollback)[5..7], ["main", "3 restored, 1 removed (undoes 3f2a)"]);
        let job =
            HistoryEntry { operation: "manage".into(), summary: "manage.py check".into(), ..HistoryEntry::default() };
        assert_eq!(row(&job)[4..].join("|"), "-|-|manage.py check|-|-");
    }
}
