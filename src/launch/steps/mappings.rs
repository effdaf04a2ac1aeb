//! Static files mappings: what the host's web server serves without the web app.

use super::Outcome;
use crate::error::Result;
use crate::launch::context::Launch;

/// Adds those for static files and uploads. One that somebody else made for the same address stays; one of the project that
/// was served before moves.
pub(in crate::launch) async fn add(launch: &mut Launch<'_>) -> Result<Outcome> {
    let Some(inspected) = &launch.inspected else { return Ok(Outcome::skipped("none are needed")) };
    let pairs = [(&inspected.static_url, &inspected.static_root), (&inspected.media_url, &inspected.media_root)];
    let wanted: Vec<(String, String)> = pairs
        .into_iter()
        .filter_map(|(url, root)| Some((address(url.as_deref()?)?, root.clone().filter(|root| root.starts_with('/'))?)))
        .collect();
    let (domain, before) = (launch.domain().to_owned(), launch.mapped_before());
    let mut added = Vec::new();
    for (url, path) in wanted {
        let is_same = |a: &str, b: &str| a.trim_end_matches('/') == b.trim_end_matches('/');
        let known =
            launch.survey.mappings.iter().find(|known| known["url"].as_str().is_some_and(|known| is_same(known, &url)));
        let Some(known) = known else {
            launch.client.add_static_files(&domain, &url, &path).await?;
            added.push(format!("{url} is {path}"));
            launch.note.mappings.insert(url, path);
            continue;
        };
        let folder = known["path"].as_str().unwrap_or_default();
        if is_same(folder, &path) {
            launch.note.mappings.insert(url, folder.to_owned());
            continue;
        }
        let is_ours = before.get(&url).is_some_and(|ours| is_same(ours, folder)) || launch.found.is_of_other(folder);
        match (is_ours, known["id"].as_u64()) {
            (true, Some(id)) => {
                launch.client.move_static_files(&domain, id, &path).await?;
                added.push(format!("{url} is {path}"));
                launch.note.mappings.insert(url, path);
            }
            _ => launch.recorder.warn(format!(
                "the static files mapping {url} serves {folder}, and the settings say {path}: it was left as it is"
            )),
        }
    }
    launch.changes += added.len();
    Ok(if added.is_empty() { Outcome::skipped("they are there") } else { Outcome::done(added.join(", ")) })
}

/// The address below which files are served, as mappings write it; `None` if they are served elsewhere, or everywhere.
fn address(url: &str) -> Option<String> {
    if url.contains("://") || url.starts_with("//") {
        return None;
    }
    let inner = url.trim_matches('/');
    (!inner.is_empty()).then(|| format!("/{inner}/"))
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
