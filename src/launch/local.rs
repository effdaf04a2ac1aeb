//! What a launch does on this machine: what the project is, what it is called on the host, and the files that it gets.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::detect::project::{DetectOptions, DetectedProject, ProjectKind, detect};
use super::generated::settings_file::{ServedSettings, served_settings};
use super::generated::table::{self, TableChange};
use crate::api::checked_domain;
use crate::client::BaseUrl;
use crate::error::{Error, Result};
use crate::host::{Variables, env_file, is_reserved};
use crate::platform::{canonical, composed, mode_of, set_new_mode, slashed};
use crate::project_table::check_project;
use crate::setting::Setting;

/// What the caller has decided; the rest is found out.
#[derive(Debug, Clone, Default)]
pub struct LocalOptions {
    /// What the project is.
    pub detect: DetectOptions,
    /// The project's name on the host.
    pub project: Option<String>,
    /// The domain that serves it.
    pub domain: String,
    /// The account, to be noted in the table.
    pub user: Option<String>,
    /// The host, if it is to be noted.
    pub host: Option<String>,
    /// The address of the site, likewise.
    pub site_url: Option<String>,
    /// The folder of the file with the project's table, if there is one.
    pub table_folder: Option<PathBuf>,
    /// The environment whose table is written.
    pub environment: Option<String>,
}

/// A project that is ready to be launched.
#[derive(Debug, Clone)]
pub struct LocalPlan {
    /// What it is.
    pub project: DetectedProject,
    /// Its name on the host.
    pub name: String,
    /// The domain that serves it.
    pub domain: String,
    /// The settings that it is served with, if it is Django.
    pub settings: Option<ServedSettings>,
    /// The change of `pyproject.toml`.
    pub table: Option<TableChange>,
    /// The variables of its environment file.
    pub variables: Variables,
    /// What to know about.
    pub warnings: Vec<String>,
}

/// Finds out what a launch would do on this machine. Reads only, and sends nothing.
///
/// # Errors
/// `Config` for whatever is ambiguous or wrong; `Local` for what cannot be read.
pub fn plan(root: &Path, options: &LocalOptions) -> Result<LocalPlan> {
    checked_domain(&options.domain)?;
    let domain = options.domain.to_lowercase();
    let project = detect(root, &options.detect)?;
    let name = project_name(options.project.as_deref(), &project.root)?;
    let settings = served_settings(&project, &domain);
    let table = table::change(
        options.table_folder.as_ref().unwrap_or(&project.root),
        options.environment.as_deref(),
        &keys(&project, &name, &domain, settings.as_ref(), options),
    )?;
    let (variables, left_out) = match &project.env_file {
        Some(file) => read_variables(file)?,
        None => (Variables::default(), None),
    };
    Ok(LocalPlan { project, name, domain, settings, table, variables, warnings: left_out.into_iter().collect() })
}

/// The domain that every account has.
#[must_use]
pub fn own_domain(user: &str, host: &BaseUrl) -> String {
    let is_eu = host.authority().contains("eu.pythonanywhere.com");
    format!("{}.{}", user.to_lowercase(), if is_eu { "eu.pythonanywhere.com" } else { "pythonanywhere.com" })
}

/// The keys of the table, with their values.
fn keys(
    project: &DetectedProject,
    name: &str,
    domain: &str,
    settings: Option<&ServedSettings>,
    options: &LocalOptions,
) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    keys.extend(options.user.clone().map(|user| ("user", user)));
    keys.extend(options.host.clone().map(|host| ("host", host)));
    keys.push(("project", name.to_owned()));
    keys.push(("domain", domain.to_owned()));
    match &project.kind {
        ProjectKind::Django { manage, .. } if manage != "manage.py" => keys.push(("manage", manage.clone())),
        ProjectKind::Wsgi(application) if options.detect.wsgi.is_some() => keys.push(("wsgi", application.spelled())),
        ProjectKind::Asgi(application) if options.detect.asgi.is_some() => keys.push(("asgi", application.spelled())),
        _ => {}
    }
    keys.extend(settings.map(|settings| ("settings", settings.module.clone())));
    keys.extend(options.site_url.clone().map(|url| ("site_url", url)));
    keys
}

fn project_name(given: Option<&str>, root: &Path) -> Result<String> {
    let Some(name) = given else { return name_of(root) };
    check_project(name)?;
    Ok(name.to_owned())
}

/// The name of a project on the host: that of its folder, as far as a folder there and a virtualenv can have it.
fn name_of(root: &Path) -> Result<String> {
    let name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let slug = slug(&name);
    if slug.is_empty() {
        return Err(Error::config(format!(
            "the folder {} has no name for a project: give one ({})",
            root.display(),
            Setting::ProjectName
        )));
    }
    Ok(slug)
}

