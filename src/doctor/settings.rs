//! The Django settings as the host has them, which the agent imports there.

use super::examination::Examination;
use super::finding::{Check, Finding};
use super::site::Site;
use crate::deploy::{ExecutorOptions, Inspection, inspect_settings};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{InspectResult, is_allowed};

/// Whether a project whose WSGI file names no settings has some: one that is not Django's has no `manage.py` either. Sends
/// a request, unless the configuration tells.
pub(super) async fn has_any(examination: &Examination) -> bool {
    let project = &examination.project;
    if examination.settings.is_some() || examination.manage.is_some() {
        return true;
    }
    match project.client.list_dir(&project.remote_root).await {
        Ok(entries) => entries.iter().any(|entry| entry.name == "manage.py"),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Has the settings imported, and looks at those that decide whether visitors are served. Needs the agent.
pub(super) async fn examine(
    examination: &Examination,
    site: &Site,
    has_agent: bool,
) -> (Vec<Finding>, Option<InspectResult>) {
    let domain = &site.domain;
    if !has_agent {
        let message = "they were not looked at, since no agent answers";
        return (vec![Finding::warning(Check::Settings, message, format!("pya agent install {domain}"))], None);
    }
    let inspected = match inspect(examination, site).await {
        Ok(inspected) => inspected,
        Err(error) => return (vec![not_imported(&error)], None),
    };
    let name = if inspected.settings.is_empty() { "the settings" } else { &inspected.settings };
    let mut findings = vec![
        Finding::ok(Check::Settings, format!("{name}, with Django {}", inspected.django)),
        allowed_hosts(&inspected, domain, name),
        debug(&inspected, name),
        secret_key(&inspected, name),
    ];
    findings.extend(relative_databases(&inspected, name));
    (findings, Some(inspected))
}

async fn inspect(examination: &Examination, site: &Site) -> Result<InspectResult> {
    let executors = ExecutorOptions::by_agent(&site.domain, examination.site_url.clone());
    let inspection = Inspection {
        manage: examination.manage.clone(),
        settings: examination.settings.clone(),
        virtualenv: Some(site.field("virtualenv_path").to_owned()).filter(|path| !path.is_empty()),
        folder: None,
    };
    inspect_settings(&examination.project, &executors, &inspection).await
}

fn not_imported(error: &Error) -> Finding {
    let why = error.chain();
    // The usual reason: something was added to the requirements.
    let is_missing = why.contains("No module named");
    let command = if is_missing { "pya deploy --requirements requirements.txt" } else { "pya manage check" };
    Finding::error(Check::Settings, format!("they cannot be imported: {why}"), command)
}

fn allowed_hosts(inspected: &InspectResult, domain: &str, name: &str) -> Finding {
    if is_allowed(domain, inspected.allowed_hosts.iter().map(String::as_str)) {
        return Finding::ok(Check::AllowedHosts, format!("it has {domain}"));
    }
    let message = format!("it lacks {domain}, so every page is answered with 400: add it in {name}, and deploy");
    Finding::error(Check::AllowedHosts, message, "pya deploy")
}

fn debug(inspected: &InspectResult, name: &str) -> Finding {
    if !inspected.debug {
        return Finding::ok(Check::Debug, "it is off");
    }
    let message = format!("it is on, which shows visitors what nobody should see: turn it off in {name}, and deploy");
    Finding::warning(Check::Debug, message, "pya deploy")
}

fn secret_key(inspected: &InspectResult, name: &str) -> Finding {
    if inspected.has_secret_key {
        return Finding::ok(Check::SecretKey, "it is set");
    }
    let message = format!("it is not set: read it from the environment in {name}, and set it there");
    Finding::error(Check::SecretKey, message, "pya env set SECRET_KEY")
}

/// A warning of databases that are other files in another working folder, such as that of a console.
fn relative_databases(inspected: &InspectResult, name: &str) -> Option<Finding> {
    let path = inspected.relative_databases.first()?;
    let message = format!(
        "{path:?} is a relative path, so in another working folder, such as that of a console, it is another database: \
         write BASE_DIR / {path:?} in {name}, and deploy"
    );
    Some(Finding::warning(Check::Databases, message, "pya deploy"))
}
