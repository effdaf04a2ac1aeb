//! The application of a project without Django: a module and the name of the object in it.
//!
//! It is looked for where frameworks' tutorials put it, in the files at the top of the project. What is an application is
//! told by what it is made with, or by its name.

use std::path::Path;

use super::source::{Statement, is_name, statements};
use crate::error::{Error, Result};
use crate::setting::Setting;
use crate::text::first_few;

/// The files that are looked into.
const FILES: [&str; 4] = ["app", "wsgi", "flask_app", "main"];

/// Frameworks: what makes an application, its package, and whether it speaks WSGI.
const FRAMEWORKS: [(&str, Option<&str>, bool); 12] = [
    ("Flask", Some("flask"), true),
    ("Bottle", Some("bottle"), true),
    ("default_app", Some("bottle"), true),
    ("App", None, true),
    ("create_app", None, true),
    ("make_app", None, true),
    ("make_wsgi_app", None, true),
    ("FastAPI", Some("fastapi"), false),
    ("Starlette", Some("starlette"), false),
    ("Quart", Some("quart"), false),
    ("Litestar", Some("litestar"), false),
    ("Sanic", Some("sanic"), false),
];

/// What functions that make an application are called.
const FACTORIES: [&str; 3] = ["create_app", "make_app", "make_wsgi_app"];

/// An application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The module, as Python imports it.
    pub module: String,
    /// The name of the object.
    pub name: String,
    /// The package of its framework, if that shows.
    pub framework: Option<String>,
    /// Whether it is for WSGI; else for ASGI.
    pub is_wsgi: bool,
}

impl Application {
    /// As options write it.
    #[must_use]
    pub fn spelled(&self) -> String {
        format!("{}:{}", self.module, self.name)
    }
}

/// An application as a user names it, `module:name`.
///
/// # Errors
/// `Config` if it is not of that form, or if there is no such module below `root`.
pub fn named(root: &Path, text: &str, is_wsgi: bool) -> Result<Application> {
    let form = || Error::config(format!("{text:?} does not name an application: write it like app:app"));
    let (module, name) = text.split_once(':').ok_or_else(form)?;
    if !module.split('.').all(is_name) || !is_name(name) {
        return Err(form());
    }
    let Some(file) = super::settings::module_file(root, module) else {
        return Err(Error::config(format!("there is no module {module} in {}", root.display())));
    };
    let source = std::fs::read_to_string(&file).map_err(|source| Error::Local { path: file, source })?;
    let code = statements(&source);
    if let Some(parameters) = function(&code, name).filter(|parameters| !parameters.serve(is_wsgi)) {
        return Err(parameters.refused(module, name, is_wsgi));
    }
    let found = applications(&code).into_iter().find(|found| found.name == name);
    let framework = found.and_then(|found| found.framework);
    Ok(Application { module: module.to_owned(), name: name.to_owned(), framework, is_wsgi })
}

/// Finds the application in the files at the top of `root`; `None` if none of them has one.
///
/// # Errors
/// `Config` if it could be one of several; the message lists them.
pub fn find(root: &Path) -> Result<Option<Application>> {
    let mut found: Vec<(Application, Vec<String>)> =
        FILES.into_iter().filter_map(|module| find_in(root, module)).collect();
    // A file that imports from another one is what serves it.
    let served: Vec<String> = found.iter().flat_map(|(_, imported)| imported.clone()).collect();
    if found.len() > 1 {
        found.retain(|(application, _)| !served.contains(&application.module));
    }
    match found.as_slice() {
        [] => Ok(None),
        [(application, _)] => Ok(Some(application.clone())),
        several => Err(Error::config(format!(
            "the application could be one of several: {}. Name it ({}), such as {}",
            first_few(several.iter().map(|(application, _)| application.spelled())),
            Setting::Wsgi,
            several[0].0.spelled()
        ))),
    }
}

/// The application in one file, and the modules that it imports from.
fn find_in(root: &Path, module: &str) -> Option<(Application, Vec<String>)> {
    let source = std::fs::read_to_string(root.join(format!("{module}.py"))).ok()?;
    let code = statements(&source);
    let application = Application { module: module.to_owned(), ..best(applications(&code))? };
    let imported = code.iter().filter_map(|statement| statement.imports());
    Some((application, imported.map(|(module, _)| module.trim_start_matches('.').to_owned()).collect()))
}

/// Why a project without an application has none, if a module at the top of `root`, or one of these packages, has a function
/// that makes one, as Flask's own tutorial does.
pub fn factory(root: &Path, packages: &[String]) -> Option<Error> {
    let modules = FILES.into_iter().chain(packages.iter().map(String::as_str)).filter(|module| is_name(module));
    modules.into_iter().find_map(|module| {
        let source = std::fs::read_to_string(super::settings::module_file(root, module)?).ok()?;
        let code = statements(&source);
        FACTORIES.into_iter().find_map(|name| Some(function(&code, name)?.refused(module, name, true)))
    })
}

