//! `settings_pythonanywhere.py`: the user's settings, and what they lack for being served.
//!
//! The user's own files are never edited. What is missing goes into one new file beside them, which imports theirs and adds
//! just that. It is written once: from then on it is the user's.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::host::is_allowed;
use crate::launch::detect::project::{DetectedProject, GENERATED_SETTINGS, ProjectKind};
use crate::launch::detect::settings::{Settings, module_file};

/// The variable that the generated file takes the secret key from.
pub(crate) const SECRET_VARIABLE: &str = "SECRET_KEY";

/// Lets the site's error log tell of what raised: with `DEBUG` off, Django tells by mail only.
const LOGGING: &str = r#"LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"error_log": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "loggers": {"django.request": {"handlers": ["error_log"]}},
}
"#;

/// The settings that a site is served with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedSettings {
    /// Their module.
    pub module: String,
    /// The file that is written for them; `None` if nothing is missing, or if it is there.
    pub file: Option<GeneratedFile>,
    /// The environment variable that their secret key is read from, if it is.
    pub secret_variable: Option<String>,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where.
    pub path: PathBuf,
    /// What.
    pub text: String,
    /// Why: the settings that are missing.
    pub reasons: Vec<&'static str>,
}

/// The settings for serving a project at `domain`; `None` if it is not Django.
#[must_use]
pub fn served_settings(project: &DetectedProject, domain: &str) -> Option<ServedSettings> {
    let ProjectKind::Django { settings: module, settings_file, .. } = &project.kind else { return None };
    let source = project.source_folder();
    let of_module = |module: String| {
        let secret_variable = Settings::read(&source, &module).variable(SECRET_VARIABLE).map(str::to_owned);
        Some(ServedSettings { module, file: None, secret_variable })
    };
    let is_package = settings_file.file_name().is_some_and(|name| name == "__init__.py");
    let folder = settings_file.ancestors().nth(if is_package { 2 } else { 1 })?;
    let package = module.rsplit_once('.').map(|(package, _)| format!("{package}.")).unwrap_or_default();
    let generated = format!("{package}{GENERATED_SETTINGS}");
    if *module == generated || module_file(&source, &generated).is_some() {
        return of_module(generated);
    }
    let text = Additions::of(&project.settings, domain, &source);
    if text.reasons.is_empty() {
        return of_module(module.clone());
    }
    let secret_variable = if text.reasons.contains(&"SECRET_KEY") {
        Some(SECRET_VARIABLE.to_owned())
    } else {
        project.settings.variable(SECRET_VARIABLE).map(str::to_owned)
    };
    let depth = generated.matches('.').count();
    let file = GeneratedFile {
        path: folder.join(format!("{GENERATED_SETTINGS}.py")),
        text: text.written(module, domain, depth),
        reasons: text.reasons,
    };
    Some(ServedSettings { module: generated, file: Some(file), secret_variable })
}

/// What is added to the settings.
struct Additions {
    reasons: Vec<&'static str>,
    lines: String,
}

impl Additions {
    fn of(settings: &Settings, domain: &str, source: &Path) -> Self {
        let mut additions = Self { reasons: Vec::new(), lines: String::new() };
        if is_set(settings, "DEBUG") && !is_debug_off(settings) {
            additions.add("DEBUG", "DEBUG = False\n");
        }
        if !covers_host(settings, domain) {
            additions.add_item("ALLOWED_HOSTS", domain, settings);
        }
        let origin = format!("https://{domain}");
        if !settings.items("CSRF_TRUSTED_ORIGINS").is_some_and(|origins| origins.contains(&origin.as_str())) {
            additions.add_item("CSRF_TRUSTED_ORIGINS", &origin, settings);
        }
        additions.add_folders(settings, source);
        if !is_set(settings, "SECRET_KEY") || is_published(settings) {
            additions.add("SECRET_KEY", &format!("SECRET_KEY = os.environ[\"{SECRET_VARIABLE}\"]\n"));
        }
        // Only beside what has to be added: sites are served without it.
        if !additions.reasons.is_empty() && !is_set(settings, "LOGGING") && settings.get("LOGGING_CONFIG").is_none() {
            additions.add("LOGGING", LOGGING);
        }
        additions
    }

