//! The settings as the host has them: whether they can be imported at all, and whether they serve this domain.

use super::{Outcome, requirements};
use crate::deploy::inspect_settings;
use crate::error::{Error, Result};
use crate::host::{InspectResult, is_allowed};
use crate::launch::context::Launch;

/// Imports them, and warns of what would keep visitors from the site.
pub(in crate::launch) async fn inspect(launch: &mut Launch<'_>) -> Result<Outcome> {
    let found = match inspect_settings(&launch.project, &launch.executors, &launch.inspection()).await {
        Err(Error::Job { message }) => {
            let advice = requirements::advice(launch.local, &message);
            return Err(Error::Job { message: message + &advice });
        }
        outcome => outcome?,
    };
    warn_of(launch, &found);
    warn_of_database(launch, &found);
    let django = found.django.clone();
    launch.inspected = Some(found);
    Ok(Outcome::done(format!("Django {django}")))
}

fn warn_of(launch: &Launch<'_>, found: &InspectResult) {
    let (domain, module) = (launch.domain(), &found.settings);
    if found.debug {
        launch.recorder.warn(format!(
            "DEBUG is on in {module}: every error shows its code to visitors. Set DEBUG = False there, and launch again"
        ));
    } else if !is_allowed(domain, found.allowed_hosts.iter().map(String::as_str)) {
        launch.recorder.warn(format!("ALLOWED_HOSTS in {module} lacks {domain:?}: the site will answer with 400"));
    }
    if !found.has_secret_key {
        launch.recorder.warn(format!("{module} has no SECRET_KEY: set one with \"pya env set SECRET_KEY\""));
    }
}

fn warn_of_database(launch: &Launch<'_>, found: &InspectResult) {
    let Some(path) = found.relative_databases.first() else { return };
    let (folder, module) = (launch.field("working_directory"), &found.settings);
    launch.recorder.warn(format!(
        "the SQLite database {path:?} has a relative path, which counts from {folder} in the web app: in another working \
         folder it is another database. Write BASE_DIR / {path:?} in {module}"
    ));
}
