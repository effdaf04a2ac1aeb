//! Which Python a project asks for: `requires-python` of `pyproject.toml`, else `.python-version`.
//!
//! Only versions like 3.13 are chosen among, so patch levels count as far as they decide between those.

use std::path::Path;

use crate::error::{Error, Result};
use crate::setting::Setting;

/// What a project says of its Python, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredPython {
    /// As `requires-python` writes it; `==3.12.*` for a version.
    pub specifier: String,
    /// The file that says so.
    pub source: String,
}

/// What the project in `root` asks for.
#[must_use]
pub fn required(root: &Path, pyproject: Option<&toml::Table>) -> Option<RequiredPython> {
    let project = pyproject.and_then(|table| table.get("project"));
    if let Some(specifier) = project.and_then(|project| project.get("requires-python")?.as_str()) {
        return Some(RequiredPython { specifier: specifier.to_owned(), source: "pyproject.toml".to_owned() });
    }
    let text = std::fs::read_to_string(root.join(".python-version")).ok()?;
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let mut numbers = line.strip_prefix("python-").unwrap_or(line).split('.');
    let (major, minor) = (numbers.next()?.parse::<u32>().ok()?, numbers.next()?.parse::<u32>().ok()?);
    Some(RequiredPython { specifier: format!("=={major}.{minor}.*"), source: ".python-version".to_owned() })
}

/// A version such as `3.13`, from `3.13`, `3.13.1` or `python313`.
///
/// # Errors
/// `Config` for anything else.
pub fn version(text: &str) -> Result<String> {
    let digits = text.strip_prefix("python").unwrap_or(text);
    let parsed = match numbers(digits).as_deref() {
        Some([major, minor, ..]) => Some((*major, *minor)),
        Some([joined]) if (30..400).contains(joined) => {
            let factor = if *joined < 100 { 10 } else { 100 };
            Some((joined / factor, joined % factor))
        }
        _ => None,
    };
    match parsed {
        Some((3, minor)) => Ok(format!("3.{minor}")),
        _ => Err(Error::config(format!("{text:?} is not a version of Python: write it like 3.13"))),
    }
}

/// Chooses among the versions that the account offers: the one given, else one that the project allows, its default first
/// and then the newest; without any wish the default.
///
/// # Errors
/// `Config` if the account has none that fits; the message lists what it has.
pub fn choose(
    given: Option<&str>,
    required: Option<&RequiredPython>,
    offered: &[String],
    default: &str,
) -> Result<String> {
    if let Some(given) = given {
        return offered_version(given, offered);
    }
    let Some(required) = required else { return Ok(default.to_owned()) };
    if allows(&required.specifier, default)? {
        return Ok(default.to_owned());
    }
    newest_allowed(&required.specifier, offered)?.ok_or_else(|| none_fits(required, offered))
}

/// The version that was given, if the account has it.
fn offered_version(given: &str, offered: &[String]) -> Result<String> {
    let wanted = version(given)?;
    if offered.is_empty() || offered.contains(&wanted) {
        return Ok(wanted);
    }
    Err(Error::config(format!("the account has no Python {wanted}: it has {}", list(offered))))
}

fn newest_allowed(specifier: &str, offered: &[String]) -> Result<Option<String>> {
    let mut fitting = Vec::new();
    for version in offered {
        if allows(specifier, version)? {
            fitting.push(version);
        }
    }
    fitting.sort_by_key(|version| numbers(version));
    Ok(fitting.pop().cloned())
}

fn none_fits(required: &RequiredPython, offered: &[String]) -> Error {
    Error::config(format!(
        "{} asks for Python {}, and the account has {}: change that file, or choose one ({})",
        required.source,
        required.specifier,
        list(offered),
        Setting::PythonVersion
    ))
}

fn list(offered: &[String]) -> String {
    if offered.is_empty() { "an unknown set".to_owned() } else { offered.join(", ") }
}

