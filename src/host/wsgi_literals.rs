//! What a WSGI file does to the environment in plain statements with constant values: variables, the module search path,
//! the working folder.
//!
//! Only statements at the top level count, in their order, and only where their effect is certain. They are taken out of
//! the text, and whatever else in it touches the environment is for [`super::wsgi_code`] to refuse. So an expression that
//! is not understood here is never guessed, and the little of Python that is read (texts, `os.path`, `pathlib`, names that
//! stand for them) is what people write in these files.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// What the plain statements do, and the text without them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Literals {
    /// Environment variables that are set.
    pub variables: BTreeMap<String, String>,
    /// Those of them that it sets only where nothing else has.
    pub defaults: BTreeSet<String>,
    /// Folders that are added to `sys.path`, in their order there.
    pub path: Vec<String>,
    /// The working folder, if it is changed.
    pub folder: Option<String>,
    /// The rest of the text.
    pub rest: String,
}

/// Reads a text without comments. `file` is the path of the WSGI file, `home` that of the account's home folder.
pub(super) fn read(code: &str, file: &str, home: &str) -> Literals {
    let lines = logical_lines(code);
    let mut reader =
        Reader { literals: Literals::default(), constants: BTreeMap::new(), file, home, has_environ: false };
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let body = lines[at + 1..].iter().take_while(|line| is_indented(line) || line.trim().is_empty()).count();
        let block = &lines[at + 1..=at + body];
        at += 1 + body;
        if !reader.block(line, block) {
            for line in std::iter::once(line).chain(block) {
                reader.literals.rest.push_str(line);
                reader.literals.rest.push('\n');
            }
        }
    }
    reader.literals
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t'])
}

/// The lines as Python sees them: brackets and backslashes continue one.
fn logical_lines(code: &str) -> Vec<&str> {
    let (mut lines, mut start, mut depth, mut at) = (Vec::new(), 0, 0_usize, 0);
    while let Some(c) = code[at..].chars().next() {
        at += match c {
            '"' | '\'' => end_of_text(&code[at..], c),
            '\\' => 1 + code[at + 1..].chars().next().map_or(0, char::len_utf8),
            _ => c.len_utf8(),
        };
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '\n' if depth == 0 => {
                lines.push(&code[start..at - 1]);
                start = at;
            }
            _ => {}
        }
    }
    lines.push(&code[start..]);
    lines
}

/// Where a text in quotes ends, which is on its line.
pub(super) fn end_of_text(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\n' => return at,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The statements of a line, unless it begins a block.
fn statements(line: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut at) = (Vec::new(), 0, 0_usize, 0);
    while let Some(c) = line[at..].chars().next() {
        let next = at + if matches!(c, '"' | '\'') { end_of_text(&line[at..], c) } else { c.len_utf8() };
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => return vec![line],
            ';' if depth == 0 => {
                parts.push(&line[start..at]);
                start = next;
            }
            _ => {}
        }
        at = next;
    }
    parts.push(&line[start..]);
    parts
}

struct Reader<'a> {
    literals: Literals,
    /// Names that stand for a known text.
    constants: BTreeMap<String, String>,
    file: &'a str,
    home: &'a str,
    /// Whether `environ` is that of `os`.
    has_environ: bool,
}

/// An addition to `sys.path`: where, and what.
enum Addition {
    First(String),
    Last(String),
}

