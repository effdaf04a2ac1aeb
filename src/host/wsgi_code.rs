//! What the text of a WSGI file tells about the environment of its web app, for commands that run outside of it.
//!
//! The file is Python and may do anything, so this errs on one side. Plain statements with constant values are carried over
//! ([`super::wsgi_literals`]); of the rest, only what is known to leave the process' environment alone passes. Running a
//! command with the wrong database is worse than not running it.

use std::collections::{BTreeMap, BTreeSet};

use super::stub::Stub;
use super::wsgi::{SETTINGS, settings_module, settings_modules};
use super::wsgi_literals::{self, Literals, end_of_text};

/// Modules whose import sets no environment variables. What a project's own module does is not known here.
const HARMLESS: [&str; 23] = [
    "__future__",
    "asgiref",
    "base64",
    "collections",
    "contextlib",
    "datetime",
    "django",
    "functools",
    "io",
    "json",
    "logging",
    "os",
    "pathlib",
    "platform",
    "re",
    "site",
    "sys",
    "time",
    "traceback",
    "typing",
    "urllib",
    "warnings",
    "whitenoise",
];

/// Calls and modules that change the environment by other means, or run code that this text does not show.
const OPAQUE: [&str; 14] = [
    "putenv",
    "unsetenv",
    "load_dotenv",
    "read_env",
    "exec",
    "eval",
    "execfile",
    "__import__",
    "import_module",
    "run_path",
    "activate_this",
    "addsitedir",
    "chdir",
    "fchdir",
];

/// What changes a list.
const CHANGES: [&str; 8] = [".append", ".insert", ".extend", ".remove", ".pop", ".clear", ".sort", ".reverse"];

/// What is known of a WSGI file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WsgiCode {
    /// Whether it is the one that the host makes for a new web app.
    pub is_placeholder: bool,
    /// The Django settings module that it names.
    pub settings: Option<String>,
    /// Environment variables that it sets for certain, besides that of the settings.
    pub variables: BTreeMap<String, String>,
    /// Those of them that it sets only where nothing else has.
    pub defaults: BTreeSet<String>,
    /// Folders that it adds to `sys.path`.
    pub path: Vec<String>,
    /// The working folder that it changes to.
    pub folder: Option<String>,
    /// The first thing that changes the environment, or may, in a way that is not known; `None` if nothing does.
    pub unknown: Option<String>,
}

impl WsgiCode {
    /// Reads the text of the WSGI file at `file` in the account of `user`; in one with the agent, the original counts.
    #[must_use]
    pub fn read(text: &str, file: &str, user: &str) -> Self {
        let original = Stub::find(text).and_then(|stub| stub.original);
        let text = original.as_deref().unwrap_or(text);
        let code = without_comments(text);
        let literals = wsgi_literals::read(&code, file, &format!("/home/{user}"));
        let Literals { mut variables, mut defaults, path, folder, rest } = literals;
        let set = variables.remove(SETTINGS);
        defaults.remove(SETTINGS);
        let named: BTreeSet<&str> = settings_modules(&rest).chain(set.as_deref()).collect();
        let several = (named.len() > 1).then(|| format!("names several settings modules ({})", join(&named)));
        let unknown = first_import(&rest)
            .or_else(|| first_opaque(&rest))
            .or_else(|| first_setting(&rest))
            .or_else(|| first_path(&rest))
            .or(several);
        let settings = set.or_else(|| settings_module(&rest).map(str::to_owned));
        Self { is_placeholder: is_placeholder(&code), settings, variables, defaults, path, folder, unknown }
    }
}

