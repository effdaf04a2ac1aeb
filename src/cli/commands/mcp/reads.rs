//! The tools that only read: what the commands of the same names do, in documents that are short enough for a model.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::Answer;
use super::arguments::{Nothing, OfCat, OfLogs, OfLs};
use super::secrets;
use super::untrusted::Veil;
use crate::cli::args::{self, Diff, Verify};
use crate::cli::budget::keeping_budget;
use crate::cli::commands::diff::{Comparison, compare};
use crate::cli::commands::project::remote;
use crate::cli::commands::{doctor as doctor_command, history as history_command, logs as logs_command};
use crate::cli::commands::{ls as ls_command, status as status_command, verify as verify_command};
use crate::cli::context::Context;
use crate::cli::settings::Settings;
use crate::client::RemotePath;
use crate::deploy::Forecast;
use crate::error::{ErrorKind, Result};

/// The longest list that is shown, and the longest map.
const MOST_ENTRIES: usize = 500;

/// How many things that were done are shown.
const MOST_HISTORY: usize = 20;

/// The longest text of the account that is shown, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// So much more is read of a file than is shown, for the end of a secret that is cut: half of one is not recognised.
const MARGIN: usize = 4 << 10;

/// The longest log that is read, since the service only has whole files.
const LONGEST_LOG: usize = 32 << 20;

pub async fn status(Nothing {}: Nothing, context: &Context) -> Result<Answer> {
    let (_, document) = status_command::look(&args::Status::default(), context).await?;
    Ok(Answer::Document(document))
}

pub async fn diff(Nothing {}: Nothing, context: &Context) -> Result<Answer> {
    let Comparison { diff, forecast, .. } = compare(&Diff::default(), context).await?;
    let refused = refusal(forecast)?;
    let mut cut = Cut::default();
    Ok(Answer::Document(json!({
        "added": cut.list(&diff.added),
        "changed": cut.list(&diff.changed),
        "removed": cut.list(&diff.removed),
        "renamed": cut.map(&diff.renamed),
        "unchanged": diff.unchanged.len(),
        "unmanaged": cut.list(&diff.unmanaged),
        "protected": cut.list(&diff.protected),
        "skipped": cut.map(&diff.skipped),
        "refused": refused,
        "warnings": diff.warnings,
        "cut": cut.entries,
    })))
}

/// Why a deploy would be refused, if it would.
fn refusal(forecast: Result<Forecast>) -> Result<Option<String>> {
    match forecast {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Config => Ok(Some(error.chain())),
        Err(error) => Err(error),
    }
}

pub async fn forecast(Nothing {}: Nothing, context: &Context) -> Result<Answer> {
    let forecast = compare(&Diff::default(), context).await?.forecast?;
    let mut document = cost(&forecast);
    document["changes"] = json!(forecast.plan.changes().len());
    document["estimates"] = json!(forecast.estimates);
    document["rollback_bytes"] = json!(forecast.rollback_bytes);
    document["warnings"] = json!(forecast.warnings);
    Ok(Answer::Document(document))
}

/// What a deploy costs by the way that it would take.
pub fn cost(forecast: &Forecast) -> Value {
    let way = forecast.estimate();
    json!({
        "executor": forecast.executor,
        "why": forecast.why,
        "requests": way.map_or(0, |way| way.requests),
        "seconds": way.map_or(0.0, |way| way.seconds),
        "bytes": forecast.plan.bytes,
    })
}

pub async fn verify(Nothing {}: Nothing, context: &Context) -> Result<Answer> {
    let drift = verify_command::drift(&Verify::default(), context).await?;
    let mut cut = Cut::default();
    Ok(Answer::Document(json!({
        "clean": drift.is_clean(),
        "files": drift.files,
        "changed": cut.list(&drift.changed),
        "missing": cut.list(&drift.missing),
        "unmanaged": cut.list(&drift.unmanaged),
        "not_deployed": cut.list(&drift.not_deployed),
        "differs": cut.list(&drift.differs),
        "unreadable": cut.map(&drift.unreadable),
        "cut": cut.entries,
    })))
}

pub async fn history(Nothing {}: Nothing, context: &Context) -> Result<Answer> {
    let entries = history_command::entries(&args::History::default(), context).await?;
    let cut = entries.len().saturating_sub(MOST_HISTORY);
    Ok(Answer::Document(json!({ "entries": entries[cut..], "cut": cut })))
}

pub async fn doctor(Nothing {}: Nothing, context: &Context) -> Result<Answer> {
    let diagnosis = doctor_command::diagnose(&args::Doctor::default(), false, context).await?;
    Ok(Answer::Document(diagnosis.document()))
}

