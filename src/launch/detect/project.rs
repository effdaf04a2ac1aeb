//! The project in a folder: what kind it is, what serves it, and what it needs. Found by reading, never by importing.
//!
//! Where several things could be meant, nothing is guessed: the error lists them and names the option that decides.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::env_file;
use super::python_version::{self, RequiredPython};
use super::requirements::{self, Installed, Requirements};
use super::settings::{Settings, module_file};
use super::wsgi_app::{self, Application};
use crate::error::{Error, Result};
use crate::host::{checked_settings, settings_module};
use crate::platform::canonical;
use crate::project_table::Table;
use crate::setting::Setting;

/// The module that [`generated`](crate::launch) settings are in.
pub(crate) const GENERATED_SETTINGS: &str = "settings_pythonanywhere";

/// Folders that hold no project of the user's.
const NOT_PROJECTS: [&str; 5] = ["node_modules", "site-packages", "__pycache__", "build", "dist"];

/// What the caller has decided already.
#[derive(Debug, Clone, Default)]
pub struct DetectOptions {
    /// The settings module.
    pub settings: Option<String>,
    /// Where `manage.py` is, relative to the root.
    pub manage: Option<String>,
    /// A WSGI application, as `module:name`.
    pub wsgi: Option<String>,
    /// An ASGI application, likewise.
    pub asgi: Option<String>,
    /// The environment file.
    pub env_file: Option<PathBuf>,
    /// The Python that runs the command, whose packages show releases.
    pub interpreter: Option<PathBuf>,
}

impl DetectOptions {
    /// What is left open is as the table says.
    #[must_use]
    pub fn or(self, table: &Table) -> Self {
        // An application that was named counts before what the table says of another kind.
        let is_named = self.settings.is_some() || self.wsgi.is_some() || self.asgi.is_some();
        let of_table = |value: &Option<String>| value.clone().filter(|_| !is_named);
        Self {
            settings: self.settings.or_else(|| of_table(&table.settings)),
            manage: self.manage.or_else(|| table.manage.clone()),
            wsgi: self.wsgi.or_else(|| of_table(&table.wsgi)),
            asgi: self.asgi.or_else(|| of_table(&table.asgi)),
            ..self
        }
    }
}

/// What kind of project it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectKind {
    /// With `manage.py`.
    Django {
        /// Where that is, relative to the root.
        manage: String,
        /// The settings module of the user's.
        settings: String,
        /// Its file.
        settings_file: PathBuf,
    },
    /// Another WSGI application.
    Wsgi(Application),
    /// An ASGI application.
    Asgi(Application),
}

/// A project on this machine.
#[derive(Debug, Clone)]
pub struct DetectedProject {
    /// Its folder.
    pub root: PathBuf,
    /// What serves it.
    pub kind: ProjectKind,
    /// The folder of its code, relative to the root: where Python imports from.
    pub source: String,
    /// What its settings say; empty if it is not Django.
    pub settings: Settings,
    /// What is installed for it.
    pub requirements: Requirements,
    /// Which Python it asks for.
    pub python: Option<RequiredPython>,
    /// Its environment file.
    pub env_file: Option<PathBuf>,
}

impl DetectedProject {
    /// In a few words.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            ProjectKind::Django { manage, settings, .. } => format!("Django ({manage}, settings {settings})"),
            ProjectKind::Wsgi(application) => format!("a WSGI application ({})", application.spelled()),
            ProjectKind::Asgi(application) => format!("an ASGI application ({})", application.spelled()),
        }
    }

    /// The folder of its code on this machine.
    #[must_use]
    pub fn source_folder(&self) -> PathBuf {
        if self.source.is_empty() { self.root.clone() } else { self.root.join(&self.source) }
    }
}