fn join(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

/// The host's own "hello world". Its code often stays in a file that loads something else further down.
fn is_placeholder(code: &str) -> bool {
    let loads_another = code.lines().any(|line| {
        let line = line.trim();
        let is_import = line.starts_with("from ") || line.starts_with("import ");
        let is_assignment = line.strip_prefix("application").is_some_and(|rest| rest.trim_start().starts_with('='));
        is_assignment || (is_import && words(line).any(|word| word == "application"))
    });
    let defined = code.lines().filter(|line| line.starts_with("def application(")).count();
    code.contains("Hello, World!") && code.contains("Page not found.") && defined == 1 && !loads_another
}

/// The text without comments, and with a name for each text of several lines unless that holds the placeholder's page.
fn without_comments(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let long = ["\"\"\"", "'''"].into_iter().find(|quotes| rest.starts_with(quotes));
        if let Some(quotes) = long {
            let end = rest[3..].find(quotes).map_or(rest.len(), |end| end + 6);
            let is_page = rest[..end].contains("Hello, World!");
            code.push_str(if is_page { "\"Hello, World!\"" } else { "_several_lines_" });
            rest = &rest[end..];
        } else if first == '#' {
            rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if matches!(first, '"' | '\'') {
            let end = end_of_text(rest, first);
            code.push_str(&rest[..end]);
            rest = &rest[end..];
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The first import of a module that may do anything.
fn first_import(code: &str) -> Option<String> {
    code.split(['\n', ';']).map(str::trim).find_map(|statement| {
        let modules = match statement.split_once(char::is_whitespace)? {
            ("import", modules) => modules,
            ("from", rest) => rest.split_once(" import")?.0,
            _ => return None,
        };
        let is_harmless = |module: &str| {
            let name = words(module).next().unwrap_or_default();
            !module.trim_start().starts_with('.') && HARMLESS.contains(&name)
        };
        let module = modules.split(',').find(|module| !is_harmless(module))?;
        Some(format!("imports {}", module.split_whitespace().next().unwrap_or(module)))
    })
}

fn first_opaque(code: &str) -> Option<String> {
    words(code).find(|word| OPAQUE.contains(word)).map(|word| format!("uses {word}"))
}

/// The first use of `os.environ` that is not plainly a reading one, but for the settings module.
fn first_setting(code: &str) -> Option<String> {
    let imported: String = code.lines().filter_map(|line| line.trim().strip_prefix("from os import")).collect();
    let from_os = imported.contains(['*', '(']) || words(&imported).any(|word| word == "environ");
    if words(&imported).any(|word| word == "as") && from_os {
        return Some("imports os.environ under another name".to_owned());
    }
    for (at, name) in code.match_indices("environ") {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let is_reading = reads(after) || names_settings(after) || is_tested(before);
        if is_of_os(before, after, from_os) && (is_deleted(before) || !is_reading) {
            return Some(quoted(code, at, name));
        }
    }
    None
}

/// Whether the name between these texts is `os.environ`. Elsewhere, it is the request's, which is called the same.
fn is_of_os(before: &str, after: &str, from_os: bool) -> bool {
    let goes_on = |c: char| c.is_alphanumeric() || c == '_';
    let is_attribute = before.trim_end().ends_with('.');
    let is_name = !before.ends_with(goes_on);
    !after.starts_with(goes_on) && (is_attribute || (is_name && from_os)) && !is_import_of(before)
}

/// The first change of the module search path.
fn first_path(code: &str) -> Option<String> {
    let mut imports = code.lines().filter_map(|line| line.trim().strip_prefix("from sys import"));
    if imports.any(|names| names.contains(['*', '(']) || words(names).any(|word| word == "path")) {
        return Some("imports sys.path by another name".to_owned());
    }
    let name = "sys.path";
    for (at, _) in code.match_indices(name) {
        let (before, after) = (&code[..at], code[at + name.len()..].trim_start());
        let item = after.strip_prefix('[').and_then(|item| item.split_once(']'));
        let is_changed = CHANGES.iter().any(|change| after.starts_with(change))
            || is_assigned(after)
            || item.is_some_and(|(_, after)| is_assigned(after))
            || is_deleted(before);
        if is_changed && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            return Some(quoted(code, at, name));
        }
    }
    None
}

/// The statement with `name` at `at`, no further than the name: what follows may be a password.
fn quoted(code: &str, at: usize, name: &str) -> String {
    let start = code[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line = code[at + name.len()..].lines().next().unwrap_or_default();
    let end = line.find(['=', '(', ',']).unwrap_or(line.len());
    let statement = format!("{}{name}{}", &code[start..at], &line[..end]);
    let statement: String = statement.trim().chars().take(80).collect();
    format!("has {statement:?}")
}

fn is_deleted(before: &str) -> bool {
    before.rsplit('\n').next().is_some_and(|line| words(line).next() == Some("del"))
}

fn is_import_of(before: &str) -> bool {
    before.rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("from os import"))
}

/// Whether what follows the name only reads: `.get(…)`, `.copy()`, or an item that is not assigned to.
fn reads(after: &str) -> bool {
    let after = after.trim_start();
    let methods = [".get(", ".copy(", ".items(", ".keys(", ".values("];
    let item = after.strip_prefix('[').and_then(|item| item.split_once(']'));
    methods.iter().any(|method| after.starts_with(method)) || item.is_some_and(|(_, rest)| !is_assigned(rest))
}

/// Whether an assignment follows: `=`, and `|=` and the like, but no comparison.
fn is_assigned(after: &str) -> bool {
    let after = after.trim_start();
    let operator: String = after.chars().take_while(|c| "=+-*/|&^%@<>!:".contains(*c)).collect();
    operator.ends_with('=') && !matches!(operator.as_str(), "==" | "!=" | "<=" | ">=")
}

/// Whether what follows sets the settings module, which is known.
fn names_settings(after: &str) -> bool {
    let line = after.lines().next().unwrap_or_default().trim_start();
    let names = line.strip_prefix('[').or_else(|| line.strip_prefix(".setdefault("));
    names.is_some_and(|names| names.trim_start_matches(['"', '\'']).starts_with("DJANGO_SETTINGS_MODULE"))
        && settings_module(line).is_some()
}

/// Whether the name is what `in` looks into.
fn is_tested(before: &str) -> bool {
    let before = before.trim_end().trim_end_matches('.');
    before.strip_suffix("os").unwrap_or(before).trim_end().ends_with(" in")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DJANGO: &str = "\
import os
import sys
# os.environ['SECRET'] = 'x'
path = os.path.expanduser('~/mysite')
if path not in sys.path:
    sys.path.insert(0, path)
os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
";

    const HELLO: &str = "\
# os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'
HELLO_WORLD = \"\"\"<html>
<h1>Hello, World!</h1>
</html>\"\"\"

def application(environ, start_response):
    if environ.get('PATH_INFO') == '/':
        content = HELLO_WORLD
    else:
        content = 'Page not found.'
    yield content.encode('utf8')
";

    fn read(text: &str) -> WsgiCode {
        WsgiCode::read(text, "/var/www/a_b_wsgi.py", "me")
    }

    #[test]
    fn the_usual_file_of_a_django_project_is_known() {
        let known = WsgiCode {
            settings: Some("mysite.settings".into()),
            path: vec!["/home/me/mysite".into()],
            ..WsgiCode::default()
        };
        assert_eq!(read(DJANGO), known);
        let installed = super::super::stub::text("a.b", &"0".repeat(32), DJANGO);
        assert_eq!(read(&installed), known);
    }

    #[test]
    fn constants_are_carried_over() {
        let more = "os.environ['DATABASE_URL'] = 'sqlite:////home/me/live.db'\nsys.path.append('/home/me/lib')\n\
                    os.environ.setdefault('SECRET_KEY', 'x#y')  # not in git\nos.chdir(path)\n";
        let code = read(&DJANGO.replace("from django", &format!("{more}from django")));
        let variables = [("DATABASE_URL", "sqlite:////home/me/live.db"), ("SECRET_KEY", "x#y")];
        assert_eq!(code.variables, variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert_eq!(code.path, ["/home/me/mysite", "/home/me/lib"]);
        assert_eq!((code.folder.as_deref(), code.unknown), (Some("/home/me/mysite"), None));
        assert_eq!(code.settings.as_deref(), Some("mysite.settings"));
    }

    #[test]
    fn the_hosts_placeholder_is_known_and_names_no_settings() {
        let code = read(HELLO);
        assert!(code.is_placeholder && code.settings.is_none(), "{code:?}");
        for more in [
            "from mysite import application\n",
            "from flask_app import app as application\n",
            "application = app\n",
            "def application(environ, start_response):\n    pass\n",
        ] {
            assert!(!read(&format!("{HELLO}{more}")).is_placeholder, "{more}");
        }
        assert!(!read(DJANGO).is_placeholder);
    }

    #[test]
    fn whatever_may_change_the_environment_and_is_not_known_counts() {
        for line in [
            "os.environ['DATABASE_URL'] = 'li' % x",
            "if x:\n    os.environ[\"DATABASE_URL\"]='live'",
            "if x: os.environ [ 'X' ] = 'live'",
            "os.environ['X'] = \"\"\"of\nseveral lines\"\"\"",
            "os.environ[NAME] = value",
            "os.environ['X'] += 'y'",
            "os.environ['X'] |= y",
            "os.environ.setdefault('X', y)",
            "os.environ.update(\n    X='y',\n)",
            "os.environ.update(DJANGO_SETTINGS_MODULE='x')",
            "os.environ |= {'X': 'y'}",
            "os.environ.pop('X')",
            "del os.environ['X']",
            "env = os.environ",
            "setup(os.environ)",
            "os.putenv('X', 'y')",
            "from os import environ\nenviron['X'] = y",
            "from os import *\nenviron['X'] = 'y'",
            "from os import path, environ as e",
            "import os as o\no.environ['X'] = 'y'",
            "from dotenv import load_dotenv",
            "import dotenv",
            "import environ",
            "import json, mysite.env",
            "from . import env",
            "from mysite.wsgi import application",
            "exec(open('activate_this.py').read())",
            "import os; import secrets_of_mine",
            "__import__('mine')",
            "os.environ['DJANGO_SETTINGS_MODULE'] = SETTINGS",
            "if x:\n    os.environ['DJANGO_SETTINGS_MODULE'] = 'other.settings'",
            "sys.path.append(x)",
            "sys.path = [x] + sys.path",
            "sys.path += ['/a']",
            "sys.path[0:0] = ['/a']",
            "del sys.path[0]",
            "if x:\n    sys.path.append('/a')",
            "from sys import path",
            "os.chdir(x)",
            "if x:\n    os.chdir('/a')",
            "from os import chdir",
        ] {
            let code = read(&format!("{DJANGO}{line}\n"));
            assert!(code.unknown.is_some(), "{line}");
        }
        let code = read("import os\nos.environ['PASSWORD'] = 's3cret' + x\n");
        assert_eq!(code.unknown.as_deref(), Some("has \"os.environ['PASSWORD']\""));
    }

    #[test]
    fn what_only_reads_the_environment_sets_nothing() {
        for line in [
            "debug = os.environ.get('DEBUG')",
            "debug = os.environ['DEBUG']",
            "debug = os.environ['DEBUG'] == 'yes'",
            "if 'DEBUG' in os.environ:\n    pass",
            "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')",
            "def application(environ, start_response):\n    environ['wsgi.url_scheme'] = 'https'",
            "# os.environ['X'] = 'y'",
            "'''\nos.environ['X'] = 'y'\nimport mine\n'''",
            "import logging, json",
            "from pathlib import Path",
            "print(sys.path, sys.path[0], sys.path_hooks)",
            "if x:\n    os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'",
        ] {
            assert_eq!(read(&format!("{DJANGO}{line}\n")).unknown, None, "{line}");
        }
    }
}
