//! What pip installs in the virtualenv.

use bytes::Bytes;

use super::Outcome;
use crate::deploy::install_requirements;
use crate::digest::sha256;
use crate::error::{Error, Result};
use crate::launch::context::Launch;
use crate::launch::detect::requirements::Requirements;
use crate::launch::detect::settings::module_file;
use crate::launch::local::LocalPlan;
use crate::text::counted;

/// The file for dependencies that are in no requirements file, in the project's state folder.
const FILE: &str = "requirements.txt";

/// The digest of the requirements as they are here; `None` if there are none.
pub(in crate::launch) fn digest(local: &LocalPlan) -> Result<Option<String>> {
    if let Requirements::File(path) = &local.project.requirements {
        let path = local.project.root.join(path);
        let content = std::fs::read(&path).map_err(|source| Error::Local { path, source })?;
        return Ok(Some(sha256(content)));
    }
    Ok(local.project.requirements.text().map(sha256))
}

/// The way on where the host lacks a module that something printed: what nobody listed is not installed. Empty where that is not
/// why, as for a module of the project's own.
pub(super) fn advice(local: &LocalPlan, printed: &str) -> String {
    let project = &local.project;
    let installed = match &project.requirements {
        Requirements::Framework { line, .. } => format!("only {line} was installed"),
        Requirements::None => "nothing was installed".to_owned(),
        Requirements::File(_) | Requirements::Dependencies { .. } => return String::new(),
    };
    let missing = printed.rsplit_once("No module named '").and_then(|(_, name)| name.split(['\'', '.']).next());
    match missing {
        Some(module) if module_file(&project.source_folder(), module).is_none() => format!(
            "\nthe project lists no requirements, so {installed}: list what it needs (pip freeze > requirements.txt), then \
             launch again"
        ),
        _ => String::new(),
    }
}

/// Installs them, unless that was done.
pub(in crate::launch) async fn install(launch: &mut Launch<'_>) -> Result<Outcome> {
    let requirements = &launch.local.project.requirements;
    let Some(digest) = digest(launch.local)? else { return Ok(Outcome::skipped("none are listed")) };
    install_from(launch, requirements.text(), digest, &requirements.name()).await
}

/// Installs what `text` lists, else what the project's own file does, unless that of the same digest was installed.
pub(in crate::launch) async fn install_from(
    launch: &mut Launch<'_>,
    text: Option<String>,
    digest: String,
    described: &str,
) -> Result<Outcome> {
    let is_known = launch.before().is_some_and(|note| note.requirements.as_ref() == Some(&digest));
    launch.note.requirements = Some(digest);
    if is_known && !launch.code_changed {
        return Ok(Outcome::skipped("they are installed"));
    }
    let path = list_on_host(launch, text).await?;
    let Some(packages) = run_pip(launch, &path).await? else { return Ok(Outcome::skipped("they are installed")) };
    launch.changes += 1;
    launch.code_changed = true;
    Ok(Outcome::done(match packages {
        0 => described.to_owned(),
        packages => format!("{described}, {}", counted(packages, "package")),
    }))
}

/// How many packages were installed for the list; `None` if nothing was to be done.
async fn run_pip(launch: &Launch<'_>, list: &str) -> Result<Option<usize>> {
    let result = install_requirements(&launch.project, &launch.executors, list, &launch.virtualenv.1).await?;
    if let Some(why) = &result.in_one_go {
        log::info!("requirements: {why}");
    }
    Ok(result.installed.then_some(result.packages))
}

/// Where the list is on the host: the project's own file, unless there is a `text`, which is uploaded.
async fn list_on_host(launch: &Launch<'_>, text: Option<String>) -> Result<String> {
    if let (Requirements::File(path), None) = (&launch.local.project.requirements, &text) {
        return Ok(path.clone());
    }
    let place = launch.folder.path().join(FILE)?;
    launch.client.upload_file(&place, Bytes::from(text.unwrap_or_default())).await?;
    Ok(place.to_string())
}