/// Finds out what is in the folder `root`.
///
/// # Errors
/// `Config` if that is not one project for certain, with what decides it; `Local` if something cannot be read.
pub fn detect(root: &Path, options: &DetectOptions) -> Result<DetectedProject> {
    let root = canonical(root).map_err(|source| Error::Local { path: root.to_owned(), source })?;
    let pyproject = requirements::read_pyproject(&root)?;
    let (kind, source) = kind_of(&root, options)?;
    let source_folder = if source.is_empty() { root.clone() } else { root.join(&source) };
    let (settings, framework) = match &kind {
        ProjectKind::Django { settings, .. } => (Settings::read(&source_folder, settings), Some("django".to_owned())),
        ProjectKind::Wsgi(application) | ProjectKind::Asgi(application) => {
            (Settings::default(), application.framework.clone())
        }
    };
    let installed = Installed::of(&root, options.interpreter.as_deref());
    let requirements = requirements::find(&root, &source, framework.as_deref(), Some(&settings), &installed)?;
    let env_file = match &options.env_file {
        Some(file) => Some(named_env_file(file)?),
        None => env_file::find(&root, settings_folder(&kind).unwrap_or(&source_folder))?,
    };
    let python = python_version::required(&root, pyproject.as_ref());
    Ok(DetectedProject { root, kind, source, settings, requirements, python, env_file })
}

/// The folder of the settings, if it is Django.
fn settings_folder(kind: &ProjectKind) -> Option<&Path> {
    match kind {
        ProjectKind::Django { settings_file, .. } => settings_file.parent(),
        ProjectKind::Wsgi(_) | ProjectKind::Asgi(_) => None,
    }
}

fn named_env_file(file: &Path) -> Result<PathBuf> {
    if file.is_file() {
        return Ok(file.to_owned());
    }
    Err(Error::config(format!("there is no environment file {}", file.display())))
}

/// The kind of a project, and the folder of its code.
fn kind_of(root: &Path, options: &DetectOptions) -> Result<(ProjectKind, String)> {
    if let Some(kind) = named_application(root, options)? {
        return Ok((kind, String::new()));
    }
    if let Some(manage) = find_manage(root, options.manage.as_deref())? {
        return django(root, manage, options.settings.as_deref());
    }
    if options.settings.is_some() {
        return Err(Error::config(format!(
            "there is no manage.py in {} or in a folder of it, so no Django settings can be used",
            root.display()
        )));
    }
    Ok((found_application(root)?, String::new()))
}

/// The application that the caller has named.
fn named_application(root: &Path, options: &DetectOptions) -> Result<Option<ProjectKind>> {
    Ok(match (&options.wsgi, &options.asgi) {
        (Some(_), Some(_)) => {
            let why = format!("{} and {} name two applications: give one", Setting::Wsgi, Setting::Asgi);
            return Err(Error::config(why));
        }
        (Some(named), None) => Some(ProjectKind::Wsgi(wsgi_app::named(root, named, true)?)),
        (None, Some(named)) => Some(ProjectKind::Asgi(wsgi_app::named(root, named, false)?)),
        (None, None) => None,
    })
}

/// A Django project, and the folder of its code: that of `manage`.
fn django(root: &Path, manage: String, named: Option<&str>) -> Result<(ProjectKind, String)> {
    let source = manage.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let folder = if source.is_empty() { root.to_owned() } else { root.join(&source) };
    let settings = find_settings(&folder, &root.join(&manage), named)?;
    let Some(settings_file) = module_file(&folder, &settings) else {
        return Err(Error::config(format!(
            "there is no settings module {settings} in {}: name it with {}",
            folder.display(),
            Setting::Settings
        )));
    };
    Ok((ProjectKind::Django { manage, settings, settings_file }, source))
}

fn found_application(root: &Path) -> Result<ProjectKind> {
    match wsgi_app::find(root)? {
        Some(application) if application.is_wsgi => Ok(ProjectKind::Wsgi(application)),
        Some(application) => Ok(ProjectKind::Asgi(application)),
        None => Err(wsgi_app::factory(root, &subfolders(root)).unwrap_or_else(|| no_project(root))),
    }
}

fn no_project(root: &Path) -> Error {
    Error::config(format!(
        "no project was found in {}: there is no manage.py, and no application in app.py, wsgi.py, flask_app.py or \
         main.py. Run this in the project's folder, or name the application ({} MODULE:NAME)",
        root.display(),
        Setting::Wsgi
    ))
}

