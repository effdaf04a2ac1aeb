//! Static files mappings: what the host's web server serves without the web app.

use serde_json::Value;

use super::Outcome;
use crate::error::Result;
use crate::host::InspectResult;
use crate::launch::context::Launch;
use crate::text::is_same_path;

/// Adds those for static files and uploads. One that somebody else made for the same address stays; one of the project that
/// was served before moves.
pub(in crate::launch) async fn add(launch: &mut Launch<'_>) -> Result<Outcome> {
    let Some(inspected) = &launch.inspected else { return Ok(Outcome::skipped("none are needed")) };
    let mut added = Vec::new();
    for (url, path) in wanted(inspected) {
        added.extend(serve(launch, url, path).await?);
    }
    launch.changes += added.len();
    Ok(if added.is_empty() { Outcome::skipped("they are there") } else { Outcome::done(added.join(", ")) })
}

/// The addresses below this site that the settings name, with their folders.
fn wanted(inspected: &InspectResult) -> Vec<(String, String)> {
    let pairs = [(&inspected.static_url, &inspected.static_root), (&inspected.media_url, &inspected.media_root)];
    pairs
        .into_iter()
        .filter_map(|(url, root)| Some((address(url.as_deref()?)?, root.clone().filter(|root| root.starts_with('/'))?)))
        .collect()
}

/// Lets `url` be served from `path`; what is said of that, if it was changed now.
async fn serve(launch: &mut Launch<'_>, url: String, path: String) -> Result<Option<String>> {
    let domain = launch.domain();
    let is_it = |known: &&Value| known["url"].as_str().is_some_and(|known| is_same_path(known, &url));
    if let Some(known) = launch.survey.mappings.iter().find(is_it) {
        let folder = known["path"].as_str().unwrap_or_default();
        if is_same_path(folder, &path) {
            launch.note.mappings.insert(url, folder.to_owned());
            return Ok(None);
        }
        let Some(id) = known["id"].as_u64().filter(|_| may_move(launch, &url, folder)) else {
            launch.recorder.warn(format!(
                "the static files mapping {url} serves {folder}, and the settings say {path}: it was left as it is"
            ));
            return Ok(None);
        };
        launch.client.move_static_files(domain, id, &path).await?;
    } else {
        launch.client.add_static_files(domain, &url, &path).await?;
    }
    let said = format!("{url} is {path}");
    launch.note.mappings.insert(url, path);
    Ok(Some(said))
}

/// Whether the last launch mapped this, or it is of the project that was served before.
fn may_move(launch: &Launch<'_>, url: &str, folder: &str) -> bool {
    launch.mapped_before().get(url).is_some_and(|ours| is_same_path(ours, folder)) || launch.found.is_of_other(folder)
}

/// The address below which files are served, as mappings write it; `None` if they are served elsewhere, or everywhere.
fn address(url: &str) -> Option<String> {
    let is_elsewhere = url.contains("://") || url.starts_with("//");
    let inner = url.trim_matches('/');
    (!is_elsewhere && !inner.is_empty()).then(|| format!("/{inner}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_this_site() {
        for (url, expected) in [("/static/", Some("/static/")), ("static/", Some("/static/")), ("/a/b", Some("/a/b/"))]
        {
            assert_eq!(address(url).as_deref(), expected);
        }
        for url in ["https://cdn.example.com/x/", "//cdn.example.com/", "/", ""] {
            assert_eq!(address(url), None, "{url}");
        }
    }
}
