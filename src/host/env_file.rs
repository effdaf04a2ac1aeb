//! Files of environment variables, such as `.env`: reading and writing them.
//!
//! There is no standard; what is read is what shells and the libraries for it agree on. Nothing is interpolated: `$` and
//! backquotes stand for themselves, so that a file means the same wherever it is read, and a password may contain them.

use std::iter::Peekable;
use std::str::Chars;

use crate::error::{Error, Result};

/// The variables of a file, in its order. What it names twice is there twice.
///
/// # Errors
/// `Config` with the number of a line that is none of a variable. It quotes nothing, since that may be a password.
pub fn parse(text: &str) -> Result<Vec<(String, String)>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut input = Input { characters: text.chars().peekable(), line: 1 };
    let mut variables = Vec::new();
    loop {
        input.skip(char::is_whitespace);
        match input.characters.peek() {
            None => return Ok(variables),
            Some('#') => input.skip(|c| c != '\n'),
            Some(_) => variables.push(input.variable()?),
        }
    }
}

/// The text of a file with these variables, which `parse` reads as they are.
#[must_use]
pub fn to_text<'a>(variables: impl IntoIterator<Item = (&'a String, &'a String)>) -> String {
    let line = |(name, value): (&String, &String)| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+,=".contains(c);
        if value.chars().all(is_plain) {
            return format!("{name}={value}\n");
        }
        // Only a carriage return cannot be between single quotes: before a line break it would be lost.
        if value.contains('\r') {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r").replace('\n', "\\n");
            return format!("{name}=\"{escaped}\"\n");
        }
        format!("{name}='{}'\n", value.replace('\\', "\\\\").replace('\'', "\\'"))
    };
    variables.into_iter().map(line).collect()
}

struct Input<'a> {
    characters: Peekable<Chars<'a>>,
    line: usize,
}

impl Input<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.characters.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        while self.characters.peek().is_some_and(|&c| is_skipped(c)) {
            self.next();
        }
    }

    fn take(&mut self, is_taken: impl Fn(char) -> bool) -> String {
        let taken = self.characters.clone().take_while(|&c| is_taken(c)).collect();
        self.skip(is_taken);
        taken
    }

    fn error(line: usize, what: &str) -> Error {
        Error::config(format!("line {line} {what}"))
    }

    /// `NAME=value`, with `export` before it or not, up to the end of its line.
    fn variable(&mut self) -> Result<(String, String)> {
        let line = self.line;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut name = self.take(is_name);
        self.skip(is_blank);
        if name == "export" && self.characters.peek() != Some(&'=') {
            name = self.take(is_name);
            self.skip(is_blank);
        }
        if name.is_empty() || self.characters.next_if_eq(&'=').is_none() {
            return Err(Self::error(line, "is not NAME=VALUE"));
        }
        Ok((name, self.value()?))
    }

    fn value(&mut self) -> Result<String> {
        let line = self.line;
        let before = self.take(is_blank);
        let Some(quote) = self.characters.next_if(|c| matches!(c, '"' | '\'')) else {
            return Ok(without_comment(&(before + &self.take(|c| c != '\n'))).to_owned());
        };
        let value = self.quoted(quote).ok_or_else(|| Self::error(line, "has a quote without its end"))?;
        self.skip(is_blank);
        if self.characters.peek() == Some(&'#') {
            self.skip(|c| c != '\n');
        }
        if self.characters.peek().is_some_and(|&c| c != '\n') {
            return Err(Self::error(self.line, "goes on after the value in quotes"));
        }
        Ok(value)
    }

    /// What is left of a text in quotes, which may have several lines.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut value = String::new();
        loop {
            match self.next()? {
                c if c == quote => return Some(value),
                '\\' => match self.next()? {
                    c if c == quote || c == '\\' => value.push(c),
                    'n' if quote == '"' => value.push('\n'),
                    'r' if quote == '"' => value.push('\r'),
                    't' if quote == '"' => value.push('\t'),
                    c => value.extend(['\\', c]),
                },
                c => value.push(c),
            }
        }
    }
}

fn is_blank(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// A value without quotes: a comment begins after a blank, while a colour or a password may begin with its mark.
fn without_comment(value: &str) -> &str {
    let start = value.char_indices().find(|&(at, c)| c == '#' && value[..at].ends_with(is_blank));
    value[..start.map_or(value.len(), |(at, _)| at)].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    #[test]
    fn values_are_as_written() {
        for (text, value) in [
            ("A=b", "b"),
            ("A=", ""),
            ("A = b c ", "b c"),
            ("export A=b", "b"),
            ("\u{feff}A=b\r\n", "b"),
            ("A=a#b", "a#b"),
            ("A=a b # why", "a b"),
            ("A= # why", ""),
            ("A=\t# why", ""),
            ("A=#fff", "#fff"),
            ("A=#fff # why", "#fff"),
            ("A='a # b' # why", "a # b"),
            ("A=\"a\\n\\t\\\"\\\\\\x\"", "a\n\t\"\\\\x"),
            ("A='a\\n\\'b'", "a\\n'b"),
            ("A='a\nb'", "a\nb"),
            ("A=$B ${C} `d` $(e)", "$B ${C} `d` $(e)"),
            ("A=\"${C}\"", "${C}"),
            ("A=postgres://u:p@h/d?x=1&y=2", "postgres://u:p@h/d?x=1&y=2"),
            ("A=it's", "it's"),
            ("A=ü🎉", "ü🎉"),
        ] {
            assert_eq!(parsed(text), [("A".to_owned(), value.to_owned())], "{text}");
        }
        assert_eq!(parsed("\n# no\n  # no\n\n"), []);
        assert_eq!(parsed("A=1\n\nB='2\n3'\nexport=4\n").len(), 3);
    }

    #[test]
    fn what_is_no_variable_is_named_by_its_line_and_not_quoted() {
        for (text, line) in [
            ("A=1\ns3cret\n", "line 2 is not"),
            ("s3cret key=1", "line 1 is not"),
            ("A-B=s3cret", "line 1 is not"),
            ("=s3cret", "line 1 is not"),
            ("export", "line 1 is not"),
            ("A=1\nB='s3cret\n", "line 2 has a quote"),
            ("A='x\ny' s3cret", "line 2 goes on"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(line) && !error.contains("s3cret"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_it_was() {
        let name = "A".to_owned();
        let awkward = [
            "",
            " ",
            "a b",
            "'",
            "\"",
            "\\",
            "\\'",
            "a\\",
            "\r\n",
            "\n",
            "#",
            " # ",
            "$A",
            "`",
            "\t\u{0}x",
            "ü",
            "a\rb\"\\n",
        ];
        let all: String = (1..0x300).filter_map(char::from_u32).collect();
        for value in awkward.iter().map(|&value| value.to_owned()).chain([all]) {
            assert_eq!(parsed(&to_text([(&name, &value)])), [(name.clone(), value)]);
        }
        assert_eq!(to_text([(&name, &"postgres://u:p@h/d".to_owned())]), "A=postgres://u:p@h/d\n");
    }
}
