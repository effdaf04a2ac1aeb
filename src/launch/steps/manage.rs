//! What `manage.py` does: static files in one place, the database up to date, a superuser.

use super::{Outcome, requirements};
use crate::deploy::manage_in_site;
use crate::error::{Error, Result};
use crate::host::Variables;
use crate::launch::context::Launch;
use crate::text::counted;

/// Collects the static files, where the settings say to which folder.
pub(in crate::launch) async fn collect_static_files(launch: &mut Launch<'_>) -> Result<Outcome> {
    if launch.inspected.as_ref().is_none_or(|inspected| inspected.static_root.is_none()) {
        return Ok(Outcome::skipped("there is no STATIC_ROOT"));
    }
    if !launch.code_changed {
        return Ok(Outcome::skipped("nothing changed"));
    }
    let output = run(launch, &["collectstatic", "--noinput"], Variables::default()).await?;
    launch.changes += 1;
    Ok(Outcome::done(last_line(&output)))
}

/// Applies the migrations.
pub(in crate::launch) async fn migrate(launch: &mut Launch<'_>) -> Result<Outcome> {
    if launch.inspected.as_ref().is_none_or(|inspected| inspected.engines.is_empty()) {
        return Ok(Outcome::skipped("there is no database"));
    }
    if !launch.code_changed {
        return Ok(Outcome::skipped("nothing changed"));
    }
    let output = run(launch, &["migrate", "--noinput"], Variables::default()).await?;
    launch.changes += 1;
    let applied = output.lines().filter(|line| line.trim_start().starts_with("Applying ")).count();
    Ok(if applied == 0 {
        Outcome::skipped("the database is up to date")
    } else {
        Outcome::done(format!("{} applied", counted(applied, "migration")))
    })
}

/// Makes the superuser that was asked for, unless there is one of that name.
pub(in crate::launch) async fn make_superuser(launch: &mut Launch<'_>) -> Result<Outcome> {
    let Some(superuser) = launch.options.superuser.clone() else { return Ok(Outcome::skipped("none was asked for")) };
    let email = superuser.email.clone().unwrap_or_else(|| format!("{}@{}", superuser.name, launch.domain()));
    let args = ["createsuperuser", "--noinput", "--username", superuser.name.as_str(), "--email", email.as_str()];
    match run(launch, &args, superuser.password).await {
        Ok(_) => Ok(Outcome::done(superuser.name)),
        Err(Error::Job { message }) if message.contains("already taken") => {
            Ok(Outcome::skipped(format!("there is a user {}", superuser.name)))
        }
        Err(error) => Err(error),
    }
}

/// Runs it, and returns what it printed.
async fn run(launch: &Launch<'_>, args: &[&str], variables: Variables) -> Result<String> {
    let done = manage_in_site(&launch.project, &launch.executors, &launch.inspection(), args, variables).await?;
    if done.exit_status == 0 {
        return Ok(done.output);
    }
    let tail: Vec<&str> = done.output.trim_end().lines().rev().take(12).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    let advice = requirements::advice(launch.local, &done.output);
    let (command, status, tail) = (args[0], done.exit_status, tail.join("\n"));
    Err(Error::job(format!("manage.py {command} failed with exit status {status}:\n{tail}{advice}")))
}

fn last_line(output: &str) -> String {
    output.trim_end().lines().last().unwrap_or_default().trim().to_owned()
}
