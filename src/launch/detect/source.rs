//! Python source as text: its statements, and what they assign and import. Nothing is run.
//!
//! Only what can be told apart without a parser is read: logical lines with their indentation, texts, comments and
//! brackets. An expression stays a text, and whoever needs its value must know its form.

/// A logical line: comments are gone, brackets and backslashes are joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    /// How far it is indented, in characters; 0 is the module's own level.
    pub indent: usize,
    /// Its text in one line, but for texts of several lines.
    pub text: String,
}

/// The statements of a source text, in their order.
pub(crate) fn statements(source: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let (mut text, mut depth) = (String::new(), 0_usize);
    let mut rest = source.strip_prefix('\u{feff}').unwrap_or(source);
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '#' => length = rest.find('\n').unwrap_or(rest.len()),
            '"' | '\'' => {
                length = text_length(rest, c);
                text.push_str(&rest[..length]);
            }
            '\\' if rest[1..].starts_with(['\n', '\r']) => {
                length = rest.find('\n').map_or(rest.len(), |at| at + 1);
                text.push(' ');
            }
            '\n' if depth == 0 => push(&mut found, &mut text),
            '\n' | '\r' => text.push(' '),
            ';' if depth == 0 => {
                let indent: String = text.chars().take_while(|c| matches!(c, ' ' | '\t')).collect();
                push(&mut found, &mut text);
                text = indent;
                length += rest[1..].len() - rest[1..].trim_start_matches([' ', '\t']).len();
            }
            _ => {
                match c {
                    '(' | '[' | '{' => depth += 1,
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                text.push(c);
            }
        }
        rest = &rest[length..];
    }
    push(&mut found, &mut text);
    found
}

fn push(found: &mut Vec<Statement>, text: &mut String) {
    let line = std::mem::take(text);
    let code = line.trim();
    if !code.is_empty() {
        let indent = line.chars().take_while(|c| matches!(c, ' ' | '\t')).count();
        found.push(Statement { indent, text: code.to_owned() });
    }
}

/// How long the text in quotes is that `rest` begins with, in bytes.
fn text_length(rest: &str, quote: char) -> usize {
    let long = quote.to_string().repeat(3);
    let is_long = rest.starts_with(&long);
    let mut at = if is_long { 3 } else { 1 };
    while let Some(c) = rest[at..].chars().next() {
        match c {
            '\\' => at += 1 + rest[at + 1..].chars().next().map_or(0, char::len_utf8),
            '\n' if !is_long => return at,
            _ if is_long && rest[at..].starts_with(&long) => return at + 3,
            _ if !is_long && c == quote => return at + 1,
            _ => at += c.len_utf8(),
        }
    }
    rest.len()
}

impl Statement {
    /// The name that it assigns, and the text of the value. `X: int = 1` and `X += 1` count as well.
    pub fn assignment(&self) -> Option<(&str, &str)> {
        let end = self.text.find(|c: char| !is_name_part(c))?;
        let (name, rest) = self.text.split_at(end);
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix(':') {
            Some(annotated) => annotated.split_once('=').map(|(_, value)| value)?,
            None => rest.trim_start_matches(['+', '-', '|', '*']).strip_prefix('=')?,
        };
        (is_name(name) && !rest.starts_with('=')).then(|| (name, rest.trim()))
    }

    /// The module that it imports everything from, as in `from .base import *`.
    pub fn star_import(&self) -> Option<&str> {
        let (module, names) = self.text.strip_prefix("from ")?.split_once(" import ")?;
        (names.trim() == "*").then(|| module.trim())
    }

    /// What `from module import name as other` imports: the module, and pairs of name and the name that it gets.
    pub fn imports(&self) -> Option<(&str, Vec<(&str, &str)>)> {
        let (module, names) = self.text.strip_prefix("from ")?.split_once(" import ")?;
        let pairs = names.trim_matches(['(', ')', ' ']).split(',').filter_map(|name| {
            let (from, to) = name.trim().split_once(" as ").unwrap_or((name.trim(), name.trim()));
            is_name(from.trim()).then(|| (from.trim(), to.trim()))
        });
        Some((module.trim(), pairs.collect()))
    }

