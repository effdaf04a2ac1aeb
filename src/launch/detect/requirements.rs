//! What a project needs to be installed: its requirements file, else the dependencies in `pyproject.toml`, else the
//! framework that it uses, in the release that is installed here.
//!
//! They are looked for in the project's folder and in that of its code. A list above the project, up to the top of the work
//! tree, is not sent with it, and may be that of another project: it is named, and no framework is guessed.

use std::path::{Path, PathBuf};

use super::settings::Settings;
use crate::deploy::WorkTree;
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
    ("Pipfile", "\"pipenv requirements > requirements.txt\""),
    ("environment.yml", "\"pip freeze > requirements.txt\""),
    // Earlier releases bring the plugin along.
    (
        "poetry.lock",
        "\"poetry export -o requirements.txt\" (Poetry 2 first needs \"poetry self add poetry-plugin-export\")",
    ),
];

/// What is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirements {
    /// A file of the project, relative to its root.
    File(String),
    /// The dependencies that a `pyproject.toml` lists.
    Dependencies {
        /// That file, relative to the root.
        file: String,
        /// The lines of a requirements file.
        lines: Vec<String>,
    },
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
            Self::Dependencies { lines, .. } => {
                format!("{} ({})", self.name(), crate::text::first_few(lines.iter().cloned()))
            }
            Self::Framework { line, known_from } => format!("{line} ({known_from})"),
            Self::None => "none".to_owned(),
        }
    }

    /// Their name alone.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.clone(),
            Self::Dependencies { file, .. } => format!("the dependencies in {file}"),
            Self::Framework { line, .. } => line.clone(),
            Self::None => "none".to_owned(),
        }
    }

    /// The text of the requirements file that has to be made for them, if they are in none.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match self {
            Self::File(_) | Self::None => None,
            Self::Dependencies { lines, .. } => Some(lines.join("\n") + "\n"),
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

/// The `pyproject.toml` of a folder, if it has one.
///
/// # Errors
/// `Config` if it is not TOML; `Local` if it cannot be read.
pub fn read_pyproject(folder: &Path) -> Result<Option<toml::Table>> {
    let path = folder.join("pyproject.toml");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Local { path, source }),
        Ok(text) => text,
    };
    let parsed = text.parse().map(Some);
    parsed.map_err(|error: toml::de::Error| Error::config(format!("{}: {error}", path.display())))
}

/// The requirements file of a folder, if it has one, relative to it.
fn file_in(folder: &Path) -> Option<&'static str> {
    FILES.into_iter().find(|file| folder.join(file).is_file())
}

/// The dependencies that a `pyproject.toml` lists, if it does.
fn dependencies(pyproject: Option<&toml::Table>) -> Result<Option<Vec<String>>> {
    let listed = pyproject.and_then(|table| table.get("project")?.get("dependencies")?.as_array());
    let Some(listed) = listed else { return Ok(None) };
    let lines: Option<Vec<String>> = listed.iter().map(|line| line.as_str().map(str::to_owned)).collect();
    lines.ok_or_else(|| Error::config("project.dependencies in pyproject.toml is not a list of texts")).map(Some)
}

/// The file of another tool that lists the dependencies of a folder, and the command that converts it.
fn other_tool(folder: &Path, pyproject: Option<&toml::Table>) -> Option<(&'static str, &'static str)> {
    let has_poetry = pyproject.and_then(|table| table.get("tool")?.get("poetry")?.get("dependencies")).is_some();
    let poetry = has_poetry.then_some(OTHERS[2]);
    poetry.or_else(|| OTHERS.into_iter().find(|(file, _)| folder.join(file).is_file()))
}

/// Refuses a list that pip cannot read.
fn refuse_other_tool(root: &Path, folder: &str) -> Result<()> {
    let place = root.join(folder);
    let Some((file, command)) = other_tool(&place, read_pyproject(&place)?.as_ref()) else { return Ok(()) };
    let file = format!("{folder}{file}");
    Err(Error::config(format!(
        "the dependencies are listed for another tool ({file}), and pip needs a requirements file: run {command} in its \
         folder"
    )))
}

/// Refuses a list in a folder above the project, up to the top of the work tree.
fn refuse_list_above(root: &Path) -> Result<()> {
    let Some(tree) = WorkTree::around(root) else { return Ok(()) };
    for folder in root.ancestors().skip(1).take_while(|folder| folder.starts_with(&tree.top)) {
        if let Some(list) = list_in(folder) {
            return Err(Error::config(format!(
                "the project lists no requirements, and {} is above its folder {}, so it is not sent along: launch from {}, \
                 or write a requirements.txt for the project into its own folder",
                folder.join(list).display(),
                root.display(),
                folder.display()
            )));
        }
    }
    Ok(())
}

/// The file in a folder that lists dependencies, for whatever tool.
fn list_in(folder: &Path) -> Option<&'static str> {
    // One that cannot be read says nothing of this project.
    let pyproject = read_pyproject(folder).ok().flatten();
    let has_dependencies =
        || dependencies(pyproject.as_ref()).is_ok_and(|lines| lines.is_some_and(|it| !it.is_empty()));
    file_in(folder)
        .or_else(|| has_dependencies().then_some("pyproject.toml"))
        .or_else(|| other_tool(folder, pyproject.as_ref()).map(|(file, _)| file))
}

