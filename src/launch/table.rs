//! What the table `[tool.pythonanywhere]` says of a launch, for callers other than the command line, which reads all of it.

use std::path::Path;

use super::local::LocalOptions;
use crate::error::{Error, Result};

/// The keys that a launch writes and reads.
#[derive(Debug, Clone, Default)]
pub struct TableValues {
    /// `user`.
    pub user: Option<String>,
    /// `host`.
    pub host: Option<String>,
    /// `domain`, which may name several.
    pub domains: Vec<String>,
    /// `site_url`.
    pub site_url: Option<String>,
    /// `remote_root`.
    pub remote_root: Option<String>,
}

/// Fills in what `options` leave open with what the table in `root` says.
///
/// # Errors
/// `Config` if the file is not TOML; `Local` if it cannot be read.
pub fn fill_in(root: &Path, options: &mut LocalOptions) -> Result<TableValues> {
    let path = root.join("pyproject.toml");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(TableValues::default()),
        Err(source) => return Err(Error::Local { path, source }),
        Ok(text) => text,
    };
    let parsed: toml::Table =
        text.parse().map_err(|error: toml::de::Error| Error::config(format!("{}: {error}", path.display())))?;
    let table = parsed.get("tool").and_then(|tool| tool.get("pythonanywhere"));
    let values = |key: &str| -> Vec<String> {
        let value = table.and_then(|table| table.get(key));
        let one_or_more = value.map(|value| value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice));
        one_or_more.unwrap_or_default().iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    // The first of several web apps is the one that is served.
    let value = |key: &str| values(key).into_iter().next();
    let detect = &mut options.detect;
    if detect.settings.is_none() && detect.wsgi.is_none() && detect.asgi.is_none() {
        detect.settings = value("settings");
        detect.wsgi = value("wsgi");
    }
    detect.manage = detect.manage.take().or_else(|| value("manage"));
    options.project = options.project.take().or_else(|| value("project"));
    if options.domain.is_empty() {
        options.domain = value("domain").unwrap_or_default();
    }
    Ok(TableValues {
        user: value("user"),
        host: value("host"),
        domains: values("domain"),
        site_url: value("site_url"),
        remote_root: value("remote_root"),
    })
}