    /// The function that it defines, with its parameters as text.
    pub fn definition(&self) -> Option<(&str, &str)> {
        let rest = self.text.strip_prefix("def ")?;
        let (name, parameters) = rest.split_once('(')?;
        Some((name.trim(), parameters.rsplit_once(')').map_or(parameters, |(inside, _)| inside)))
    }
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Whether a text can be the name of a variable or a module.
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_') && text.chars().all(is_name_part)
}

/// The value of an expression that is one plain text, such as `"x"`.
pub(crate) fn text_value(expression: &str) -> Option<&str> {
    let quote = expression.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let whole = text_length(expression, quote) == expression.len();
    let inner = expression.strip_prefix(quote)?.strip_suffix(quote)?;
    (whole && !inner.contains(['\\', quote])).then_some(inner)
}

/// The items of an expression that is a list or tuple of plain texts.
pub(crate) fn text_items(expression: &str) -> Option<Vec<&str>> {
    let in_brackets = |(open, close)| expression.strip_prefix::<char>(open)?.strip_suffix::<char>(close);
    let inner = [('[', ']'), ('(', ')')].into_iter().find_map(in_brackets)?;
    inner.split(',').map(str::trim).filter(|item| !item.is_empty()).map(text_value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_logical_lines_without_comments() {
        let source = "\u{feff}\"\"\"A # text\nof two lines\"\"\"\nX = [  # first\n    'a#b',\n    \"c\",\n]\nif X:\n    Y = 1; Z = \\\n        2\n";
        let found: Vec<(usize, String)> =
            statements(source).into_iter().map(|statement| (statement.indent, statement.text)).collect();
        assert_eq!(found[0], (0, "\"\"\"A # text\nof two lines\"\"\"".to_owned()));
        assert_eq!(found[1].1.replace(' ', ""), "X=['a#b',\"c\",]");
        assert_eq!(found[2], (0, "if X:".to_owned()));
        assert_eq!((found[3].0, found[3].1.as_str()), (4, "Y = 1"));
        assert_eq!(found[4].0, 4);
        assert!(found[4].1.starts_with("Z = ") && found[4].1.ends_with('2'));
    }

    #[test]
    fn assignments_and_imports_are_told_apart() {
        let one = |text: &str| statements(text).remove(0);
        assert_eq!(one("DEBUG = True").assignment(), Some(("DEBUG", "True")));
        assert_eq!(one("DEBUG: bool = True").assignment(), Some(("DEBUG", "True")));
        assert_eq!(one("X += ['a']").assignment(), Some(("X", "['a']")));
        for other in ["DEBUG == True", "f(x)", "x.y = 1", "if x: y = 1", "return"] {
            assert_eq!(one(other).assignment(), None, "{other}");
        }
        assert_eq!(one("from .base import *").star_import(), Some(".base"));
        assert_eq!(one("from a import (b, c as d)").imports(), Some(("a", vec![("b", "b"), ("c", "d")])));
        assert_eq!(one("def application(environ, start):").definition(), Some(("application", "environ, start")));
    }

    #[test]
    fn only_plain_texts_have_values() {
        assert_eq!(text_value("'x y'"), Some("x y"));
        for other in ["x", "'a' + 'b'", "f'x'", "'a' 'b'", "'a\\n'", ""] {
            assert_eq!(text_value(other), None, "{other}");
        }
        assert_eq!(text_items("['a', \"b\",]"), Some(vec!["a", "b"]));
        assert_eq!(text_items("[]"), Some(Vec::new()));
        assert_eq!(text_items("[x]"), None);
        assert_eq!(text_items("env.list('X')"), None);
    }
}
