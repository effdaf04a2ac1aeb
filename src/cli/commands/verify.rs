//! `pya verify`: are the files on the host those that were deployed, and the same as the local ones?

use serde_json::json;

use super::project::{Prepared, executors};
use crate::cli::args::Verify;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::github;
use crate::cli::terminal::shown;
use crate::deploy::Drift;
use crate::error::Result;
use crate::text::{counted, some_of};

pub async fn run(args: &Verify, context: &Context) -> Result<Exit> {
    let drift = drift(args, context).await?;
    let lines = marked(&drift);
    for (path, reason) in &drift.unreadable {
        context.output.failure(&format!("{}: {reason}", shown(path)));
    }
    context.output.answer(&lines.join("\n"), &json!(drift));
    let found = format!("{} on the host: {}", counted(drift.files, "file"), in_words(&drift));
    context.output.warn_of_failure(github::summarise_files(&format!("Verify: {found}"), &lines));
    context.output.say(&found);
    Ok(if drift.is_clean() { Exit::Ok } else { Exit::Failed })
}

/// A line for each path that differs, after a mark that says how.
fn marked(drift: &Drift) -> Vec<String> {
    let lists = [
        ("M", &drift.changed),
        ("D", &drift.missing),
        ("?", &drift.unmanaged),
        ("L", &drift.differs),
        ("A", &drift.not_deployed),
    ];
    let lines = lists.iter().flat_map(|(mark, paths)| paths.iter().map(move |path| format!("{mark} {}", shown(path))));
    lines.collect()
}

fn in_words(drift: &Drift) -> String {
    let counts = [
        (drift.changed.len(), "changed on the host (M)"),
        (drift.missing.len(), "missing on the host (D)"),
        (drift.unmanaged.len(), "unmanaged (?)"),
        (drift.differs.len(), "different from the local file (L)"),
        (drift.not_deployed.len(), "only local (A)"),
        (drift.unreadable.len(), "unreadable"),
    ];
    let words = some_of(&counts);
    if words.is_empty() { "everything as deployed".to_owned() } else { words }
}

/// How the host differs.
///
/// # Errors
/// As for [`crate::deploy::verify`].
pub async fn drift(args: &Verify, context: &Context) -> Result<Drift> {
    let prepared = Prepared::new(&args.select, context)?;
    let executors = executors(&args.executors, &prepared.settings);
    let verify = crate::deploy::verify(&prepared.project, &executors, Some(&prepared.select));
    keeping_budget(&prepared.project.client, verify).await
}
