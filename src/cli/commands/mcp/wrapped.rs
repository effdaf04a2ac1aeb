//! Values that go on over several lines, as formatters of code wrap them.
//!
//! What is looked for here is less than in one line: a list or a call that is wrapped has many texts in it that are labels and
//! arguments, and a file that is fine should be shown. So a text counts that the value begins with, an alternative, and the
//! default of what is looked up.

/// How many lines are read as one at most.
const MOST_LINES: usize = 16;

/// What a bracket opens and what closes it.
const OPENING: [char; 3] = ['(', '[', '{'];
const CLOSING: [char; 3] = [')', ']', '}'];

/// Prefixes of texts, such as those of raw and byte strings.
pub fn without_prefix(gap: &str) -> &str {
    gap.trim_end_matches(|c: char| "rbfuRBFU".contains(c)).trim_end()
}

/// The first of `lines` with those that it goes on in, without comments: while a bracket is open, or after a backslash.
/// Where each line stands for itself, `None`.
pub fn joined(lines: &[&str]) -> Option<String> {
    let mut text = String::new();
    let mut depth = 0;
    for (number, line) in lines.iter().take(MOST_LINES).enumerate() {
        let code = without_comment(line);
        depth += depth_of(code);
        let next = code.strip_suffix('\\');
        text.push_str(next.unwrap_or(code));
        if depth < 0 || (depth == 0 && next.is_none()) {
            return (number > 0).then_some(text);
        }
        text.push(if next.is_some() { ' ' } else { '\n' });
    }
    // What is open at the end may be the part of a file that is read.
    (lines.len() > 1).then_some(text)
}

/// Whether a text that is not empty is written down in `value`, which is that of one name. Lists and mappings are another matter.
pub fn is_written(value: &str) -> bool {
    let value = value.trim_start();
    let inner = value.trim_start_matches(|c: char| c == '(' || c.is_whitespace());
    if inner.starts_with(['[', '{']) {
        return false;
    }
    let Some(text) = Text::first_in(inner) else { return false };
    let begins = without_prefix(text.before).is_empty() && !text.inside.is_empty();
    // As where all is in one line, what is a list of other things is no secret.
    let is_list = inner.len() < value.len() && text.after.trim_start().starts_with(',');
    (begins && !is_list) || has_default(inner)
}

/// Whether a text is an alternative, as in `a or "x"`, or a default, as in `get("NAME", "x")` and `env("NAME", default="x")`.
fn has_default(value: &str) -> bool {
    let mut is_lookup = false;
    let mut rest = value;
    while let Some(text) = Text::first_in(rest) {
        let gap = without_prefix(text.before);
        let is_first =
            gap.strip_suffix('(').is_some_and(|call| call.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        if let Some((called, _)) = gap.rsplit_once('(') {
            let called = called.to_ascii_lowercase();
            is_lookup = ["env", "config"].iter().any(|word| called.contains(word));
        }
        let is_or = gap.strip_suffix("or").is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric()));
        let is_default = !is_first && is_lookup && (gap.ends_with(',') || is_named_default(gap));
        if (is_or || is_default) && !text.inside.is_empty() {
            return true;
        }
        is_lookup = if is_first { text.after.trim_start().starts_with(',') } else { is_lookup && !gap.contains(')') };
        rest = text.after;
    }
    false
}

/// Whether what follows is the value of an argument for what holds if there is no other.
fn is_named_default(gap: &str) -> bool {
    let name = gap.strip_suffix('=').map(str::trim_end);
    name.is_some_and(|name| name.ends_with("default") || name.ends_with("fallback"))
}

/// The part of a text that belongs to one name: up to the comma or the bracket after it, or the end of the line.
pub fn element(value: &str) -> &str {
    let mut depth = 0;
    for (at, c) in outside_texts(value) {
        match c {
            _ if OPENING.contains(&c) => depth += 1,
            _ if CLOSING.contains(&c) => depth -= 1,
            ',' | '\n' if depth == 0 => return &value[..at],
            _ => {}
        }
        if depth < 0 {
            return &value[..at];
        }
    }
    value
}

fn without_comment(line: &str) -> &str {
    let comment = outside_texts(line).find(|(_, c)| *c == '#');
    line[..comment.map_or(line.len(), |(at, _)| at)].trim_end()
}

/// How many more brackets a line opens than it closes.
fn depth_of(line: &str) -> i32 {
    let brackets = outside_texts(line).map(|(_, c)| i32::from(OPENING.contains(&c)) - i32::from(CLOSING.contains(&c)));
    brackets.sum()
}

/// The characters of a text that are in no quotes. A line's end ends what is in quotes: of three, most are documentation.
fn outside_texts(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut open = None;
    let mut is_escaped = false;
    text.char_indices().filter(move |(_, c)| {
        let was_open = open.is_some();
        match c {
            '\n' => open = None,
            _ if is_escaped => {}
            '"' | '\'' if open.is_none() => open = Some(*c),
            _ if open == Some(*c) => open = None,
            _ => {}
        }
        is_escaped = was_open && *c == '\\' && !is_escaped;
        !was_open || *c == '\n'
    })
}

/// A text in quotes, and what stands around it.
struct Text<'a> {
    before: &'a str,
    inside: &'a str,
    after: &'a str,
}

impl<'a> Text<'a> {
    fn first_in(value: &'a str) -> Option<Self> {
        let at = value.find(['"', '\''])?;
        let (before, rest) = value.split_at(at);
        let triple = rest[..1].repeat(3);
        let mark = if rest.starts_with(&triple) { &triple[..] } else { &triple[..1] };
        let rest = &rest[mark.len()..];
        // The end of one part of a message opens none in the next line.
        let end = rest.find(mark).into_iter().chain(rest.find('\n')).min().unwrap_or(rest.len());
        let (inside, after) = rest.split_at(end);
        Some(Self { before, inside: inside.trim(), after: after.strip_prefix(mark).unwrap_or(after) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn join(text: &str) -> Option<String> {
        joined(&text.lines().collect::<Vec<_>>())
    }

    #[test]
    fn lines_are_joined_while_they_go_on() {
        for (text, line) in [
            ("a = f(  # why (\n  'b#)',  # c\n)\nd", "a = f(\n  'b#)',\n)"),
            ("a = \\\n  b\nc", "a =    b"),
            ("a = [\n  (b,\n)]", "a = [\n  (b,\n)]"),
            ("a(\n  it's\n)", "a(\n  it's\n)"),
            ("'a\\'(',\nb(\n", ""),
            ("a)\nb(", ""),
            ("a", ""),
            ("a(", ""),
        ] {
            assert_eq!(join(text).unwrap_or_default(), line, "{text}");
        }
        let long = format!("a(\n{}", "b,\n".repeat(100));
        assert_eq!(join(&long).unwrap().lines().count(), MOST_LINES);
    }

    #[test]
    fn a_value_ends_where_the_next_begins() {
        for (text, value) in
            [("f(a, ',', b), c", "f(a, ',', b)"), ("a), b", "a"), ("a\nb", "a"), ("'a\\',', b", "'a\\','")]
        {
            assert_eq!(element(text), value);
        }
    }
}