impl Reader<'_> {
    /// Reads a line at the top level with the block below it; whether all of it is understood.
    fn block(&mut self, line: &str, block: &[&str]) -> bool {
        let block: Vec<&str> = block.iter().copied().filter(|line| !line.trim().is_empty()).collect();
        if is_indented(line) {
            return false;
        }
        if let Some(additions) = self.guarded_additions(line, &block) {
            for addition in additions {
                self.add(addition);
            }
            return true;
        }
        let parts = statements(line);
        let mut is_whole = block.is_empty();
        for part in &parts {
            is_whole &= part.trim().is_empty() || self.statement(part);
        }
        if !is_whole {
            // What it gives to a name is not known.
            let text = std::iter::once(line).chain(block).collect::<Vec<_>>().join("\n");
            self.forget_names(&text);
        }
        is_whole
    }

    /// `if X not in sys.path:` with nothing but additions below it.
    fn guarded_additions(&self, line: &str, block: &[&str]) -> Option<Vec<Addition>> {
        let mut input = line.trim().strip_prefix("if ")?;
        self.expression(&mut input)?;
        for token in ["not", "in", "sys", ".", "path", ":"] {
            expect(&mut input, token)?;
        }
        let body = std::iter::once(input).chain(block.iter().copied()).flat_map(statements);
        let body = body.filter(|statement| !statement.trim().is_empty());
        body.map(|statement| self.addition(statement)).collect()
    }

    /// Reads a simple statement; whether its effect is known and it may go.
    fn statement(&mut self, text: &str) -> bool {
        let text = text.trim();
        if let Some(addition) = self.addition(text) {
            self.add(addition);
        } else if let Some((name, value, replaces)) = self.variable(text) {
            self.set(name, value, replaces);
        } else if let Some(folder) = self.call(text, "os.chdir(") {
            self.literals.folder = Some(folder);
        } else {
            self.has_environ |= text.split_whitespace().eq(["from", "os", "import", "environ"]);
            if let Some((name, value)) = self.assignment(text) {
                self.constants.insert(name, value);
                return true;
            }
            return false;
        }
        true
    }

    fn add(&mut self, addition: Addition) {
        let (Addition::First(place) | Addition::Last(place)) = &addition;
        if !self.literals.path.contains(place) {
            match addition {
                Addition::First(place) => self.literals.path.insert(0, place),
                Addition::Last(place) => self.literals.path.push(place),
            }
        }
    }

    /// Sets an environment variable, or its default.
    fn set(&mut self, name: String, value: String, replaces: bool) {
        let Literals { variables, defaults, .. } = &mut self.literals;
        if replaces {
            defaults.remove(&name);
            variables.insert(name, value);
        } else if let Entry::Vacant(entry) = variables.entry(name) {
            defaults.insert(entry.key().clone());
            entry.insert(value);
        }
    }

    /// `sys.path.append(…)` and `sys.path.insert(…, …)`.
    fn addition(&self, text: &str) -> Option<Addition> {
        if let Some(place) = self.call(text, "sys.path.append(") {
            return Some(Addition::Last(place));
        }
        let (index, rest) = text.trim().strip_prefix("sys.path.insert(")?.split_once(',')?;
        index.trim().parse::<u32>().ok()?;
        self.call(&format!("({rest}"), "(").map(Addition::First)
    }

    /// The absolute path that a call is given.
    fn call(&self, text: &str, start: &str) -> Option<String> {
        let mut input = text.trim().strip_prefix(start)?;
        let path = self.expression(&mut input)?;
        expect(&mut input, ")")?;
        (input.trim().is_empty() && path.starts_with('/') && !path.contains(':')).then_some(path)
    }

    /// `os.environ[…] = …` and `os.environ.setdefault(…, …)`: the name, the value, and whether it replaces another.
    fn variable(&self, text: &str) -> Option<(String, String, bool)> {
        let mut input = match text.strip_prefix("os.environ") {
            Some(rest) => rest,
            None => text.strip_prefix("environ").filter(|_| self.has_environ)?,
        };
        let is_item = expect(&mut input, "[").is_some();
        if !is_item {
            for token in [".", "setdefault", "("] {
                expect(&mut input, token)?;
            }
        }
        let name = self.expression(&mut input)?;
        if is_item {
            expect(&mut input, "]")?;
        }
        expect(&mut input, if is_item { "=" } else { "," })?;
        let value = self.expression(&mut input)?;
        if !is_item {
            expect(&mut input, ")")?;
        }
        let is_whole =
            input.trim().is_empty() && !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0');
        is_whole.then_some((name, value, is_item))
    }

    /// `NAME = …`.
    fn assignment(&self, mut input: &str) -> Option<(String, String)> {
        let name = identifier(&mut input)?;
        expect(&mut input, "=")?;
        let value = self.expression(&mut input)?;
        input.trim().is_empty().then(|| (name.to_owned(), value))
    }

    fn forget_names(&mut self, text: &str) {
        let gives = text.contains('=')
            || text
                .split_whitespace()
                .any(|word| matches!(word, "for" | "as" | "del" | "global" | "import" | "def" | "class"));
        let has = |name: &str| text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name);
        if gives {
            self.constants.retain(|name, _| !has(name));
        }
    }

    /// The text that an expression stands for: terms with `+` (texts) or `/` (paths) between them.
    fn expression(&self, input: &mut &str) -> Option<String> {
        let mut value = self.term(input)?;
        loop {
            if expect(input, "+").is_some() {
                value.push_str(&self.term(input)?);
            } else if expect(input, "/").is_some() {
                value = join(&value, &self.term(input)?);
            } else {
                return Some(value);
            }
        }
    }

    fn term(&self, input: &mut &str) -> Option<String> {
        let mut value = self.atom(input)?;
        while expect(input, ".").is_some() {
            value = match identifier(input)? {
                "parent" => dirname(&value),
                "resolve" | "absolute" => {
                    expect(input, "(")?;
                    expect(input, ")")?;
                    normal(&value)?
                }
                _ => return None,
            };
        }
        Some(value)
    }

    fn atom(&self, input: &mut &str) -> Option<String> {
        if expect(input, "(").is_some() {
            let value = self.expression(input)?;
            expect(input, ")")?;
            return Some(value);
        }
        if let Some(mut value) = text_literal(input) {
            // Neighbours are one text.
            while input.trim_start().starts_with(['"', '\'']) {
                value.push_str(&text_literal(input)?);
            }
            return Some(value);
        }
        let name = dotted_name(input)?;
        if expect(input, "(").is_none() {
            return if name == "__file__" { Some(self.file.to_owned()) } else { self.constants.get(&name).cloned() };
        }
        let arguments = self.arguments(input)?;
        self.function(&name, &arguments)
    }

    /// The arguments of a call, up to the bracket after them.
    fn arguments(&self, input: &mut &str) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        while expect(input, ")").is_none() {
            arguments.push(self.expression(input)?);
            if expect(input, ",").is_none() {
                expect(input, ")")?;
                break;
            }
        }
        Some(arguments)
    }

    fn function(&self, name: &str, arguments: &[String]) -> Option<String> {
        match (name.strip_prefix("pathlib.").unwrap_or(name), arguments) {
            ("str" | "Path", [path]) => Some(path.clone()),
            ("Path.home", []) => Some(self.home.to_owned()),
            ("os.path.join" | "Path", [first, rest @ ..]) => {
                Some(rest.iter().fold(first.clone(), |path, name| join(&path, name)))
            }
            ("os.path.dirname", [path]) => Some(dirname(path)),
            // Links on the host are not known; the account's own folders are none.
            ("os.path.abspath" | "os.path.realpath" | "os.path.normpath", [path]) => normal(path),
            ("os.path.expanduser", [path]) => match path.strip_prefix('~') {
                None => Some(path.clone()),
                Some(rest) if rest.is_empty() || rest.starts_with('/') => Some(format!("{}{rest}", self.home)),
                Some(_) => None,
            },
            _ => None,
        }
    }
}