/// A name with the characters that a virtualenv's name has.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        let kept = if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
        if !(kept == '-' && slug.ends_with('-')) {
            slug.push(kept);
        }
    }
    slug.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).trim_end_matches('-').to_owned()
}

/// The variables of an environment file that the web app gets, and a warning that names those that it must not be given:
/// they are there for this machine.
fn read_variables(file: &Path) -> Result<(Variables, Option<String>)> {
    let text = std::fs::read_to_string(file).map_err(|source| Error::Local { path: file.to_owned(), source })?;
    let pairs = env_file::parse(&text).map_err(|error| Error::config(format!("{}: {error}", file.display())))?;
    // The settings module is ours to say.
    let pairs = pairs.into_iter().filter(|(name, _)| name != "DJANGO_SETTINGS_MODULE");
    let (reserved, pairs): (Vec<_>, Vec<_>) = pairs.partition(|(name, _)| is_reserved(name));
    let mut names: Vec<String> = Vec::new();
    for (name, _) in reserved {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let left_out = (!names.is_empty()).then(|| {
        format!(
            "{} in {}: not set in the web app, since such a variable decides whose account a command works in, or which code \
             it runs",
            names.join(", "),
            file.display()
        )
    });
    let variables = Variables::new(pairs).map_err(|error| Error::config(format!("{}: {error}", file.display())))?;
    Ok((variables, left_out))
}

impl LocalPlan {
    /// What it found, in lines of a name and a text.
    #[must_use]
    pub fn found(&self) -> Vec<(&'static str, String)> {
        let project = &self.project;
        let mut lines = vec![("project", project.describe()), ("requirements", project.requirements.describe())];
        if let Some(python) = &project.python {
            lines.push(("python", format!("{} ({})", python.specifier, python.source)));
        }
        if let Some(file) = &project.env_file {
            let names: Vec<&str> = self.variables.names().collect();
            let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            lines.push(("variables", format!("{names} from {}", self.relative(file))));
        }
        lines
    }

    /// The files that it writes here, each with what is in it.
    #[must_use]
    pub fn writes(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        if let Some(file) = self.settings.as_ref().and_then(|settings| settings.file.as_ref()) {
            files.push((self.relative(&file.path), file.text.clone()));
        }
        if let Some(table) = &self.table {
            files.push((self.relative(&table.path), format!("[tool.pythonanywhere]\n{}\n", table.lines.join("\n"))));
        }
        files
    }

    fn relative(&self, path: &Path) -> String {
        slashed(path.strip_prefix(&self.project.root).unwrap_or(path)).into_owned()
    }

    /// The names of its environment file in the project: of a link, and of the file that it leads to.
    pub(super) fn env_file_names(&self) -> Vec<String> {
        let Some(file) = &self.project.env_file else { return Vec::new() };
        let link = std::path::absolute(file)
            .ok()
            .and_then(|file| Some(canonical(file.parent()?).ok()?.join(file.file_name()?)));
        let places = link.into_iter().chain(canonical(file).ok());
        let mut names: Vec<String> = places
            .filter_map(|place| Some(composed(&slashed(place.strip_prefix(&self.project.root).ok()?)).into_owned()))
            .collect();
        names.dedup();
        names
    }

    /// Writes the files. What is there already is left alone, also what was written since the plan was made.
    ///
    /// # Errors
    /// `Local` if one cannot be written; `Config` if `pyproject.toml` is not TOML by now.
    pub fn write(&self) -> Result<Vec<String>> {
        let mut written = Vec::new();
        if let Some(file) = self.settings.as_ref().and_then(|settings| settings.file.as_ref())
            && write_new(&file.path, &file.text)?
        {
            written.push(self.relative(&file.path));
        }
        if let Some(table) = self.table.as_ref().map(TableChange::anew).transpose()?.flatten() {
            replace(&table.path, &table.text)?;
            written.push(self.relative(&table.path));
        }
        Ok(written)
    }

    /// Everything as JSON, without values of variables.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let files: Vec<Value> =
            self.writes().into_iter().map(|(path, text)| json!({ "path": path, "text": text })).collect();
        let project = &self.project;
        let (manage, wsgi) = match &project.kind {
            ProjectKind::Django { manage, .. } => (Some(manage.clone()), None),
            ProjectKind::Wsgi(application) | ProjectKind::Asgi(application) => (None, Some(application.spelled())),
        };
        json!({
            "root": project.root.display().to_string(),
            "kind": match &project.kind {
                ProjectKind::Django { .. } => "django",
                ProjectKind::Wsgi(_) => "wsgi",
                ProjectKind::Asgi(_) => "asgi",
            },
            "project": self.name,
            "domain": self.domain,
            "manage": manage,
            "application": wsgi,
            "settings": self.settings.as_ref().map(|settings| settings.module.clone()),
            "missing": self.settings.iter().filter_map(|settings| settings.file.as_ref())
                .flat_map(|file| file.reasons.clone()).collect::<Vec<_>>(),
            "requirements": project.requirements.describe(),
            "python": project.python.as_ref().map(|python| python.specifier.clone()),
            "env_file": project.env_file.as_ref().map(|file| self.relative(file)),
            "variables": self.variables.names().collect::<Vec<_>>(),
            "files": files,
        })
    }
}

