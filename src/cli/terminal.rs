//! What may reach a terminal.
//!
//! Names, messages, histories and logs come from the host, and whoever can write there must not control the terminal of
//! the person who reads them: its title, its clipboard, what it seems to show. So everything that is printed goes
//! through here once, in [`super::output`], and no command has to remember it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What stands in place of a password.
const MASK: &str = "********";

/// Whether a terminal acts on a character rather than showing it, or shows what follows in another order.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of several lines as it can be shown: what a terminal would act on is escaped, as in `\u{1b}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_layout = |c| matches!(c, '\n' | '\t');
    if !text.chars().any(|c| is_unsafe(c) && !is_layout(c)) {
        return Cow::Borrowed(text);
    }
    // The lines of some logs end as on Windows.
    escape(&text.replace("\r\n", "\n"), |c| is_unsafe(c) && !is_layout(c)).into()
}

/// Prints a line on stderr. Where that has no reader, nobody is told.
pub fn print_line(text: &str) {
    let line = format!("{}\n", printable(text));
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

/// A name as it can be shown in one line.
#[must_use]
pub fn shown(name: &str) -> String {
    escape(name, is_unsafe)
}

/// A text with some of its characters escaped.
pub fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_escaped(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A JSON document in which the same characters are escaped; but for line breaks they occur only in its strings.
#[must_use]
pub fn json(document: &str) -> String {
    let mut escaped = String::with_capacity(document.len());
    for c in document.chars() {
        if is_unsafe(c) && c != '\n' {
            // None of them is outside the first plane, which one escape can write.
            // Writing to a String does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A value without the passwords in it.
#[must_use]
pub fn masked(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) if is_secret(name) && !text.is_empty() => (name.clone(), MASK.into()),
                other => (name.clone(), masked(other)),
            })
            .collect(),
        other => other.clone(),
    }
}

/// A value without the fields that hold passwords.
#[must_use]
pub fn without_passwords(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(without_passwords).collect(),
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(name, _)| !is_secret(name));
            shown.map(|(name, value)| (name.clone(), without_passwords(value))).collect()
        }
        other => other.clone(),
    }
}

/// Whether a field holds a password.
fn is_secret(name: &str) -> bool {
    name == "password" || name.ends_with("_password")
}

/// Whether the terminal, if there is one, takes no control sequences.
#[must_use]
pub fn is_plain() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|kind| kind == "dumb")
}

/// The columns that a text takes.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.width()
}

/// A line that takes no more than `width` columns.
#[must_use]
pub fn cut(line: &str, width: usize) -> Cow<'_, str> {
    if columns(line) <= width {
        return Cow::Borrowed(line);
    }
    let mut left = width.saturating_sub(1);
    let mut kept = String::new();
    for c in line.chars() {
        let Some(rest) = left.checked_sub(c.width().unwrap_or(0)) else { break };
        left = rest;
        kept.push(c);
    }
    kept.push('…');
    kept.into()
}

/// The end of a line, in no more than `width` columns: of a path, that is what tells it from others.
#[must_use]
pub fn cut_start(line: &str, width: usize) -> Cow<'_, str> {
    if columns(line) <= width {
        return Cow::Borrowed(line);
    }
    backwards(&cut(&backwards(line), width)).into()
}

fn backwards(line: &str) -> String {
    line.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json as value;

    use super::*;

    #[test]
    fn nothing_from_the_host_controls_the_terminal() {
        assert_eq!(printable("a\x1b]0;title\x07b"), "a\\u{1b}]0;title\\u{7}b");
        assert_eq!(printable("\u{9b}2J\u{7f}"), "\\u{9b}2J\\u{7f}");
        assert_eq!(printable("evil\u{202e}gpj.exe\u{2066}"), "evil\\u{202e}gpj.exe\\u{2066}");
        assert_eq!(printable("one\ttwo\r\nthree\rfour"), "one\ttwo\nthree\\rfour");
        assert_eq!(printable("grün 漢字 🎉\n"), "grün 漢字 🎉\n");
    }

    #[test]
    fn names_stay_in_one_line() {
        assert_eq!(shown("a\x1b[2J\n\tb"), "a\\u{1b}[2J\\n\\tb");
        assert_eq!(shown("grün"), "grün");
    }

    #[test]
    fn a_document_is_the_same_with_its_characters_escaped() {
        let document = value!({"a\u{202e}": "\u{1b}\u{9b}\u{7f}\u{2028} ü"});
        let text = json(&document.to_string());
        assert_eq!(text, r#"{"a\u202e":"\u001b\u009b\u007f\u2028 ü"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), document);
    }

    #[test]
    fn passwords_are_masked_wherever_they_are() {
        let app =
            value!([{"password_protection_password": "s3cret", "password_protection_enabled": true, "password": ""}]);
        let shown =
            value!([{"password_protection_password": MASK, "password_protection_enabled": true, "password": ""}]);
        assert_eq!(masked(&app), shown);
        assert_eq!(without_passwords(&app), value!([{"password_protection_enabled": true}]));
    }

    #[test]
    fn a_line_is_cut_to_the_columns_it_may_take() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 5), "abcd…");
        assert_eq!(cut("漢字漢字", 6), "漢字…");
        assert_eq!([cut_start("a/b.py", 6), cut_start("a/b.py", 5)], ["a/b.py", "…b.py"]);
    }
}