/// Where `manage.py` is, relative to the root: there, or one folder down.
fn find_manage(root: &Path, named: Option<&str>) -> Result<Option<String>> {
    if let Some(named) = named {
        if root.join(named).is_file() {
            return Ok(Some(named.to_owned()));
        }
        return Err(Error::config(format!("manage = {named:?}: there is no such file in {}", root.display())));
    }
    if root.join("manage.py").is_file() {
        return Ok(Some("manage.py".to_owned()));
    }
    let below = subfolders(root).into_iter().map(|name| format!("{name}/manage.py"));
    let found: Vec<String> = below.filter(|file| root.join(file).is_file()).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        several => Err(several_projects(root, several)),
    }
}

fn several_projects(root: &Path, found: &[String]) -> Error {
    Error::config(format!(
        "there are several projects in {}: {}. Name the folder of one, or write manage = {:?} under \
         [tool.pythonanywhere] in pyproject.toml",
        root.display(),
        found.join(", "),
        found[0]
    ))
}

/// The folders in a folder that may hold code of the user's, sorted.
fn subfolders(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir() && !entry.path().join("pyvenv.cfg").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && !NOT_PROJECTS.contains(&name.as_str()))
        .collect();
    names.sort_unstable();
    names
}

/// The settings module: the one named, else that of the project's `wsgi.py`, else that of its `manage.py`, else the only
/// one that there is.
fn find_settings(source: &Path, manage: &Path, named: Option<&str>) -> Result<String> {
    if let Some(named) = named {
        return checked_settings(named).map(str::to_owned);
    }
    match settings_of_wsgi(source).as_slice() {
        [one] => return Ok(one.clone()),
        [] => {}
        several => return Err(ambiguous(several)),
    }
    let text = std::fs::read_to_string(manage).unwrap_or_default();
    if let Some(module) = settings_module(&text).filter(|module| is_usable(source, module)) {
        return Ok(module.to_owned());
    }
    match candidates(source).as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(no_settings(source)),
        several => Err(ambiguous(several)),
    }
}

/// The settings modules that the `wsgi.py` files name, each once.
fn settings_of_wsgi(source: &Path) -> Vec<String> {
    let found: BTreeSet<String> = wsgi_files(source)
        .iter()
        .filter_map(|file| settings_module(&std::fs::read_to_string(file).ok()?).map(str::to_owned))
        .filter(|module| is_usable(source, module))
        .collect();
    found.into_iter().collect()
}

fn no_settings(source: &Path) -> Error {
    let (source, setting) = (source.display(), Setting::Settings);
    Error::config(format!("no settings module was found in {source}: name it with {setting} MODULE"))
}

fn ambiguous(candidates: &[String]) -> Error {
    let (several, setting) = (candidates.join(", "), Setting::Settings);
    Error::config(format!("the settings could be one of several: {several}. Choose one with {setting} MODULE"))
}

/// Whether a module exists and sets anything: the package of settings that are split may be empty.
fn is_usable(source: &Path, module: &str) -> bool {
    module_file(source, module).is_some_and(|file| {
        let is_package = file.file_name().is_some_and(|name| name == "__init__.py");
        !is_package || !Settings::read(source, module).is_empty()
    })
}

/// The files called `wsgi.py`, in the packages of the project.
fn wsgi_files(source: &Path) -> Vec<PathBuf> {
    let mut files = vec![source.join("wsgi.py")];
    for package in subfolders(source) {
        let folder = source.join(&package);
        files.push(folder.join("wsgi.py"));
        files.extend(subfolders(&folder).iter().map(|inner| folder.join(inner).join("wsgi.py")));
    }
    files.retain(|file| file.is_file());
    files
}

/// Modules that look like settings by their names.
fn candidates(source: &Path) -> Vec<String> {
    let mut found = candidates_in(source, "");
    found.extend(candidates_in(&source.join("settings"), "settings."));
    for package in subfolders(source) {
        let folder = source.join(&package);
        found.extend(candidates_in(&folder, &format!("{package}.")));
        found.extend(candidates_in(&folder.join("settings"), &format!("{package}.settings.")));
    }
    found.dedup();
    found
}