    /// Adds an item to a list of the settings.
    fn add_item(&mut self, name: &'static str, item: &str, settings: &Settings) {
        let (others, noqa) =
            if is_set(settings, name) { (format!("*{name}, "), "  # noqa: F405") } else { (String::new(), "") };
        self.add(name, &format!("{name} = [{others}\"{item}\"]{noqa}\n"));
    }

    /// Adds the folders for the files that are served without the application.
    fn add_folders(&mut self, settings: &Settings, source: &Path) {
        let applications = settings.get("INSTALLED_APPS").map_or("", |value| &value.text);
        let has_static = is_set(settings, "STATIC_URL") || applications.contains("django.contrib.staticfiles");
        if has_static && !is_set(settings, "STATIC_ROOT") {
            // A folder of that name may be one of the sources that are collected.
            let name = if source.join("staticfiles").exists() { "static_root" } else { "staticfiles" };
            self.add("STATIC_ROOT", &format!("STATIC_ROOT = PROJECT / \"{name}\"\n"));
        }
        if is_set(settings, "MEDIA_URL") && !is_set(settings, "MEDIA_ROOT") {
            self.add("MEDIA_ROOT", "MEDIA_ROOT = PROJECT / \"media\"\n");
        }
    }

    fn add(&mut self, reason: &'static str, line: &str) {
        self.reasons.push(reason);
        self.lines.push_str(line);
    }

    /// The text of the file, which is `depth` folders below the project's code.
    fn written(&self, module: &str, domain: &str, depth: usize) -> String {
        let needs_path = self.lines.contains("PROJECT");
        let mut text = String::from(
            "\"\"\"What the project's settings lack on PythonAnywhere.\n\n\
             Written once by \"pya launch\", and yours from then on.\n\"\"\"\n\n\
             import contextlib\nimport json\nimport os\n",
        );
        if needs_path {
            text.push_str("from pathlib import Path\n");
        }
        // Writing to a String does not fail.
        let _ = write!(
            text,
            "\n# What \"pya env\" keeps: only the web app has it already.\n\
             _variables = os.path.expanduser(\"~/.pya/variables-{}/variables.json\")\n\
             with contextlib.suppress(OSError), open(_variables, encoding=\"utf-8\") as _file:\n    \
             os.environ.update(json.load(_file))\n\n\
             from {module} import *  # noqa: E402, F403\n\n",
            domain.to_lowercase()
        );
        if needs_path {
            let _ = writeln!(text, "PROJECT = Path(__file__).resolve().parents[{depth}]\n");
        }
        text.push_str(&self.lines);
        text
    }
}

fn is_set(settings: &Settings, name: &str) -> bool {
    settings.get(name).is_some_and(|value| value.text != "None")
}

fn is_debug_off(settings: &Settings) -> bool {
    settings.get("DEBUG").is_some_and(|value| value.is_certain && value.text == "False")
}

/// Whether the secret key is one that everybody may know.
fn is_published(settings: &Settings) -> bool {
    settings.text("SECRET_KEY").is_some_and(|key| key.is_empty() || key.starts_with("django-insecure-"))
}