/// Whether a specifier allows some patch level of a version such as `3.13`.
///
/// # Errors
/// `Config` for a specifier that is none.
pub fn allows(specifier: &str, version: &str) -> Result<bool> {
    let broken = || Error::config(format!("{specifier:?} is not a valid requires-python"));
    let found = numbers(version).ok_or_else(broken)?;
    for clause in specifier.split(',').map(str::trim).filter(|clause| !clause.is_empty()) {
        if !clause_allows(clause, &found).ok_or_else(broken)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether one clause of a specifier allows the version with these numbers; `None` if it is not valid.
fn clause_allows(clause: &str, found: &[u32]) -> Option<bool> {
    let (operator, text) = clause.split_at(clause.find(|c: char| !"<>=!~".contains(c))?);
    let prefix = text.trim().strip_suffix(".*");
    let wanted = numbers(prefix.unwrap_or(text))?;
    // The minor version, which is all that there is to choose.
    let minor: Vec<u32> = wanted.iter().copied().chain([0]).take(2).collect();
    let minor = minor.as_slice();
    let has_patch = wanted.len() > 2 && wanted[2..].iter().any(|number| *number > 0);
    Some(match operator {
        // `>3.12` leaves no patch level of 3.12 out but the first, but people mean the minor version.
        ">" if wanted.len() == 2 => found > minor,
        ">=" | ">" => found >= minor,
        "<=" => found <= minor,
        "<" => found < minor || (has_patch && found == minor),
        "==" | "===" if prefix.is_some() || wanted.len() > 1 => found.starts_with(&wanted[..wanted.len().min(2)]),
        "==" | "===" => found == minor,
        "!=" => prefix.is_none() || !found.starts_with(&wanted[..wanted.len().min(2)]),
        "~=" if wanted.len() > 2 => found == minor,
        "~=" => found >= minor && found[0] == minor[0],
        _ => return None,
    })
}

fn numbers(text: &str) -> Option<Vec<u32>> {
    text.trim().split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered() -> Vec<String> {
        ["3.10", "3.11", "3.12", "3.13"].map(str::to_owned).to_vec()
    }

    fn required(specifier: &str) -> RequiredPython {
        RequiredPython { specifier: specifier.to_owned(), source: "pyproject.toml".to_owned() }
    }

    #[test]
    fn specifiers_are_compared_by_minor_version() {
        for (specifier, version, is_allowed) in [
            (">=3.10", "3.10", true),
            (">=3.10.4", "3.10", true),
            (">=3.10", "3.9", false),
            (">=3.9,<3.13", "3.13", false),
            ("<3.13.2", "3.13", true),
            (">3.12", "3.12", false),
            ("~=3.11", "3.13", true),
            ("~=3.11.0", "3.13", false),
            ("==3.12.*", "3.12", true),
            ("==3.12.4", "3.12", true),
            ("!=3.11.*", "3.11", false),
            ("!=3.11.2", "3.11", true),
            ("==3.*", "3.13", true),
            ("<4", "3.13", true),
            (" >= 3.10 , < 4.0 ", "3.13", true),
        ] {
            assert_eq!(allows(specifier, version).unwrap(), is_allowed, "{specifier} {version}");
        }
        assert!(allows("three", "3.10").is_err());
    }

    #[test]
    fn the_accounts_default_serves_unless_the_project_says_otherwise() {
        let choose = |given: Option<&str>, specifier: Option<&str>| {
            let required = specifier.map(required);
            super::choose(given, required.as_ref(), &offered(), "3.13")
        };
        assert_eq!(choose(None, None).unwrap(), "3.13");
        assert_eq!(choose(None, Some(">=3.10")).unwrap(), "3.13");
        assert_eq!(choose(None, Some("<3.13")).unwrap(), "3.12");
        assert_eq!(choose(Some("3.11"), Some("<3.11")).unwrap(), "3.11");
        assert_eq!(choose(Some("python310"), None).unwrap(), "3.10");
        let error = choose(None, Some(">=3.14")).unwrap_err().to_string();
        assert!(error.contains("3.10, 3.11, 3.12, 3.13") && error.contains("python="), "{error}");
        assert!(choose(Some("3.9"), None).unwrap_err().to_string().contains("it has 3.10"));
        assert!(choose(Some("snake"), None).is_err());
    }

    #[test]
    fn versions_come_in_several_spellings() {
        for text in ["3.13", "3.13.1", "python313", "python3.13", "313"] {
            assert_eq!(version(text).unwrap(), "3.13", "{text}");
        }
        for text in ["", "3", "2.7", "x"] {
            assert!(version(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_project_says_it_in_one_of_two_files() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(super::required(folder.path(), None), None);
        std::fs::write(folder.path().join(".python-version"), "# mine\n3.12.4\n").unwrap();
        assert_eq!(super::required(folder.path(), None).unwrap().specifier, "==3.12.*");
        let table: toml::Table = "[project]\nrequires-python = '>=3.10'".parse().unwrap();
        assert_eq!(super::required(folder.path(), Some(&table)).unwrap().specifier, ">=3.10");
        std::fs::write(folder.path().join(".python-version"), "mysite\n").unwrap();
        assert_eq!(super::required(folder.path(), None), None);
    }
}
