//! The WSGI file of a web app: its path, and the settings module that it names.

use crate::client::RemotePath;
use crate::error::Result;

const SETTINGS: &str = "DJANGO_SETTINGS_MODULE";

/// The path of the WSGI file of a web app.
///
/// # Errors
/// `Config` for an invalid domain.
pub fn wsgi_file(domain: &str) -> Result<RemotePath> {
    RemotePath::parse(&format!("/var/www/{}_wsgi.py", domain.replace('.', "_")))
}

/// The settings module that a WSGI file names, itself or in the original that the agent's stub contains; the last one
/// counts. `None` if there is none, or if it is not a literal.
#[must_use]
pub fn settings_module(text: &str) -> Option<&str> {
    text.lines().filter_map(named_in).next_back()
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