/// The parameters of the function of that name, if the module has one; what decorates it may make an application of it.
fn function(code: &[Statement], name: &str) -> Option<Parameters> {
    let own: Vec<&Statement> = code.iter().filter(|statement| statement.indent == 0).collect();
    let is_bound = |statement: &Statement| {
        statement.definition().is_some_and(|(bound, _)| bound == name)
            || statement.assignment().is_some_and(|(bound, _)| bound == name)
            || statement.imports().is_some_and(|(_, names)| names.iter().any(|(_, bound)| *bound == name))
    };
    let at = own.iter().rposition(|statement| is_bound(statement))?;
    let is_decorated = at > 0 && own[at - 1].text.starts_with('@');
    own[at].definition().filter(|_| !is_decorated).map(|(_, parameters)| Parameters::read(parameters))
}

/// What a function can be called with by position.
struct Parameters {
    required: usize,
    /// With those that have a default.
    most: usize,
}

impl Parameters {
    fn read(text: &str) -> Self {
        let mut found = Self { required: 0, most: 0 };
        for parameter in at_top_level(text).into_iter().filter(|parameter| !matches!(*parameter, "" | "/")) {
            if let Some(rest) = parameter.strip_prefix('*') {
                if !rest.is_empty() && !rest.starts_with('*') {
                    found.most = usize::MAX;
                }
                break;
            }
            found.most += 1;
            found.required += usize::from(!parameter.contains('='));
        }
        found
    }

    /// Whether a server can call it as an application. Of those for ASGI only what takes no argument is certain.
    fn serve(&self, is_wsgi: bool) -> bool {
        let is_any = self.most == usize::MAX;
        if is_wsgi { self.required == 2 || (is_any && self.required < 2) } else { self.required > 0 || is_any }
    }

    fn refused(&self, module: &str, name: &str, is_wsgi: bool) -> Error {
        let (file, setting) = if is_wsgi { ("wsgi", Setting::Wsgi) } else { ("asgi", Setting::Asgi) };
        let call = if self.required == 0 { format!("app = {name}()") } else { format!("app = {name}(…)") };
        let import = if module == file { String::new() } else { format!("\"from {module} import {name}\" and ") };
        Error::config(format!(
            "{name} in {module} makes an application, and is none: write {import}\"{call}\" in {file}.py, and name that ({setting} \
             {file}:app)"
        ))
    }
}

/// The parts between commas that are in no brackets.
fn at_top_level(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = text.split(|c: char| {
        depth += i32::from(matches!(c, '(' | '[' | '{')) - i32::from(matches!(c, ')' | ']' | '}'));
        c == ',' && depth == 0
    });
    parts.map(str::trim).collect()
}

/// The one that serves: `application` is what servers ask for, and `app` what tutorials write.
fn best(found: Vec<Application>) -> Option<Application> {
    let by_name = |name: &str| found.iter().position(|application| application.name == name);
    let at = by_name("application").or_else(|| by_name("app")).or_else(|| (found.len() == 1).then_some(0))?;
    found.into_iter().nth(at)
}

/// What a module's own level defines that can be an application.
fn applications(code: &[Statement]) -> Vec<Application> {
    let mut found: Vec<Application> = Vec::new();
    for statement in code.iter().filter(|statement| statement.indent == 0) {
        let new = defined(statement).or_else(|| assigned(statement, &found)).or_else(|| imported(statement));
        if let Some(new) = new {
            found.retain(|other| other.name != new.name);
            found.push(new);
        }
    }
    found
}

fn application(name: &str, framework: Option<&str>, is_wsgi: bool) -> Application {
    Application { module: String::new(), name: name.to_owned(), framework: framework.map(str::to_owned), is_wsgi }
}

fn defined(statement: &Statement) -> Option<Application> {
    let (name, parameters) = statement.definition()?;
    let is_wsgi = parameters.split(',').count() == 2 && parameters.trim_start().starts_with("environ");
    is_wsgi.then(|| application(name, None, true))
}

fn assigned(statement: &Statement, before: &[Application]) -> Option<Application> {
    let (name, value) = statement.assignment()?;
    let called = value.split_once('(').map(|(called, _)| called.rsplit('.').next().unwrap_or(called).trim());
    let framework = called.and_then(|called| FRAMEWORKS.iter().find(|(maker, ..)| *maker == called));
    if let Some((_, package, is_wsgi)) = framework {
        return Some(application(name, *package, *is_wsgi));
    }
    // `application = app`, or what wraps it.
    let other = before
        .iter()
        .find(|other| value.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == other.name));
    match other {
        Some(other) if matches!(name, "app" | "application") => {
            Some(application(name, other.framework.as_deref(), other.is_wsgi))
        }
        _ => (name == "application").then(|| application(name, None, true)),
    }
}