pub async fn logs(wanted: OfLogs, context: &Context, veil: &Veil) -> Result<Answer> {
    let settings = context.settings()?;
    let (client, domain) = (settings.client()?, wanted.domain.as_deref());
    let most = Some(LONGEST_LOG);
    let (place, log) = logs_command::fetch(&client, &settings.table.domains(), domain, wanted.kind(), most).await?;
    let text = String::from_utf8_lossy(&log);
    let lines = veil.over(logs_command::last_lines(&text, wanted.lines()));
    let shown = end_of(&lines, MOST_BYTES);
    let is_cut = shown.len() < lines.len();
    Ok(Answer::Text { about: json!({ "log": place.as_str(), "is_cut": is_cut }), text: shown.to_owned() })
}

pub async fn ls(wanted: OfLs, context: &Context) -> Result<Answer> {
    let client = context.settings()?.client()?;
    let path = ls_command::folder(wanted.path.as_deref(), client.user())?;
    let entries = keeping_budget(&client, ls_command::entries(&client, &path)).await?;
    Ok(Answer::Document(listing(&path, &entries)))
}

/// The entries of a folder, with the number of those that are too many to be shown.
fn listing(path: &RemotePath, entries: &[(String, bool)]) -> Value {
    let shown: Vec<Value> = entries.iter().take(MOST_ENTRIES).map(ls_command::document).collect();
    json!({ "path": path.as_str(), "entries": shown, "cut": entries.len() - shown.len() })
}

pub async fn cat(wanted: OfCat, context: &Context, veil: &Veil) -> Result<Answer> {
    let settings = context.settings()?;
    let client = settings.client()?;
    let path = RemotePath::in_account(&wanted.path, client.user())?;
    if let Some(reason) = rules(&settings, context)?.refuse_path(&path, &RemotePath::home(client.user())?) {
        return Ok(Answer::Refusal(format!("{path} is not shown: {reason}")));
    }
    let head = keeping_budget(&client, client.read_head(&path, MOST_BYTES + MARGIN)).await?;
    let is_part = head.len() >= MOST_BYTES + MARGIN;
    let Some(text) = text_of(&head, is_part) else {
        return Ok(Answer::Refusal(format!("{path} is not shown: it is not text")));
    };
    if let Some(reason) = secrets::refuse_content(&path, text) {
        return Ok(Answer::Refusal(format!("{path} is not shown: {reason}")));
    }
    let text = veil.over(text);
    let shown = beginning_of(&text, MOST_BYTES);
    let is_cut = is_part || shown.len() < text.len();
    Ok(Answer::Text { about: json!({ "path": path.as_str(), "is_cut": is_cut }), text: shown.to_owned() })
}

/// Which files are refused here.
fn rules(settings: &Settings<'_>, context: &Context) -> Result<secrets::Rules> {
    let project = if settings.has_project() { Some(remote(None, context)?.1.remote_root) } else { None };
    secrets::Rules::new(settings.table.protected.as_deref(), project.as_ref())
}

/// The bytes as text, if they are. Of one that was cut, the last character may be incomplete.
fn text_of(bytes: &[u8], is_cut: bool) -> Option<&str> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) if is_cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    (!text.contains('\0')).then_some(text)
}

/// The beginning of a text, of at most so many bytes.
fn beginning_of(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most)).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or_default()]
}

/// The end of a text, of at most so many bytes.
fn end_of(text: &str, most: usize) -> &str {
    let start = (text.len().saturating_sub(most)..text.len()).find(|&start| text.is_char_boundary(start));
    &text[start.unwrap_or(text.len())..]
}

/// Lists that are shown in part, and how many of their entries are not.
#[derive(Default)]
pub struct Cut {
    pub entries: usize,
}

impl Cut {
    /// The beginning of a list.
    pub fn list<'a>(&mut self, list: &'a [String]) -> &'a [String] {
        let shown = list.len().min(MOST_ENTRIES);
        self.entries += list.len() - shown;
        &list[..shown]
    }

    fn map<'a>(&mut self, map: &'a BTreeMap<String, String>) -> BTreeMap<&'a String, &'a String> {
        self.entries += map.len().saturating_sub(MOST_ENTRIES);
        map.iter().take(MOST_ENTRIES).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_shown_whole_or_not_at_all() {
        let bytes = "aü".as_bytes();
        assert_eq!((text_of(bytes, false), text_of(&bytes[..2], true)), (Some("aü"), Some("a")));
        assert_eq!(
            (text_of(&bytes[..2], false), text_of(b"a\xff b", true), text_of(b"a\0b", false)),
            (None, None, None)
        );
        assert_eq!((end_of("xüy", 2), end_of("xüy", 3), end_of("x", 9)), ("y", "üy", "x"));
        assert_eq!((beginning_of("xüy", 2), beginning_of("xüy", 3), beginning_of("x", 9)), ("x", "xü", "x"));
    }

    #[test]
    fn what_is_left_out_of_long_lists_is_counted() {
        let list: Vec<String> = (0..MOST_ENTRIES + 3).map(|number| number.to_string()).collect();
        let mut cut = Cut::default();
        assert_eq!((cut.list(&list).len(), cut.list(&list[..2]).len(), cut.entries), (MOST_ENTRIES, 2, 3));
    }
}
