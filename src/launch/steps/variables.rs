//! The variables of the web app: those of the environment file, and a secret key where the settings read one.

use std::collections::{BTreeMap, BTreeSet};

use super::Outcome;
use crate::deploy::variables;
use crate::digest::sha256;
use crate::error::Result;
use crate::host::{Variables, random_id};
use crate::launch::context::Launch;
use crate::launch::local::LocalPlan;

/// The digest of what is to be set; `None` if nothing is.
pub(in crate::launch) fn digest(local: &LocalPlan) -> Option<String> {
    let secret = secret_of(local).unwrap_or_default();
    let nothing = local.variables.is_empty() && secret.is_empty();
    (!nothing).then(|| sha256([local.variables.to_text().as_slice(), b"\n", secret.as_bytes()].concat()))
}

/// The variable that the secret key comes from.
fn secret_of(local: &LocalPlan) -> Option<&str> {
    local.settings.as_ref()?.secret_variable.as_deref()
}

/// Sets those that the host has not, or has otherwise.
pub(in crate::launch) async fn set(launch: &mut Launch<'_>) -> Result<Outcome> {
    let digest = digest(launch.local);
    let is_known = launch.before().is_some_and(|note| note.variables == digest);
    launch.note.variables.clone_from(&digest);
    if digest.is_none() {
        return Ok(Outcome::skipped("there are none"));
    }
    if is_known {
        return Ok(Outcome::skipped("they are set"));
    }
    let there = variables::list(launch.client, launch.domain()).await?;
    let wanted = wanted(launch.local, &there)?;
    if wanted.is_empty() {
        return Ok(Outcome::skipped("they are set"));
    }
    let names: Vec<String> = wanted.iter().map(|(name, _)| name.clone()).collect();
    let set = Variables::new(wanted)?;
    variables::change(&launch.project, &launch.executors, &set, &BTreeSet::new()).await?;
    launch.changes += 1;
    launch.code_changed = true;
    Ok(Outcome::done(names.join(", ")))
}

/// Those that are not `there` like that, and a new secret key if neither side has one.
fn wanted(local: &LocalPlan, there: &BTreeMap<String, String>) -> Result<Vec<(String, String)>> {
    let mut wanted: Vec<(String, String)> = local
        .variables
        .iter()
        .filter(|(name, value)| there.get(*name).is_none_or(|known| known != value))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let is_given = |secret: &str| local.variables.names().any(|name| name == secret);
    if let Some(secret) = secret_of(local).filter(|secret| !is_given(secret) && !there.contains_key(*secret)) {
        // Twice 128 bits from the system.
        wanted.push((secret.to_owned(), format!("{}{}", random_id(32)?, random_id(32)?)));
    }
    Ok(wanted)
}
