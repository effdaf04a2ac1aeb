//! The WSGI file that serves a project, and what is told of one that is there.
//!
//! Ours begins with a line that has the digest of the rest: so a file of ours that nobody changed is known, and replaced
//! where something else is to be served. One that was changed is the user's.

use crate::digest::sha256;
use crate::error::Error;
use crate::host::WsgiCode;
use crate::launch::detect::project::{DetectedProject, ProjectKind};
use crate::launch::detect::source::{Statement, statements};
use crate::setting::Setting;

/// What the first line begins with.
const MARK: &str = "# Written by \"pya launch\" (";

/// What a WSGI file is to us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WsgiState {
    /// It is not there, or empty.
    #[default]
    Absent,
    /// The host's own "hello world".
    Placeholder,
    /// It is as it is to be.
    Wanted,
    /// Ours, for something else.
    Ours,
    /// Ours, changed since; it serves the same settings.
    Edited,
    /// Somebody else's.
    Foreign,
}

impl WsgiState {
    /// Whether it serves the project as it is.
    #[must_use]
    pub fn serves(self) -> bool {
        matches!(self, Self::Wanted | Self::Edited)
    }
}

/// The text of the WSGI file for a project whose code is in the folder `path` of the host, which is `user`'s.
#[must_use]
pub fn wsgi_text(project: &DetectedProject, settings: Option<&str>, path: &str, user: &str) -> String {
    let quoted = |path: &str| serde_json::to_string(path).expect("a text makes JSON");
    // As the service's own examples have it. Not every emulator's processes see the home folder at its path.
    let path = match path.strip_prefix(&format!("/home/{user}/")) {
        Some(below) => format!("os.path.expanduser({})", quoted(&format!("~/{below}"))),
        None => quoted(path),
    };
    let load = load_text(&project.kind, settings);
    let body = format!(
        "# Changes of yours stay: a changed file is not written again unless you ask for it.\n\
         import os\nimport sys\n\npath = {path}\nif path not in sys.path:\n    sys.path.insert(0, path)\n{load}"
    );
    format!("{MARK}{}): it loads the project.\n{body}", digest(&body))
}

/// The lines that load the project.
fn load_text(kind: &ProjectKind, settings: Option<&str>) -> String {
    match kind {
        ProjectKind::Django { settings: own, .. } => {
            let settings = settings.unwrap_or(own);
            format!(
                "os.environ[\"DJANGO_SETTINGS_MODULE\"] = \"{settings}\"\n\n\
                 from django.core.wsgi import get_wsgi_application  # noqa: E402\n\n\
                 application = get_wsgi_application()\n"
            )
        }
        ProjectKind::Wsgi(app) | ProjectKind::Asgi(app) => {
            let renamed = if app.name == "application" { "" } else { " as application" };
            format!("\nfrom {} import {}{renamed}  # noqa: E402, F401\n", app.module, app.name)
        }
    }
}

/// Whether a text was written by a launch, also if it was changed since.
#[must_use]
pub fn is_written_here(text: &str) -> bool {
    text.starts_with(MARK)
}

fn digest(body: &str) -> String {
    let mut digest = sha256(body);
    digest.truncate(16);
    digest
}

/// What the WSGI file `text` is; the agent's stub must be taken off it before.
#[must_use]
pub fn state_of(text: Option<&str>, wanted: &str, file: &str, user: &str) -> WsgiState {
    let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return WsgiState::Absent };
    if text == wanted {
        return WsgiState::Wanted;
    }
    if is_placeholder(text) {
        return WsgiState::Placeholder;
    }
    let Some((first, body)) = text.split_once('\n').filter(|(first, _)| first.starts_with(MARK)) else {
        return WsgiState::Foreign;
    };
    if first[MARK.len()..].starts_with(&digest(body)) {
        return WsgiState::Ours;
    }
    let read = |text: &str| WsgiCode::read(text, file, user);
    let (found, ours) = (read(text), read(wanted));
    let serves_the_same = found.settings == ours.settings && ours.path.iter().all(|path| found.path.contains(path));
    if serves_the_same { WsgiState::Edited } else { WsgiState::Foreign }
}

