//! The virtualenv, and the folders that the web app works in.

use super::Outcome;
use crate::deploy::make_virtualenv;
use crate::error::{Error, Result};
use crate::launch::context::Launch;
use crate::setting::Setting;

/// Makes it, and lets the web app use it.
pub(in crate::launch) async fn make(launch: &mut Launch<'_>) -> Result<Outcome> {
    let path = launch.virtualenv.1.clone();
    let is_used = launch.field("virtualenv_path").trim_end_matches('/') == path;
    let is_known = launch.before().is_some_and(|note| note.virtualenv == path);
    let made = !(is_used && is_known) && make_named(launch).await?;
    let is_changed = set_fields(launch, is_used).await?;
    launch.note.virtualenv.clone_from(&path);
    launch.code_changed |= made;
    Ok(match (made, is_changed) {
        (true, _) => Outcome::done(format!("{path}, Python {}", launch.python)),
        (false, true) => Outcome::done(format!("the web app uses {path}")),
        (false, false) => Outcome::skipped(path),
    })
}

/// Sets the fields of the web app that are not as they are to be; whether there were any.
async fn set_fields(launch: &mut Launch<'_>, is_used: bool) -> Result<bool> {
    let source = launch.remote_source();
    let mut fields = Vec::new();
    if !is_used {
        fields.push(("virtualenv_path", launch.virtualenv.1.as_str()));
    }
    // A folder that was chosen by somebody stays.
    let home = format!("/home/{}", launch.client.user());
    for name in ["source_directory", "working_directory"] {
        let has = launch.field(name).trim_end_matches('/');
        if has.is_empty() || has == home {
            fields.push((name, source.as_str()));
        }
    }
    if fields.is_empty() {
        return Ok(false);
    }
    launch.survey.web_app = Some(launch.client.update_webapp(&launch.local.domain, &fields).await?);
    launch.changes += 1;
    Ok(true)
}

/// Makes the one of that name, unless it is there; whether it was made now.
pub(in crate::launch) async fn make_named(launch: &Launch<'_>) -> Result<bool> {
    let name = &launch.virtualenv.0;
    let made = make_virtualenv(&launch.project, &launch.executors, name, &launch.python).await;
    Ok(made.map_err(|error| refused(error, name))?.created)
}

/// With the option that names another one, where one that is there cannot be used. Only the text of the program on the host
/// tells that from a version of Python that is not there.
fn refused(error: Error, name: &str) -> Error {
    match error {
        Error::Config { message } if message.contains(&format!("~/.virtualenvs/{name} ")) => {
            Error::config(format!("{message} ({})", Setting::Virtualenv))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_named_for_a_folder_that_cannot_be_used_only() {
        let said = |text: &str| refused(Error::config(text), "site").to_string();
        assert!(said("~/.virtualenvs/site is of Python 3.5: remove it").ends_with("remove it (virtualenv=)"));
        assert_eq!(said("there is no Python 3.14 here"), "there is no Python 3.14 here");
    }
}