/// Finds what a project needs. `source` is the folder of its code, relative to `root`, a path without links; `framework`
/// is what it uses.
///
/// # Errors
/// `Config` where the dependencies are in a form that is not read or above the project, or nothing says what they are.
pub fn find(
    root: &Path,
    source: &str,
    framework: Option<&str>,
    settings: Option<&Settings>,
    installed: &Installed,
) -> Result<Requirements> {
    let folders = if source.is_empty() { vec![String::new()] } else { vec![String::new(), format!("{source}/")] };
    if let Some(listed) = listed_for_pip(root, &folders, framework.is_some())? {
        return Ok(listed);
    }
    folders.iter().try_for_each(|folder| refuse_other_tool(root, folder))?;
    refuse_list_above(root)?;
    Ok(framework.map_or(Requirements::None, |framework| of_framework(framework, settings, installed)))
}

/// The framework alone, in the release that is known from something.
fn of_framework(framework: &str, settings: Option<&Settings>, installed: &Installed) -> Requirements {
    if let Some(release) = installed.release(framework) {
        let known_from = "the project lists no requirements; this release is installed here".to_owned();
        return Requirements::Framework { line: format!("{framework}=={release}"), known_from };
    }
    let written_by = settings.and_then(|settings| settings.written_by.as_deref()).filter(|_| framework == "django");
    match written_by {
        Some(release) => Requirements::Framework {
            line: format!("django~={release}"),
            known_from: "the project lists no requirements; its settings were made by this release".to_owned(),
        },
        None => Requirements::Framework {
            line: framework.to_owned(),
            known_from: "the project lists no requirements, and the release is unknown: the newest".to_owned(),
        },
    }
}

/// What a project lists for pip, in one of `folders`: a requirements file, else dependencies. Where nothing else is known to
/// be needed, it may list that it needs nothing.
fn listed_for_pip(root: &Path, folders: &[String], has_framework: bool) -> Result<Option<Requirements>> {
    for folder in folders {
        if let Some(file) = file_in(&root.join(folder)) {
            return Ok(Some(Requirements::File(format!("{folder}{file}"))));
        }
    }
    for folder in folders {
        let Some(lines) = dependencies(read_pyproject(&root.join(folder))?.as_ref())? else { continue };
        if !lines.is_empty() {
            return Ok(Some(Requirements::Dependencies { file: format!("{folder}pyproject.toml"), lines }));
        }
        if !has_framework {
            return Ok(Some(Requirements::None));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)], framework: Option<&str>) -> Result<Requirements> {
        found_in("", files, framework)
    }

    /// What is found in a folder below that of `files`.
    fn found_in(below: &str, files: &[(&str, &str)], framework: Option<&str>) -> Result<Requirements> {
        let folder = tempfile::tempdir().unwrap();
        let root = crate::platform::canonical(folder.path()).unwrap().join(below);
        std::fs::create_dir_all(&root).unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let installed = Installed { virtualenvs: vec![folder.path().join(".venv")] };
        #[allow(clippy::field_reassign_with_default, reason = "its other field is private")]
        let mut settings = Settings::default();
        settings.written_by = Some("5.2.8".to_owned());
        find(&root, "src", framework, Some(&settings), &installed)
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
        let tools_only = ("pyproject.toml", "[tool.ruff]\n");
        let listed = found(&[tools_only, ("src/pyproject.toml", pyproject.1)], Some("django")).unwrap();
        assert_eq!(listed.describe(), "the dependencies in src/pyproject.toml (django>=5, pillow)");
    }

    #[test]
    fn a_list_above_the_project_is_named_up_to_the_top_of_the_work_tree() {
        let git = ("work/.git/HEAD", "");
        let here = "work/a/site";
        for (file, text) in [
            ("work/requirements.txt", ""),
            ("work/a/requirements/base.txt", ""),
            ("work/a/Pipfile", ""),
            ("work/pyproject.toml", "[project]\ndependencies = ['django']\n"),
        ] {
            for framework in [Some("django"), None] {
                let error = found_in(here, &[git, (file, text)], framework).unwrap_err().to_string();
                assert!(error.contains(file.rsplit('/').next().unwrap()) && error.contains("launch from"), "{error}");
            }
            // The project's own counts, and outside a work tree nothing above it is looked at.
            assert!(found_in(here, &[git, (file, text), ("work/a/site/requirements.txt", "")], None).is_ok());
            assert!(found_in(here, &[(file, text)], Some("django")).is_ok());
        }
        for (file, text) in [("requirements.txt", ""), ("work/pyproject.toml", "[tool.ruff]\n")] {
            assert!(found_in(here, &[git, (file, text)], Some("django")).is_ok(), "{file}");
        }
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
            ("src/Pipfile", "", "(src/Pipfile)"),
            ("pyproject.toml", "[tool.poetry.dependencies]\ndjango = '^5'", "poetry-plugin-export"),
        ] {
            let error = found(&[(file, text)], Some("django")).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
