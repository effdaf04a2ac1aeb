//! The web app's virtualenv: whether it is there, and whether its Python is the web app's.

use super::finding::{Check, Finding};
use super::site::Site;
use crate::client::{Client, RemotePath};
use crate::error::{ErrorKind, Result};

/// More than `pyvenv.cfg` has, in bytes.
const MOST_BYTES: usize = 64 << 10;

pub(super) async fn examine(client: &Client, site: &Site) -> Vec<Finding> {
    let path = site.field("virtualenv_path").trim_end_matches('/');
    if path.is_empty() {
        return vec![Finding::ok(Check::Virtualenv, "it has none: the packages of the host's Python are used")];
    }
    let text = match read(client, path).await {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!("{path} is none: there is no pyvenv.cfg in it");
            return vec![Finding::error(Check::Virtualenv, message, "pya launch")];
        }
        Err(error) => return vec![Finding::error(Check::Virtualenv, error.chain(), format!("pya ls {path}"))],
    };
    vec![examine_version(site, path, version(&text))]
}

fn examine_version(site: &Site, path: &str, version: Option<String>) -> Finding {
    let wanted = site.field("python_version");
    match version {
        Some(version) if version != wanted => Finding::error(
            Check::Virtualenv,
            format!("{path} has Python {version}, but the web app Python {wanted}"),
            format!("pya webapps update {0} python_version={version} && pya reload {0}", site.domain),
        ),
        _ => Finding::ok(Check::Virtualenv, format!("{path}, with Python {wanted}")),
    }
}

/// The text of its `pyvenv.cfg`.
async fn read(client: &Client, path: &str) -> Result<String> {
    let file = RemotePath::parse(path)?.join("pyvenv.cfg")?;
    let content = client.read_file_at_most(&file, MOST_BYTES).await?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

/// The version in the text of `pyvenv.cfg`, such as `3.13`. The module venv calls it `version`, virtualenv `version_info`.
fn version(text: &str) -> Option<String> {
    let value = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        matches!(name.trim(), "version" | "version_info").then_some(value.trim())
    })?;
    let mut numbers = value.split('.');
    Some(format!("{}.{}", numbers.next()?, numbers.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tools_write_the_version() {
        for (text, expected) in [
            ("home = /usr/bin\nversion = 3.11.2\n", Some("3.11")),
            ("implementation = CPython\nversion_info = 3.13.1.final.0\n", Some("3.13")),
            ("home = /usr/bin\n", None),
            ("version = 3", None),
        ] {
            assert_eq!(version(text).as_deref(), expected, "{text}");
        }
    }
}