/// What is said of a WSGI file of somebody else that is not to be replaced.
#[must_use]
pub fn refused(file: &str) -> Error {
    Error::config(format!(
        "{file} is not one that this program wrote, and launching would replace it: let it be replaced ({}; a copy is kept), \
         or deploy to the site that it serves (\"pya deploy\")",
        Setting::ReplaceWsgi
    ))
}

/// How the lines in the function of the host's file begin.
const PLACEHOLDER_LINES: [&str; 8] = [
    "if environ.get(",
    "else:",
    "status = ",
    "content = ",
    "response_headers = ",
    "start_response(status, response_headers)",
    "yield content.encode(",
    ")",
];

/// Whether a text is the file that the host makes for a new web app: its one function and nothing else.
fn is_placeholder(text: &str) -> bool {
    let code = statements(text);
    let is_text = |text: &str| text.starts_with(['"', '\'']);
    let is_outer = |statement: &Statement| {
        let page = statement.assignment().is_some_and(|(name, value)| name == "HELLO_WORLD" && is_text(value));
        page || is_text(&statement.text) || statement.text.starts_with("def application(environ, start_response)")
    };
    let functions = code.iter().filter(|statement| statement.indent == 0 && statement.definition().is_some()).count();
    let is_known = |statement: &Statement| match statement.indent {
        0 => is_outer(statement),
        _ => PLACEHOLDER_LINES.iter().any(|line| statement.text.starts_with(line)),
    };
    functions == 1 && code.iter().all(is_known) && text.contains("Hello, World!") && text.contains("Page not found.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::detect::project::{DetectOptions, detect};

    const HELLO: &str = "\
# +++++++++++ GENERAL DEBUGGING TIPS +++++++++++
HELLO_WORLD = \"\"\"<html>
    <head><title>PythonAnywhere hosted web application</title></head>
    <body><h1>Hello, World!</h1></body>
</html>\"\"\"


def application(environ, start_response):
    if environ.get('PATH_INFO') == '/':
        status = '200 OK'
        content = HELLO_WORLD
    else:
        status = '404 NOT FOUND'
        content = 'Page not found.'
    response_headers = [('Content-Type', 'text/html'), ('Content-Length', str(len(content)))]
    start_response(status, response_headers)
    yield content.encode('utf8')

# +++++++++++ DJANGO +++++++++++
#import os
#os.environ['DJANGO_SETTINGS_MODULE'] = 'mysite.settings'
";

    fn flask(source: &str) -> DetectedProject {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("app.py"), source).unwrap();
        detect(folder.path(), &DetectOptions::default()).unwrap()
    }

    #[test]
    fn a_wsgi_file_is_known_by_what_it_is() {
        let project = flask("app = Flask(__name__)\n");
        let wanted = wsgi_text(&project, None, "/home/me/site", "me");
        let state = |text: &str| state_of(Some(text), &wanted, "/var/www/a_b_wsgi.py", "me");
        assert!(wanted.contains("from app import app as application"), "{wanted}");
        assert!(wanted.contains("path = os.path.expanduser(\"~/site\")\n"), "{wanted}");
        assert!(wsgi_text(&project, None, "/srv/site", "me").contains("path = \"/srv/site\"\n"));
        assert_eq!(state_of(None, &wanted, "f", "me"), WsgiState::Absent);
        assert_eq!(state(" \n"), WsgiState::Absent);
        assert_eq!(state(&wanted), WsgiState::Wanted);
        assert_eq!(state(HELLO), WsgiState::Placeholder);
        assert_eq!(state(&wsgi_text(&project, None, "/home/me/other", "me")), WsgiState::Ours);
        assert_eq!(state(&format!("{wanted}import mine\n")), WsgiState::Edited);
        assert_eq!(
            state(&wsgi_text(&project, None, "/home/me/other", "me").replace("import os", "")),
            WsgiState::Foreign
        );
        for foreign in [
            "application = 1\n",
            &format!("{HELLO}import os\n"),
            &format!("{HELLO}application = x\n"),
            &HELLO.replace("    yield", "    secret()\n    yield"),
            &HELLO.replace("Page not found.", "Nothing"),
        ] {
            assert_eq!(state(foreign), WsgiState::Foreign, "{foreign}");
        }
    }
}
