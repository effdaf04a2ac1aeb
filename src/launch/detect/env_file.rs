//! The environment file of a project, `.env`: names and values, without interpolation.
//!
//! The form is that of python-dotenv as people write it: `NAME=value` with an optional `export`, quotes around the value,
//! and comments. Where the tools differ (`$NAME` in a value), the text stays as it is.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What a project's environment file is called.
const NAME: &str = ".env";

/// The environment file of the project, if it has one.
#[must_use]
pub fn find(root: &Path, source: &str) -> Option<PathBuf> {
    [root.join(NAME), root.join(source).join(NAME)].into_iter().find(|file| file.is_file())
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
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let value = if let Some(quote) = quote {
            // A value in quotes may have several lines.
            let from = rest.len() - after.len() - line.len() - usize::from(rest.len() > line.len());
            let start = from + line.find('=').map_or(0, |at| at + 1);
            let opened = rest[start..].find(quote).map_or(start, |at| start + at + 1);
            let (value, end) = quoted(&rest[opened..], quote).ok_or_else(broken)?;
            let tail = &rest[opened + end..];
            let (left, next) = tail.split_once('\n').unwrap_or((tail, ""));
            if !left.trim().is_empty() && !left.trim_start().starts_with('#') {
                return Err(broken());
            }
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