fn imported(statement: &Statement) -> Option<Application> {
    let (_, names) = statement.imports()?;
    let (_, name) = names.into_iter().find(|(_, name)| matches!(*name, "app" | "application"))?;
    Some(application(name, None, true))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Result<Option<Application>> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        find(folder.path())
    }

    fn spelled(files: &[(&str, &str)]) -> String {
        found(files).unwrap().map(|application| application.spelled()).unwrap_or_default()
    }

    #[test]
    fn applications_are_where_tutorials_put_them() {
        let flask = "from flask import Flask\napp = Flask(__name__)\n";
        for file in ["app", "flask_app", "main", "wsgi"] {
            assert_eq!(spelled(&[(&format!("{file}.py"), flask)]), format!("{file}:app"));
        }
        assert_eq!(spelled(&[("app.py", "import flask\nsite = flask.Flask(__name__)\n")]), "app:site");
        assert_eq!(
            spelled(&[("main.py", "def application(environ, start_response):\n    yield b''\n")]),
            "main:application"
        );
        assert_eq!(spelled(&[("wsgi.py", "from mysite import create_app\napp = create_app()\n")]), "wsgi:app");
        assert_eq!(spelled(&[("app.py", "app = Flask(__name__)\napplication = ProxyFix(app)\n")]), "app:application");
        assert_eq!(spelled(&[("app.py", "x = 1\n"), ("other.py", flask)]), "");
        assert_eq!(found(&[("app.py", flask)]).unwrap().unwrap().framework.as_deref(), Some("flask"));
    }

    #[test]
    fn a_file_that_serves_another_one_is_the_application() {
        let app = ("app.py", "app = Flask(__name__)\n");
        assert_eq!(spelled(&[app, ("wsgi.py", "from app import app as application\n")]), "wsgi:application");
        let error = found(&[app, ("main.py", "app = Flask(__name__)\n")]).unwrap_err().to_string();
        assert!(error.contains("app:app, main:app") && error.contains("wsgi="), "{error}");
    }

    #[test]
    fn a_function_that_makes_an_application_is_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("flaskr")).unwrap();
        let say = |text: &str, is_wsgi: bool| {
            std::fs::write(folder.path().join("flaskr/__init__.py"), text).unwrap();
            named(folder.path(), "flaskr:f", is_wsgi).err().map(|error| error.to_string())
        };
        for maker in
            ["", "config=None", "config: dict[str, int] | None = None, /", "config, test=False", "*, config=(1, 2)"]
        {
            assert!(say(&format!("def f({maker}):\n    return Flask('x')\n"), true).is_some(), "{maker}");
        }
        for serving in ["environ, start_response", "environ, start_response, more=None", "*args", "self, *args"] {
            assert_eq!(say(&format!("def f({serving}):\n    pass\n"), true), None, "{serving}");
        }
        for other in ["@responder\ndef f(request):\n    pass\n", "def f(): pass\nf = f()\n", "async def f(): pass\n"] {
            assert_eq!(say(other, true), None, "{other}");
        }
        assert_eq!(say("def f(scope):\n    pass\n", false), None);
        let said = say("def f():\n    pass\n", false).unwrap();
        assert!(said.contains("\"from flaskr import f\" and \"app = f()\" in asgi.py"), "{said}");
        assert!(say("def f(config):\n    pass\n", true).unwrap().contains("app = f(…)"));
    }

    #[test]
    fn a_project_that_only_makes_its_application_is_told_what_to_write() {
        let maker = "def create_app(test_config=None):\n    return Flask(__name__)\n";
        let folder = tempfile::tempdir().unwrap();
        let packages = ["flaskr".to_owned(), "tests".to_owned()];
        assert!(factory(folder.path(), &packages).is_none());
        std::fs::create_dir(folder.path().join("flaskr")).unwrap();
        for (file, module) in [("flaskr/__init__.py", "flaskr"), ("app.py", "app")] {
            std::fs::write(folder.path().join(file), maker).unwrap();
            let said = factory(folder.path(), &packages).unwrap().to_string();
            assert!(
                said.contains(&format!("\"from {module} import create_app\" and \"app = create_app()\"")),
                "{said}"
            );
        }
        std::fs::remove_file(folder.path().join("app.py")).unwrap();
        std::fs::write(folder.path().join("wsgi.py"), maker).unwrap();
        let said = factory(folder.path(), &packages).unwrap().to_string();
        assert!(said.contains("write \"app = create_app()\" in wsgi.py"), "{said}");
    }

    #[test]
    fn asynchronous_frameworks_are_told_apart() {
        assert!(!found(&[("main.py", "app = FastAPI()\n")]).unwrap().unwrap().is_wsgi);
    }

    #[test]
    fn a_named_application_must_be_a_module_of_the_project() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("site.py"), "web = Flask('x')\n").unwrap();
        let named = |text| named(folder.path(), text, true);
        assert_eq!(named("site:web").unwrap().framework.as_deref(), Some("flask"));
        for text in ["site", "site:", "nothing:app", "../x:y", "a b:c"] {
            assert!(named(text).is_err(), "{text}");
        }
    }
}
