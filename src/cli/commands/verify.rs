//! `pya verify`: are the files on the host those that were deployed, and the same as the local ones?

use serde_json::json;

use super::project::{Prepared, executors};
use crate::cli::args::Verify;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::github;
use crate::cli::terminal::shown;
use crate::deploy::Drift;
use crate::error::Result;
use crate::text::counted;

pub async fn run(args: &Verify, context: &Context) -> Result<Exit> {
    let drift = drift(args, context).await?;
    let lists = [
        ("M", &drift.changed),
        ("D", &drift.missing),
        ("?", &drift.unmanaged),
        ("L", &drift.differs),
        ("A", &drift.not_deployed),
    ];
    let lines = lists.iter().flat_map(|(mark, paths)| paths.iter().map(move |path| format!("{mark} {}", shown(path))));
    let lines: Vec<String> = lines.collect();
    for (path, reason) in &drift.unreadable {
        context.output.failure(&format!("{}: {reason}", shown(path)));
    }
    context.output.answer(&lines.join("\n"), &json!(drift));
    let words = [
        (drift.changed.len(), "changed on the host (M)"),
        (drift.missing.len(), "missing on the host (D)"),
        (drift.unmanaged.len(), "unmanaged (?)"),
        (drift.differs.len(), "different from the local file (L)"),
        (drift.not_deployed.len(), "only local (A)"),
        (drift.unreadable.len(), "unreadable"),
    ];
    let words: Vec<String> =
        words.iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
    let words = if words.is_empty() { "everything as deployed".to_owned() } else { words.join(", ") };
    let found = format!("{} on the host: {words}", counted(drift.files, "file"));
    if let Err(reason) = github::summarise_files(&format!("Verify: {found}"), &lines) {
        context.output.warn(&reason);
    }
    context.output.say(&found);
    Ok(if drift.is_clean() { Exit::Ok } else { Exit::Failed })
}

/// How the host differs.
///
/// # Errors
/// As for [`crate::deploy::verify`].
pub async fn drift(args: &Verify, context: &Context) -> Result<Drift> {
    let prepared = Prepared::new(&args.select, context)?;
    let executors = executors(&args.executors, &prepared.settings);
    let drift = crate::deploy::verify(&prepared.project, &executors, Some(&prepared.select)).await;
    prepared.project.client.persist_budget();
    drift
}
