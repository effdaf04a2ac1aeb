//! Static and media files: whether the mappings serve the folders that the settings name.

use serde_json::Value;

use super::finding::{Check, Finding};
use super::site::Site;
use crate::client::{Client, RemotePath};
use crate::error::ErrorKind;
use crate::host::InspectResult;
use crate::text::is_same_path;

/// A pair of settings, such as `STATIC_URL` and `STATIC_ROOT`.
struct Pair<'a> {
    check: Check,
    url: &'a str,
    root: &'a str,
    /// The names of the two.
    names: [&'static str; 2],
    /// What fills the folder, where there is such a thing.
    filled_by: Option<&'static str>,
}

impl<'a> Pair<'a> {
    fn static_files(inspected: &'a InspectResult) -> Self {
        Self {
            check: Check::StaticFiles,
            url: inspected.static_url.as_deref().unwrap_or_default(),
            root: inspected.static_root.as_deref().unwrap_or_default(),
            names: ["STATIC_URL", "STATIC_ROOT"],
            filled_by: Some("pya manage collectstatic --noinput"),
        }
    }

    fn media_files(inspected: &'a InspectResult) -> Self {
        Self {
            check: Check::MediaFiles,
            url: inspected.media_url.as_deref().unwrap_or_default(),
            root: inspected.media_root.as_deref().unwrap_or_default(),
            names: ["MEDIA_URL", "MEDIA_ROOT"],
            filled_by: None,
        }
    }
}

pub(super) async fn examine(client: &Client, site: &Site, inspected: &InspectResult) -> Vec<Finding> {
    let mappings = match client.static_files(&site.domain).await {
        Ok(mappings) => mappings,
        Err(error) => {
            let command = format!("pya webapps static-files list {}", site.domain);
            return vec![Finding::error(Check::StaticFiles, error.chain(), command)];
        }
    };
    let mut findings = Vec::new();
    for pair in [Pair::static_files(inspected), Pair::media_files(inspected)] {
        findings.extend(examine_pair(client, &site.domain, &mappings, &pair).await);
    }
    findings
}

async fn examine_pair(client: &Client, domain: &str, mappings: &[Value], pair: &Pair<'_>) -> Option<Finding> {
    let &Pair { check, root, names: [url_name, root_name], filled_by, .. } = pair;
    // Files at another address are somebody else's, and a project may have none.
    let url = below_site(pair.url)?;
    if root.is_empty() {
        // Uploads are an option; the admin's styles are not.
        let message = format!("{root_name} is not set, so they are collected nowhere: set it, and deploy");
        return filled_by.map(|_| Finding::warning(check, message, "pya deploy --collectstatic"));
    }
    Some(match mapping_of(mappings, &url) {
        Some((_, path)) if is_same_path(path, root) => match filled_by {
            Some(command) if is_missing(client, root).await => {
                Finding::warning(check, format!("{root} is not there yet"), command)
            }
            _ => Finding::ok(check, format!("{url} is served from {root}")),
        },
        Some((id, path)) => Finding::error(
            check,
            format!("{url} is served from {path}, but {root_name} is {root}"),
            format!("pya webapps static-files update {domain} {id} path={root} && pya reload {domain}"),
        ),
        None => Finding::warning(
            check,
            format!("no mapping serves {url_name}, {url}, from {root}; only the application itself could"),
            format!("pya webapps static-files create {domain} {url} {root} && pya reload {domain}"),
        ),
    })
}

/// An address below the site, with slashes around it. Django puts the first one before what lacks it.
fn below_site(url: &str) -> Option<String> {
    if url.is_empty() || url.contains("://") || url.starts_with("//") {
        return None;
    }
    let inner = url.trim_matches('/');
    Some(if inner.is_empty() { "/".to_owned() } else { format!("/{inner}/") })
}

/// The id and the path of the first mapping of an address.
fn mapping_of<'a>(mappings: &'a [Value], url: &str) -> Option<(u64, &'a str)> {
    let mapping = mappings.iter().find(|mapping| mapping["url"].as_str().is_some_and(|it| is_same_path(it, url)))?;
    Some((mapping["id"].as_u64()?, mapping["path"].as_str()?))
}

async fn is_missing(client: &Client, folder: &str) -> bool {
    match RemotePath::parse(folder) {
        Ok(folder) => client.list_dir(&folder).await.is_err_and(|error| error.kind() == ErrorKind::NotFound),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_below_the_site_have_slashes_around_them() {
        for (url, expected) in [
            ("/static/", Some("/static/")),
            ("static/", Some("/static/")),
            ("/a/b", Some("/a/b/")),
            ("/", Some("/")),
            ("https://cdn.example.com/static/", None),
            ("//cdn.example.com/", None),
            ("", None),
        ] {
            assert_eq!(below_site(url).as_deref(), expected, "{url}");
        }
    }
}