/// Takes `token` from the beginning of what is left; a name must end there, and `=` must not be part of `==`.
fn expect(input: &mut &str, token: &str) -> Option<()> {
    let rest = input.trim_start_matches([' ', '\t', '\n', '\r', '\\']).strip_prefix(token)?;
    let is_name = token.starts_with(|c: char| c.is_alphabetic());
    let goes_on = match rest.chars().next() {
        Some(c) if is_name => c.is_alphanumeric() || c == '_',
        Some(c) => (token == "=" && c == '=') || (token == "/" && c == '/'),
        None => false,
    };
    if goes_on {
        return None;
    }
    *input = rest;
    Some(())
}

fn identifier<'a>(input: &mut &'a str) -> Option<&'a str> {
    let text = input.trim_start_matches([' ', '\t', '\n', '\r', '\\']);
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    let name = &text[..end];
    if name.is_empty() || name.starts_with(|c: char| c.is_numeric()) {
        return None;
    }
    *input = &text[end..];
    Some(name)
}

/// A name, with those of attributes where it is one of a module that is known.
fn dotted_name(input: &mut &str) -> Option<String> {
    let mut name = identifier(input)?.to_owned();
    if matches!(name.as_str(), "os" | "pathlib" | "Path") {
        while expect(input, ".").is_some() {
            name = format!("{name}.{}", identifier(input)?);
        }
    }
    Some(name)
}

/// A text in quotes. Bytes, formatted texts and rare escapes are not read.
fn text_literal(input: &mut &str) -> Option<String> {
    let text = input.trim_start_matches([' ', '\t', '\n', '\r', '\\']);
    let quoted = text.trim_start_matches(['r', 'R', 'u', 'U']);
    let prefix = &text[..text.len() - quoted.len()];
    let quote = quoted.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let end = end_of_text(quoted, quote);
    let inside = quoted[..end].strip_prefix(quote)?.strip_suffix(quote)?;
    if prefix.len() > 1 || inside.contains('\n') || end < 2 {
        return None;
    }
    let value = if prefix.eq_ignore_ascii_case("r") { inside.to_owned() } else { unescaped(inside)? };
    *input = &quoted[end..];
    Some(value)
}

fn unescaped(text: &str) -> Option<String> {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        value.push(match c {
            '\\' => match characters.next()? {
                'n' => '\n',
                't' => '\t',
                c @ ('\\' | '\'' | '"') => c,
                _ => return None,
            },
            c => c,
        });
    }
    Some(value)
}

fn join(path: &str, name: &str) -> String {
    if name.starts_with('/') || path.is_empty() {
        return name.to_owned();
    }
    format!("{}/{name}", path.trim_end_matches('/'))
}

fn dirname(path: &str) -> String {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    if folder.is_empty() && path.starts_with('/') { "/".to_owned() } else { folder.to_owned() }
}

