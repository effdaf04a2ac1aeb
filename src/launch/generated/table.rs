//! The table `[tool.pythonanywhere]` in `pyproject.toml`: written or completed, with all that is around it as it was.

use std::path::{Path, PathBuf};

use toml_edit::{DocumentMut, Item, Table, TableLike, value};

use crate::error::{Error, Result};

/// A change of `pyproject.toml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableChange {
    /// The file.
    pub path: PathBuf,
    /// Its text with the change.
    pub text: String,
    /// What is set, as the file writes it.
    pub lines: Vec<String>,
    /// Whether the file is new.
    pub is_new: bool,
    /// The environment whose table it is.
    env: Option<String>,
    /// What is to be set.
    keys: Vec<(&'static str, String)>,
}

impl TableChange {
    /// The same change of the file as it is now: somebody may have edited it since. `None` if all is set by now.
    ///
    /// # Errors
    /// As for [`change`].
    pub fn anew(&self) -> Result<Option<Self>> {
        change_file(self.path.clone(), self.env.as_deref(), &self.keys)
    }
}

/// Sets `keys` in the table of `folder`'s `pyproject.toml`, or in the table of the environment `env` there. `None` if they
/// are set like that already.
///
/// # Errors
/// `Local` if the file cannot be read; `Config` if it is not TOML, or holds something else in place of the table.
pub fn change(folder: &Path, env: Option<&str>, keys: &[(&'static str, String)]) -> Result<Option<TableChange>> {
    change_file(folder.join("pyproject.toml"), env, keys)
}

fn change_file(path: PathBuf, env: Option<&str>, keys: &[(&'static str, String)]) -> Result<Option<TableChange>> {
    let (before, is_new) = read(&path)?;
    let broken = |why: &str| Error::config(format!("{}: {why}", path.display()));
    let mut document: DocumentMut = before.parse().map_err(|error: toml_edit::TomlError| broken(&error.to_string()))?;
    let mut lines = Vec::new();
    // What an environment does not say, the table says for it.
    let general: Vec<String> = env.map(|_| general(&document, keys)).unwrap_or_default();
    let table = table_of(&mut document, env).map_err(|name| broken(&format!("{name} is not a table")))?;
    for (key, text) in keys {
        let is_general = table.get(key).is_none() && general.iter().any(|known| known == key);
        if !is_general && !is_set(table, key, text) {
            set(table, key, text);
            lines.push(format!("{key} = {}", toml_edit::Value::from(text.as_str())));
        }
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let text = with_line_breaks_of(&before, document.to_string());
    Ok(Some(TableChange { path, text, lines, is_new, env: env.map(str::to_owned), keys: keys.to_vec() }))
}

/// The text of a file, empty if there is none, and whether it is new.
fn read(path: &Path) -> Result<(String, bool)> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok((text, false)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok((String::new(), true)),
        Err(source) => Err(Error::Local { path: path.to_owned(), source }),
    }
}

/// Our table, or that of the environment, made where it is missing.
///
/// # Errors
/// The name of what is something else.
fn table_of<'a>(document: &'a mut DocumentMut, env: Option<&'a str>) -> Result<&'a mut dyn TableLike, &'a str> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    for name in ["tool", "pythonanywhere"].into_iter().chain(env.map(|_| "env")).chain(env) {
        if table.get(name).is_none() {
            let mut new = Table::new();
            new.set_implicit(matches!(name, "tool" | "env"));
            table.insert(name, Item::Table(new));
        }
        table = table.get_mut(name).and_then(Item::as_table_like_mut).ok_or(name)?;
    }
    Ok(table)
}

fn is_set(table: &dyn TableLike, key: &str, text: &str) -> bool {
    table.get(key).is_some_and(|item| match item.as_array() {
        // The first of several web apps is the one that is served.
        Some(several) => several.get(0).and_then(|first| first.as_str()) == Some(text),
        None => item.as_str() == Some(text),
    })
}

fn set(table: &mut dyn TableLike, key: &str, text: &str) {
    let Some(old) = table.get_mut(key).and_then(Item::as_value_mut) else {
        table.insert(key, value(text));
        return;
    };
    // With the comment that follows it.
    let decor = old.decor().clone();
    *old = text.into();
    *old.decor_mut() = decor;
}

/// The text with the line breaks of the one that it replaces: git for Windows checks files out with its own.
fn with_line_breaks_of(before: &str, text: String) -> String {
    let is_windows = before.contains('\n') && before.matches('\n').count() == before.matches("\r\n").count();
    if is_windows { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text }
}

/// The keys that are set like that in the table that holds for all environments.
fn general(document: &DocumentMut, keys: &[(&str, String)]) -> Vec<String> {
    let table = document.get("tool").and_then(|tool| tool.get("pythonanywhere"));
    let is_set = |key: &str, text: &str| table.and_then(|table| table.get(key)?.as_str()) == Some(text);
    keys.iter().filter(|(key, text)| is_set(key, text)).map(|(key, _)| (*key).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(before: &str, env: Option<&str>, keys: &[(&'static str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        if !before.is_empty() {
            std::fs::write(folder.path().join("pyproject.toml"), before).unwrap();
        }
        let keys: Vec<(&'static str, String)> = keys.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
        change(folder.path(), env, &keys).unwrap().map(|change| change.text)
    }

    #[test]
    fn a_new_file_holds_our_table_only() {
        let text = changed("", None, &[("project", "mysite"), ("domain", "me.pythonanywhere.com")]).unwrap();
        assert_eq!(text, "[tool.pythonanywhere]\nproject = \"mysite\"\ndomain = \"me.pythonanywhere.com\"\n");
    }

    #[test]
    fn what_is_around_the_table_stays_with_its_comments() {
        let before = "# mine\n[project]\nname = 'x'  # the name\n\n[tool.ruff]\nline-length = 100\n";
        let text = changed(before, None, &[("domain", "a.b")]).unwrap();
        assert!(text.starts_with(before), "{text}");
        assert!(text.ends_with("\n[tool.pythonanywhere]\ndomain = \"a.b\"\n"), "{text}");
    }

    #[test]
    fn the_line_breaks_of_windows_stay() {
        let before = "[project]\r\nname = 'x'\r\n\r\n[tool.pythonanywhere]\r\n# mine\r\nproject = 'x'\r\n";
        let text = changed(before, None, &[("project", "x"), ("domain", "a.b")]).unwrap();
        assert_eq!(text, format!("{before}domain = \"a.b\"\r\n"));
    }

    #[test]
    fn a_table_is_completed_and_a_key_keeps_its_comment() {
        let before = "[tool.pythonanywhere]\n# which settings\nsettings = 'a.settings'  # for now\nprotected = [\n  '/x',  # data\n]\n";
        let text = changed(before, None, &[("settings", "a.b"), ("domain", "c.d")]).unwrap();
        assert!(text.contains("# which settings\nsettings = \"a.b\"  # for now\n"), "{text}");
        assert!(text.contains("'/x',  # data\n") && text.contains("domain = \"c.d\""), "{text}");
        assert_eq!(changed(&text, None, &[("settings", "a.b"), ("domain", "c.d")]), None);
        assert_eq!(changed("[tool.pythonanywhere]\ndomain = ['c.d', 'e.f']\n", None, &[("domain", "c.d")]), None);
    }

    #[test]
    fn an_environment_has_a_table_of_its_own() {
        let text = changed(
            "[tool.pythonanywhere]\nproject = \"x\"\n",
            Some("staging"),
            &[("project", "x"), ("domain", "s.b")],
        );
        let text = text.unwrap();
        assert!(text.ends_with("[tool.pythonanywhere.env.staging]\ndomain = \"s.b\"\n"), "{text}");
    }
}
