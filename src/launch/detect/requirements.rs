//! What a project needs to be installed: its requirements file, else the dependencies in `pyproject.toml`, else the
//! framework that it uses, in the release that is installed here.

use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::error::{Error, Result};

/// Where requirements files lie, in the order in which they are looked for.
const FILES: [&str; 5] = [
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "requirements/base.txt",
    "requirements/requirements.txt",
];

/// Files of other tools that list dependencies, and the command that makes a requirements file of them.
const OTHERS: [(&str, &str); 3] = [
    ("Pipfile", "pipenv requirements > requirements.txt"),
    ("environment.yml", "pip freeze > requirements.txt"),
    ("poetry.lock", "poetry export -o requirements.txt"),
];

/// What is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirements {
    /// A file of the project, relative to its root.
    File(String),
    /// The dependencies that `pyproject.toml` lists.
    Dependencies(Vec<String>),
    /// A framework, as a requirement such as `django==5.2.8`, and where the release is known from.
    Framework {
        /// The line of a requirements file.
        line: String,
        /// Human-readable.
        known_from: String,
    },
    /// Nothing.
    None,
}

impl Requirements {
    /// In a few words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::File(path) => path.clone(),
            Self::Dependencies(lines) => {
                format!("the dependencies in pyproject.toml ({})", crate::text::first_few(lines.iter().cloned()))
            }
            Self::Framework { line, known_from } => format!("{line} ({known_from})"),
            Self::None => "none".to_owned(),
        }
    }

    /// Their name alone.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::File(path) => path,
            Self::Dependencies(_) => "the dependencies in pyproject.toml",
            Self::Framework { line, .. } => line,
            Self::None => "none",
        }
    }

    /// The text of the requirements file that has to be made for them, if they are in none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::File(_) | Self::None => None,
            Self::Dependencies(lines) => Some(lines.join("\n") + "\n"),
            Self::Framework { line, .. } => Some(format!("{line}\n")),
        }
    }
}

/// Where packages are installed on this machine, as far as the project shows.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    virtualenvs: Vec<PathBuf>,
}

impl Installed {
    /// The virtualenvs in the project, the active one, and that of `interpreter`.
    #[must_use]
    pub fn of(root: &Path, interpreter: Option<&Path>) -> Self {
        let mut virtualenvs: Vec<PathBuf> = [".venv", "venv", "env"].map(|name| root.join(name)).to_vec();
        virtualenvs.extend(std::env::var_os("VIRTUAL_ENV").map(PathBuf::from));
        // In `bin` or `Scripts`; that of Windows itself is beside its libraries.
        virtualenvs
            .extend(interpreter.into_iter().flat_map(|python| python.ancestors().skip(1).take(2)).map(Path::to_owned));
        Self { virtualenvs }
    }

    /// The release of a package, from the name of the folder with its metadata.
    #[must_use]
    pub fn release(&self, package: &str) -> Option<String> {
        self.virtualenvs.iter().find_map(|virtualenv| {
            let libraries = [virtualenv.join("lib"), virtualenv.join("Lib")];
            let folders = libraries.iter().flat_map(|library| {
                let versions = std::fs::read_dir(library).into_iter().flatten().flatten();
                versions.map(|version| version.path().join("site-packages")).chain([library.join("site-packages")])
            });
            folders.flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten()).find_map(|entry| {
                let name = entry.file_name().into_string().ok()?.to_ascii_lowercase();
                let release = name.strip_suffix(".dist-info")?.strip_prefix(&package.to_ascii_lowercase())?;
                release.strip_prefix('-').map(str::to_owned)
            })
        })
    }
}