/// An absolute path without `.` and `..`.
fn normal(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.strip_prefix('/')?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literals(code: &str) -> Literals {
        read(code, "/var/www/a_b_wsgi.py", "/home/me")
    }

    #[test]
    fn plain_statements_are_taken_out_of_the_text() {
        let read = literals(
            "import os, sys\nos.environ['A'] = 'x y'\nos.environ.setdefault(\"B\", 'it\\'s' \"#1\")\n\
             os.environ[ 'A' ]='z'; os.environ.setdefault('A', 'no')\nsys.path.append('/home/me/last')\n\
             sys.path.insert(0, '/home/me/first')\nos.chdir('/home/me/site')\nx = f()\n",
        );
        let variables = [("A", "z"), ("B", "it's#1")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read.variables, variables.into());
        assert_eq!(read.defaults, ["B".to_owned()].into());
        assert_eq!(read.path, ["/home/me/first", "/home/me/last"]);
        assert_eq!(read.folder.as_deref(), Some("/home/me/site"));
        assert_eq!(read.rest, "import os, sys\nx = f()\n\n");
    }

    #[test]
    fn expressions_are_those_that_people_write_for_paths() {
        for (expression, value) in [
            ("'/a/' + 'b'", "/a/b"),
            ("('/a'\n    '/b')", "/a/b"),
            ("r'/a\\b'", "/a\\b"),
            ("os.path.expanduser('~/site')", "/home/me/site"),
            ("os.path.expanduser('~')", "/home/me"),
            ("os.path.join('/a', 'b', 'c',)", "/a/b/c"),
            ("os.path.dirname(os.path.abspath(__file__))", "/var/www"),
            ("os.path.normpath('/a/./b/../c')", "/a/c"),
            ("str(Path(__file__).resolve().parent.parent / 'lib')", "/var/lib"),
            ("str(pathlib.Path.home() / 'x')", "/home/me/x"),
            ("HERE", "/here"),
            ("os.path.join(HERE, 'x')", "/here/x"),
        ] {
            let read = literals(&format!("HERE = '/here'\nsys.path.append({expression})\n"));
            assert_eq!(read.path, [value], "{expression}");
        }
        for expression in [
            "x",
            "f()",
            "f'/a'",
            "b'/a'",
            "'/a' % x",
            "'/a'.lower()",
            "'a'",
            "'/\\x61'",
            "'/a' if x else '/b'",
            "*p",
            "os.path.expanduser('~you')",
            "os.path.abspath('x')",
            "'/a' '",
            "'/a:b'",
            "os.environ['X']",
            "'/a', 1",
        ] {
            let code = format!("sys.path.append({expression})\n");
            let read = literals(&code);
            assert!(read.path.is_empty() && read.rest.contains("append"), "{expression}: {read:?}");
        }
    }

    #[test]
    fn a_folder_is_added_once_where_it_is_asked_for_first() {
        for code in [
            "p = '/a'\nif p not in sys.path:\n    sys.path.append(p)\n\n",
            "if '/a' not in sys.path: sys.path.insert(0, '/a')\n",
            "p = '/a'\nif p not in sys.path:\n\n    sys.path.insert(0, p)\nsys.path.append(p)\n",
        ] {
            let read = literals(code);
            assert_eq!((read.path, read.rest.trim()), (vec!["/a".to_owned()], ""), "{code}");
        }
    }

    #[test]
    fn what_may_happen_or_not_is_left_in_the_text() {
        for code in [
            "if x:\n    os.environ['A'] = 'x'\n",
            "if x: os.environ['A'] = 'x'; os.environ['B'] = 'x'\n",
            "def f():\n    os.environ['A'] = 'x'\n",
            "try:\n    os.environ['A'] = 'x'\nexcept E:\n    pass\n",
            "if '/a' not in sys.path:\n    os.environ['A'] = 'x'\n",
            "os.environ['A'] = 'x' if y else 'z'\n",
            "os.environ['A'] = A = 'x'\n",
            "os.environ['A'] == 'x'\n",
            "os.environ['A'] += 'x'\n",
            "environ['A'] = 'x'\n",
            "a.os.environ['A'] = 'x'\n",
            "A = 'x'\nif y:\n    A = 'z'\nos.environ['A'] = A\n",
            "A = 'x'\nfor A in y: pass\nos.environ['A'] = A\n",
            "A = 'x'\nA += 'y'\nos.environ['A'] = A\n",
            "A = 'x'\nfrom y import A\nos.environ['A'] = A\n",
        ] {
            let read = literals(code);
            assert!(read.variables.is_empty() && read.rest.contains("environ"), "{code}{read:?}");
        }
        assert_eq!(literals("from os import environ\nenviron['A'] = 'x'\n").variables.len(), 1);
    }
}
