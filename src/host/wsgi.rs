//! The WSGI file of a web app: its path, and the settings module that it names.

use crate::client::{Client, RemotePath};
use crate::digest::sha256;
use crate::error::{Error, Result};

/// The variable that names the settings module.
pub(super) const SETTINGS: &str = "DJANGO_SETTINGS_MODULE";

/// The path of the WSGI file of a web app.
///
/// # Errors
/// `Config` for an invalid domain.
pub fn wsgi_file(domain: &str) -> Result<RemotePath> {
    RemotePath::parse(&format!("/var/www/{}_wsgi.py", domain.replace('.', "_")))
}

/// Keeps the text of a WSGI file in `folder`, under a name that tells it from others; returns where.
///
/// # Errors
/// As the service answers.
pub async fn keep_wsgi(client: &Client, folder: &RemotePath, text: &str) -> Result<RemotePath> {
    let place = folder.join(&format!("replaced-wsgi-{:.12}.py", sha256(text)))?;
    client.upload_file(&place, text.to_owned().into()).await?;
    Ok(place)
}

/// `module`, if it can be the name of a settings module.
///
/// # Errors
/// `Config` if it is not a dotted name.
pub fn checked_settings(module: &str) -> Result<&str> {
    let is_identifier = |part: &str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if module.split('.').all(is_identifier) {
        return Ok(module);
    }
    Err(Error::config(format!(
        "{module:?} is not the name of a settings module: write it as Python imports it, such as mysite.settings"
    )))
}

/// The settings module that a WSGI file names, itself or in the original that the agent's stub contains; the last one
/// counts. `None` if there is none, or if it is not a literal.
#[must_use]
pub fn settings_module(text: &str) -> Option<&str> {
    settings_modules(text).next_back()
}

/// All that it names, in their order.
pub(super) fn settings_modules(text: &str) -> impl DoubleEndedIterator<Item = &str> {
    text.lines().filter_map(named_in)
}

fn named_in(line: &str) -> Option<&str> {
    // The stub contains each line as a JSON string.
    let is_comment = line.trim_start_matches([' ', '\t', '"']).starts_with('#');
    let (_, rest) = line.split_once(SETTINGS).filter(|_| !is_comment)?;
    // What is between name and value, as in `["…"] = "…"` and `setdefault("…", "…")`.
    let name = rest.trim_start_matches(['\\', '"', '\'', ']', ')', ',', '=', ' ']);
    let is_text = rest[..rest.len() - name.len()].ends_with(['"', '\'']);
    let end = name.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(name.len());
    Some(&name[..end]).filter(|name| is_text && !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settings_module_is_a_dotted_name() {
        for module in ["settings", "mysite.settings.production", "_a.b1"] {
            assert_eq!(checked_settings(module).unwrap(), module);
        }
        for module in
            ["", ".settings", "mysite.", "a..b", "mysite/settings.py", "my-site.settings", "a b", "1a", "a\nb"]
        {
            assert!(checked_settings(module).is_err(), "{module}");
        }
    }

    #[test]
    fn the_settings_module_is_read_from_where_it_is_set() {
        for (text, module) in [
            ("os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'\n", Some("mysite.settings")),
            ("os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"a.b_c.prod\")", Some("a.b_c.prod")),
            ("    os.environ [\"DJANGO_SETTINGS_MODULE\"]=\"x\"  # here", Some("x")),
            (
                "        \"os.environ[\\\"DJANGO_SETTINGS_MODULE\\\"] = \\\"mysite.settings\\\"\\n\",",
                Some("mysite.settings"),
            ),
            ("#os.environ['DJANGO_SETTINGS_MODULE'] = 'no'", None),
            ("        \"# os.environ['DJANGO_SETTINGS_MODULE'] = 'no'\\n\",", None),
            ("os.environ['DJANGO_SETTINGS_MODULE'] = SETTINGS", None),
            ("os.environ['DJANGO_SETTINGS_MODULE'] = 'a'\nos.environ['DJANGO_SETTINGS_MODULE'] = 'b'", Some("b")),
            ("DJANGO_SETTINGS_MODULE", None),
            ("", None),
        ] {
            assert_eq!(settings_module(text), module, "{text}");
        }
    }
}