/// Whether `ALLOWED_HOSTS` names the domain for certain.
fn covers_host(settings: &Settings, domain: &str) -> bool {
    settings.items("ALLOWED_HOSTS").is_some_and(|hosts| is_allowed(domain, hosts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::detect::project::{DetectOptions, detect};
    use crate::platform::canonical;

    const MANAGE: &str = "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'mysite.settings')\n";
    const DOMAIN: &str = "me.pythonanywhere.com";

    fn served(module: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, ServedSettings) {
        let folder = tempfile::tempdir().unwrap();
        let manage = MANAGE.replace("mysite.settings", module);
        for (name, text) in files.iter().chain(&[("manage.py", manage.as_str())]) {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let project = detect(folder.path(), &DetectOptions::default()).unwrap();
        let served = served_settings(&project, DOMAIN).unwrap();
        (folder, served)
    }

    const START: &str = "SECRET_KEY = 'django-insecure-x'\nDEBUG = True\nALLOWED_HOSTS = []\nSTATIC_URL = 'static/'\n";

    #[test]
    fn what_startproject_lacks_is_added_beside_its_settings() {
        let (folder, served) = served("mysite.settings", &[("mysite/settings.py", START)]);
        let file = served.file.unwrap();
        assert_eq!(served.module, "mysite.settings_pythonanywhere");
        assert_eq!(file.path, canonical(folder.path()).unwrap().join("mysite/settings_pythonanywhere.py"));
        assert_eq!(
            file.reasons,
            ["DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS", "STATIC_ROOT", "SECRET_KEY", "LOGGING"]
        );
        for line in [
            "from mysite.settings import *",
            "DEBUG = False",
            "ALLOWED_HOSTS = [*ALLOWED_HOSTS, \"me.pythonanywhere.com\"]",
            "parents[1]",
            "STATIC_ROOT = PROJECT / \"staticfiles\"",
            "SECRET_KEY = os.environ[\"SECRET_KEY\"]",
            "\"django.request\": {\"handlers\": [\"error_log\"]}",
        ] {
            assert!(file.text.contains(line), "{line}\n{}", file.text);
        }
        assert_eq!(served.secret_variable.as_deref(), Some("SECRET_KEY"));
    }

    #[test]
    fn complete_settings_need_no_file() {
        let complete = "SECRET_KEY = os.environ['DJANGO_KEY']\nDEBUG = False\nALLOWED_HOSTS = ['.pythonanywhere.com']\n\
                        CSRF_TRUSTED_ORIGINS = ['https://me.pythonanywhere.com']\nSTATIC_URL = '/s/'\nSTATIC_ROOT = BASE / 'x'\n";
        let (_folder, served) = served("mysite.settings", &[("mysite/settings.py", complete)]);
        assert_eq!((served.module.as_str(), &served.file), ("mysite.settings", &None));
        assert_eq!(served.secret_variable.as_deref(), Some("DJANGO_KEY"));
    }

    #[test]
    fn logging_of_ones_own_stays() {
        for own in ["LOGGING = {'version': 1}\n", "LOGGING_CONFIG = None\n"] {
            let text = format!("{START}{own}");
            let (_folder, served) = served("mysite.settings", &[("mysite/settings.py", &text)]);
            let file = served.file.unwrap();
            assert!(!file.reasons.contains(&"LOGGING") && !file.text.contains("LOGGING"), "{}", file.text);
        }
    }

    #[test]
    fn a_file_that_is_there_is_used_and_left_alone() {
        let own = ("mysite/settings_pythonanywhere.py", "from mysite.settings import *\n");
        let (_folder, served) = served("mysite.settings", &[("mysite/settings.py", START), own]);
        assert_eq!((served.module.as_str(), served.file), ("mysite.settings_pythonanywhere", None));
    }

    #[test]
    fn split_settings_get_it_in_their_package() {
        let files = [("mysite/settings/__init__.py", ""), ("mysite/settings/production.py", "MEDIA_URL = '/media/'\n")];
        let (_folder, served) = served("mysite.settings.production", &files);
        let file = served.file.unwrap();
        assert_eq!(served.module, "mysite.settings.settings_pythonanywhere");
        assert!(file.path.ends_with("mysite/settings/settings_pythonanywhere.py"));
        assert!(file.text.contains("parents[2]") && file.text.contains("MEDIA_ROOT = PROJECT / \"media\""));
        assert!(!file.reasons.contains(&"DEBUG"), "Django's own default is off");
    }

    #[test]
    fn a_whole_package_of_settings_gets_it_beside_the_package() {
        let (_folder, served) = served("mysite.settings", &[("mysite/settings/__init__.py", START)]);
        assert_eq!(served.module, "mysite.settings_pythonanywhere");
        assert!(served.file.unwrap().path.ends_with("mysite/settings_pythonanywhere.py"));
    }
}