/// Those in one folder, sorted, with `prefix` before their names.
fn candidates_in(folder: &Path, prefix: &str) -> Vec<String> {
    let is_package = prefix.ends_with("settings.");
    let is_settings = |name: &str| if is_package { name != "__init__" } else { name.starts_with("settings") };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".py").map(str::to_owned))
        .filter(|name| is_settings(name) && name != GENERATED_SETTINGS)
        .map(|name| format!("{prefix}{name}"))
        .collect();
    names.sort_unstable();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGE: &str =
        "import os\ndef main():\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n";
    const WSGI: &str = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n";
    const SETTINGS: &str = "DEBUG = True\n";

    fn detected(files: &[(&str, &str)], options: &DetectOptions) -> Result<DetectedProject> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        detect(folder.path(), options)
    }

    fn django(files: &[(&str, &str)]) -> (String, String, String) {
        let project = detected(files, &DetectOptions::default()).unwrap();
        match project.kind {
            ProjectKind::Django { manage, settings, .. } => (manage, settings, project.source),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn startproject_is_found_at_the_root_and_one_folder_down() {
        let files = [("manage.py", MANAGE), ("mysite/wsgi.py", WSGI), ("mysite/settings.py", SETTINGS)];
        assert_eq!(django(&files), ("manage.py".into(), "mysite.settings".into(), String::new()));
        let below: Vec<(String, &str)> = files.iter().map(|(name, text)| (format!("web/{name}"), *text)).collect();
        let below: Vec<(&str, &str)> = below.iter().map(|(name, text)| (name.as_str(), *text)).collect();
        assert_eq!(django(&below), ("web/manage.py".into(), "mysite.settings".into(), "web".into()));
    }

    #[test]
    fn the_settings_of_wsgi_py_come_before_those_of_manage_py() {
        let production = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings.production')\n";
        let dev = MANAGE.replace("mysite.settings", "mysite.settings.dev");
        let split = [
            ("manage.py", dev.as_str()),
            ("mysite/wsgi.py", production),
            ("mysite/settings/__init__.py", ""),
            ("mysite/settings/base.py", SETTINGS),
            ("mysite/settings/dev.py", "from .base import *"),
            ("mysite/settings/production.py", "from .base import *"),
        ];
        assert_eq!(django(&split).1, "mysite.settings.production");
        assert_eq!(django(&[split[0], split[2], split[3], split[4], split[5]]).1, "mysite.settings.dev");
    }

    #[test]
    fn several_candidates_are_listed_and_the_option_decides() {
        let files = [
            ("manage.py", MANAGE),
            ("mysite/wsgi.py", WSGI),
            ("mysite/settings/__init__.py", ""),
            ("mysite/settings/base.py", SETTINGS),
            ("mysite/settings/production.py", "from .base import *"),
        ];
        let error = detected(&files, &DetectOptions::default()).unwrap_err();
        let words = error.to_string();
        assert_eq!(error.kind(), crate::ErrorKind::Config);
        assert!(words.contains("mysite.settings.base, mysite.settings.production"), "{words}");
        let options = DetectOptions { settings: Some("mysite.settings.production".into()), ..DetectOptions::default() };
        assert!(detected(&files, &options).is_ok());
        let options = DetectOptions { settings: Some("mysite.settings.none".into()), ..DetectOptions::default() };
        assert!(detected(&files, &options).unwrap_err().to_string().contains("mysite.settings.none"));
    }

    #[test]
    fn several_projects_are_listed() {
        let error = detected(&[("a/manage.py", MANAGE), ("b/manage.py", MANAGE)], &DetectOptions::default());
        assert!(error.unwrap_err().to_string().contains("a/manage.py, b/manage.py"));
        let error = detected(&[("readme.txt", "")], &DetectOptions::default()).unwrap_err().to_string();
        assert!(error.contains("MODULE:NAME"), "{error}");
        // A virtualenv's own is none.
        let hidden = [("venv/pyvenv.cfg", ""), ("venv/manage.py", MANAGE), (".git/manage.py", MANAGE)];
        assert!(detected(&hidden, &DetectOptions::default()).is_err());
    }

    #[test]
    fn other_applications_are_found_too() {
        let project =
            detected(&[("flask_app.py", "app = Flask(__name__)\n"), (".env", "A=1\n")], &DetectOptions::default());
        let project = project.unwrap();
        assert_eq!(project.describe(), "a WSGI application (flask_app:app)");
        assert!(project.env_file.is_some());
        let asgi = detected(&[("main.py", "app = FastAPI()\n")], &DetectOptions::default()).unwrap();
        assert!(matches!(asgi.kind, ProjectKind::Asgi(_)));
    }
}