/// Finds what a project needs. `source` is the folder of its code, relative to `root`; `framework` is what it uses.
///
/// # Errors
/// `Config` where the dependencies are in a form that is not read, or nothing says what they are.
pub fn find(
    root: &Path,
    source: &str,
    pyproject: Option<&toml::Table>,
    framework: Option<&str>,
    settings: Option<&Settings>,
    installed: &Installed,
) -> Result<Requirements> {
    let folders = if source.is_empty() { vec![String::new()] } else { vec![String::new(), format!("{source}/")] };
    for folder in &folders {
        if let Some(file) =
            FILES.map(|file| format!("{folder}{file}")).into_iter().find(|file| root.join(file).is_file())
        {
            return Ok(Requirements::File(file));
        }
    }
    let listed = pyproject.and_then(|table| table.get("project")?.get("dependencies")?.as_array());
    if let Some(listed) = listed {
        let lines: Option<Vec<String>> = listed.iter().map(|line| line.as_str().map(str::to_owned)).collect();
        let lines =
            lines.ok_or_else(|| Error::config("project.dependencies in pyproject.toml is not a list of texts"))?;
        if !lines.is_empty() || framework.is_none() {
            return Ok(if lines.is_empty() { Requirements::None } else { Requirements::Dependencies(lines) });
        }
    }
    let has_poetry = pyproject.and_then(|table| table.get("tool")?.get("poetry")?.get("dependencies")).is_some();
    let poetry = has_poetry.then_some(OTHERS[2]);
    if let Some((file, command)) = poetry.or_else(|| OTHERS.into_iter().find(|(file, _)| root.join(file).is_file())) {
        return Err(Error::config(format!(
            "the dependencies are listed for another tool ({file}), and pip needs a requirements file: run \"{command}\""
        )));
    }
    let Some(framework) = framework else { return Ok(Requirements::None) };
    if let Some(release) = installed.release(framework) {
        let known_from = "the project lists no requirements; this release is installed here".to_owned();
        return Ok(Requirements::Framework { line: format!("{framework}=={release}"), known_from });
    }
    let written_by = settings.and_then(|settings| settings.written_by.as_deref()).filter(|_| framework == "django");
    Ok(match written_by {
        Some(release) => Requirements::Framework {
            line: format!("django~={release}"),
            known_from: "the project lists no requirements; its settings were made by this release".to_owned(),
        },
        None => Requirements::Framework {
            line: framework.to_owned(),
            known_from: "the project lists no requirements, and the release is unknown: the newest".to_owned(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)], framework: Option<&str>) -> Result<Requirements> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let pyproject: Option<toml::Table> =
            std::fs::read_to_string(folder.path().join("pyproject.toml")).ok().map(|text| text.parse().unwrap());
        let installed = Installed { virtualenvs: vec![folder.path().join(".venv")] };
        #[allow(clippy::field_reassign_with_default, reason = "its other field is private")]
        let mut settings = Settings::default();
        settings.written_by = Some("5.2.8".to_owned());
        find(folder.path(), "src", pyproject.as_ref(), framework, Some(&settings), &installed)
    }

    #[test]
    fn a_requirements_file_comes_first_and_then_the_dependencies() {
        let pyproject = ("pyproject.toml", "[project]\ndependencies = ['django>=5', 'pillow']\n");
        assert_eq!(
            found(&[("requirements.txt", ""), pyproject], Some("django")).unwrap(),
            Requirements::File("requirements.txt".into())
        );
        assert_eq!(
            found(&[("src/requirements.txt", ""), pyproject], None).unwrap(),
            Requirements::File("src/requirements.txt".into())
        );
        let listed = found(&[pyproject], Some("django")).unwrap();
        assert_eq!(listed.text().unwrap(), "django>=5\npillow\n");
    }

    #[test]
    fn without_a_list_the_framework_is_installed_in_the_release_that_is_here() {
        let line = |files: &[(&str, &str)], framework| found(files, framework).unwrap().text();
        let installed = (".venv/lib/python3.13/site-packages/Django-5.1.2.dist-info/METADATA", "");
        assert_eq!(line(&[installed], Some("django")).unwrap(), "django==5.1.2\n");
        assert_eq!(line(&[], Some("django")).unwrap(), "django~=5.2.8\n");
        assert_eq!(line(&[], Some("flask")).unwrap(), "flask\n");
        assert_eq!(found(&[], None).unwrap(), Requirements::None);
    }

    #[test]
    fn lists_of_other_tools_are_named_with_the_command_that_converts_them() {
        for (file, text, words) in [
            ("Pipfile", "", "pipenv requirements"),
            ("pyproject.toml", "[tool.poetry.dependencies]\ndjango = '^5'", "poetry export"),
        ] {
            let error = found(&[(file, text)], Some("django")).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