/// Writes a file unless there is one; returns whether it did.
fn write_new(path: &Path, text: &str) -> Result<bool> {
    let failed = |source| Error::Local { path: path.to_owned(), source };
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(failed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// Writes a file at once, so that no reader and no crash finds half of it.
fn replace(path: &Path, text: &str) -> Result<()> {
    let failed = |source| Error::Local { path: path.to_owned(), source };
    // A link stays one: what it points to is replaced.
    let target = canonical(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    let mode = std::fs::metadata(&target).ok().and_then(|facts| mode_of(&facts)).unwrap_or(0o644);
    let mut builder = tempfile::Builder::new();
    set_new_mode(&mut builder, mode);
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.persist(&target).map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_what_folders_and_virtualenvs_allow() {
        for (name, expected) in [
            ("mysite", "mysite"),
            ("My Site", "My-Site"),
            ("_x", "x"),
            ("über  site!", "ber-site"),
            ("a.b-c_1", "a.b-c_1"),
        ] {
            assert_eq!(slug(name), expected);
        }
    }

    #[test]
    fn an_accounts_domain_is_in_lower_case_and_in_its_system() {
        let domain = |user, host| own_domain(user, &BaseUrl::parse(host).unwrap());
        assert_eq!(domain("Me", "www.pythonanywhere.com"), "me.pythonanywhere.com");
        assert_eq!(domain("me", "eu.pythonanywhere.com"), "me.eu.pythonanywhere.com");
        assert_eq!(domain("me", "http://127.0.0.1:80"), "me.pythonanywhere.com");
    }

    fn project() -> tempfile::TempDir {
        let folder = crate::platform::temporary_folder("my site").unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("manage.py", "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n");
        write("mysite/settings.py", "SECRET_KEY = 'django-insecure-1'\nDEBUG = True\nALLOWED_HOSTS = []\n");
        write(
            ".env",
            "A=s3cret\nDJANGO_SETTINGS_MODULE=x\nPYTHONANYWHERE_USERNAME=s3cret\nAPI_TOKEN=s3cret\nPYTHONUNBUFFERED=1\n",
        );
        folder
    }

    #[test]
    fn a_plan_is_written_once() {
        let folder = project();
        let options = LocalOptions { domain: "Me.pythonanywhere.com".into(), ..LocalOptions::default() };
        let plan = |options: &LocalOptions| super::plan(folder.path(), options).unwrap();
        let first = plan(&options);
        assert_eq!(first.write().unwrap(), ["mysite/settings_pythonanywhere.py", "pyproject.toml"]);
        assert!(!first.to_json().to_string().contains("s3cret"));
        assert_eq!(first.variables.names().collect::<Vec<_>>(), ["A"]);
        let [warning] = first.warnings.as_slice() else { panic!("{:?}", first.warnings) };
        assert!(warning.starts_with("PYTHONANYWHERE_USERNAME, API_TOKEN, PYTHONUNBUFFERED in "), "{warning}");
        assert!(!warning.contains("s3cret"), "{warning}");
        let settings = folder.path().join("mysite/settings_pythonanywhere.py");
        std::fs::write(&settings, "from .settings import *\n").unwrap();
        let second = plan(&options);
        assert_eq!((second.writes(), second.write().unwrap()), (Vec::new(), Vec::new()));
        assert_eq!(std::fs::read_to_string(settings).unwrap(), "from .settings import *\n");
        let table = std::fs::read_to_string(folder.path().join("pyproject.toml")).unwrap();
        assert!(table.contains("settings = \"mysite.settings_pythonanywhere\""), "{table}");
        assert!(table.contains("domain = \"me.pythonanywhere.com\""), "{table}");
    }

    #[test]
    fn an_edit_of_the_table_after_the_plan_stays() {
        let folder = project();
        let file = folder.path().join("pyproject.toml");
        std::fs::write(&file, "[project]\nname = 'x'\n").unwrap();
        let options = LocalOptions { domain: "me.pythonanywhere.com".into(), ..LocalOptions::default() };
        let plan = super::plan(folder.path(), &options).unwrap();
        let edited = "[project]\nname = 'x'\ndependencies = ['django']\n";
        std::fs::write(&file, edited).unwrap();
        assert!(plan.write().unwrap().contains(&"pyproject.toml".to_owned()));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(edited) && text.contains("domain = \"me.pythonanywhere.com\""), "{text}");
        // A second time all is set.
        assert_eq!(plan.write().unwrap(), Vec::<String>::new());
        std::fs::write(&file, "[project\n").unwrap();
        plan.write().unwrap_err();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[project\n");
    }
}
