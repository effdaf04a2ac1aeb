//! The environment file of a project, `.env`: names and values, without interpolation.
//!
//! The form is that of python-dotenv as people write it: `NAME=value` with an optional `export`, quotes around the value,
//! and comments. Where the tools differ (`$NAME` in a value), the text stays as it is.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::platform::canonical;
use crate::setting::Setting;

/// What a project's environment file is called.
const NAME: &str = ".env";

/// The environment file of the project at `root`, a path without links, if it has one: there, or in a folder on the way to
/// `folder`, where its code or its settings are. Libraries look beside the settings.
///
/// # Errors
/// `Config` if it lies outside the project, as behind a link: what it has may be for another one.
pub fn find(root: &Path, folder: &Path) -> Result<Option<PathBuf>> {
    let mut folders: Vec<&Path> = folder.ancestors().take_while(|place| place.starts_with(root)).collect();
    folders.reverse();
    let files = folders.into_iter().map(|place| place.join(NAME));
    let Some(file) = files.into_iter().find(|file| file.is_file()) else { return Ok(None) };
    let target = canonical(&file).map_err(|source| Error::Local { path: file.clone(), source })?;
    if !target.starts_with(root) {
        return Err(Error::config(format!(
            "{} leads out of the project, to {}: if the web app is to have its variables, name it ({})",
            file.display(),
            target.display(),
            Setting::EnvFile
        )));
    }
    Ok(Some(file))
}

/// The variables in the text of an environment file, in its order; the last of a name counts.
///
/// # Errors
/// `Config` with the number of a line that is none. The line is not quoted, since it may hold a password.
pub fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut rest, mut number) = (text, 0);
    while !rest.is_empty() {
        number += 1;
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            rest = after;
            continue;
        }
        let broken = || Error::config(format!("line {number} of the environment file is not NAME=value"));
        let assignment = trimmed.strip_prefix("export ").unwrap_or(trimmed);
        let (name, value) = assignment.split_once('=').ok_or_else(broken)?;
        let (name, value) = (name.trim(), value.trim_start());
        let value = if value.starts_with(['"', '\'']) {
            let (value, next) = quoted_value(rest).ok_or_else(broken)?;
            number += value.matches('\n').count();
            rest = next;
            value
        } else {
            rest = after;
            let comment = value.find(" #").map_or(value, |at| &value[..at]);
            comment.trim_end().to_owned()
        };
        variables.retain(|(other, _)| other != name);
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

/// The value in the quotes that a text assigns, which may have several lines, and the lines after it.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let value = text.split_once('=')?.1.trim_start();
    let quote = value.chars().next()?;
    let inside = &value[quote.len_utf8()..];
    let (value, end) = quoted(inside, quote)?;
    let (left, next) = inside[end..].split_once('\n').unwrap_or((&inside[end..], ""));
    let is_over = left.trim().is_empty() || left.trim_start().starts_with('#');
    is_over.then_some((value, next))
}

/// A text up to its closing quote, and where what follows it begins.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            _ if c == quote => return Some((value, at + c.len_utf8())),
            '\\' => match (characters.next()?.1, quote) {
                ('n', '"') => value.push('\n'),
                ('t', '"') => value.push('\t'),
                ('r', '"') => value.push('\r'),
                (other, _) if other == quote || other == '\\' => value.push(other),
                (other, _) => value.extend(['\\', other]),
            },
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_file_on_the_way_to_the_settings_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = canonical(folder.path()).unwrap();
        let settings = root.join("web/mysite");
        std::fs::create_dir_all(&settings).unwrap();
        assert_eq!(find(&root, &settings).unwrap(), None);
        for place in [&settings, &root.join("web"), &root] {
            std::fs::write(place.join(NAME), "A=1\n").unwrap();
            assert_eq!(find(&root, &settings).unwrap(), Some(place.join(NAME)));
        }
        // One above the project is another's.
        assert_eq!(find(&settings, &settings).unwrap(), Some(settings.join(NAME)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_project_is_refused_and_one_inside_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = canonical(folder.path()).unwrap().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("inside"), "A=1\n").unwrap();
        std::os::unix::fs::symlink("inside", root.join(NAME)).unwrap();
        assert_eq!(find(&root, &root).unwrap(), Some(root.join(NAME)));
        std::fs::write(root.with_file_name("other"), "A=s3cret\n").unwrap();
        std::fs::remove_file(root.join(NAME)).unwrap();
        std::os::unix::fs::symlink("../other", root.join(NAME)).unwrap();
        let error = find(&root, &root).unwrap_err().to_string();
        assert!(error.contains("other") && error.contains("env_file=") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn the_usual_forms_are_read() {
        let text = "\u{feff}# comment\n\nA=1\nexport B = two words # not this\nC='single $A # kept'\nD=\"a\\nb \\\"c\\\"\"\n\
                    E=\nF=x#y\nG=\"two\nlines\"  # after\nA=2\r\n";
        let found = parse(text).unwrap();
        let get = |name: &str| found.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str()).unwrap();
        assert_eq!(get("A"), "2");
        assert_eq!(get("B"), "two words");
        assert_eq!(get("C"), "single $A # kept");
        assert_eq!(get("D"), "a\nb \"c\"");
        assert_eq!((get("E"), get("F"), get("G")), ("", "x#y", "two\nlines"));
        assert_eq!(found.len(), 7);
    }

    #[test]
    fn a_line_that_is_none_is_named_and_not_quoted() {
        for text in ["A=1\nsecret\n", "A=1\nB=\"secret\n", "A=1\nB='secret' more\n"] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
        }
    }
}
