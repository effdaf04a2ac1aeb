//! The virtualenv, and the folders that the web app works in.

use super::Outcome;
use crate::deploy::make_virtualenv;
use crate::error::{Error, Result};
use crate::launch::context::Launch;
use crate::setting::Setting;

/// Makes it, and lets the web app use it.
pub(in crate::launch) async fn make(launch: &mut Launch<'_>) -> Result<Outcome> {
    let (name, path) = launch.virtualenv.clone();
    let is_used = launch.field("virtualenv_path").trim_end_matches('/') == path;
    let is_known = launch.before().is_some_and(|note| note.virtualenv == path);
    let mut made = false;
    if !(is_used && is_known) {
        let outcome = make_virtualenv(&launch.project, &launch.executors, &name, &launch.python).await;
        made = outcome.map_err(refused)?.created;
    }
    let source = launch.remote_source();
    let mut fields = Vec::new();
    if !is_used {
        fields.push(("virtualenv_path", path.as_str()));
    }
    // A folder that was chosen by somebody stays.
    let home = format!("/home/{}", launch.client.user());
    for name in ["source_directory", "working_directory"] {
        let has = launch.field(name).trim_end_matches('/');
        if has.is_empty() || has == home {
            fields.push((name, source.as_str()));
        }
    }
    if !fields.is_empty() {
        let record = launch.client.update_webapp(&launch.local.domain, &fields).await?;
        launch.survey.web_app = Some(record);
        launch.changes += 1;
    }
    launch.note.virtualenv.clone_from(&path);
    launch.code_changed |= made;
    Ok(match (made, fields.is_empty()) {
        (true, _) => Outcome::done(format!("{path}, Python {}", launch.python)),
        (false, false) => Outcome::done(format!("the web app uses {path}")),
        (false, true) => Outcome::skipped(path),
    })
}

/// With the option that names another one, where one that is there cannot be used.
fn refused(error: Error) -> Error {
    match error {
        Error::Config { message } => Error::config(format!("{message} ({})", Setting::Virtualenv)),
        other => other,
    }
}
