//! The demo's project: what `wagtail start` creates, its requirements pinned to what is installed here.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::python::{python, python_json};
use crate::cli::context::HostPython;
use crate::error::{Error, Result};

/// Name of the project, and of its folder.
pub const NAME: &str = "mysite";
/// The page that changes.
const PAGE: &str = "home/templates/home/welcome_page.html";
/// What the page says at first.
pub const FIRST_WORDS: &str = "Welcome to your new Wagtail site!";
/// What it says after the change.
pub const NEW_WORDS: &str = "Changed on the laptop, deployed with one request";
/// The files that [`DemoProject::change`] changes.
pub const CHANGED: [&str; 3] = ["home/models.py", PAGE, "mysite/templates/base.html"];
/// The file that it deletes.
pub const REMOVED: &str = "Dockerfile";

/// What is installed here.
#[derive(Debug, Deserialize)]
pub struct Installed {
    /// The release of Django.
    django: String,
    /// The release of Wagtail.
    pub wagtail: String,
}

/// A Wagtail project on this machine.
pub struct DemoProject {
    /// Its folder.
    pub root: PathBuf,
}

impl Installed {
    /// Asks the Python that started us.
    ///
    /// # Errors
    /// `Config` if it cannot import Wagtail.
    pub async fn of(host: &HostPython) -> Result<Self> {
        const ASK: &str = "import json, django, wagtail; \
            print(json.dumps({'django': django.__version__, 'wagtail': wagtail.__version__}))";
        python_json("the import", &host.executable, &["-c", ASK], Path::new("/")).await.map_err(|error| {
            Error::config(format!(
                "the demo launches a Wagtail site, but {} cannot import Wagtail: run pip install \
                 \"pythonanywhere-api[demo]\" ({})",
                host.executable.display(),
                error.chain()
            ))
        })
    }
}

impl DemoProject {
    /// Makes the project in `folder`.
    ///
    /// # Errors
    /// `Config` with the last line that the failed command printed.
    pub async fn make(host: &HostPython, folder: &Path, installed: &Installed) -> Result<Self> {
        const START: &str = "import sys; from wagtail.bin.wagtail import main; sys.argv[0] = 'wagtail'; main()";
        python("wagtail start", &host.executable, &["-c", START, "start", NAME], folder).await?;
        let project = Self { root: folder.join(NAME) };
        // The template asks for the newest Django, which not every Python can have.
        let pinned = format!("Django=={}\nwagtail=={}\n", installed.django, installed.wagtail);
        project.write("requirements.txt", &pinned)?;
        Ok(project)
    }

    /// Changes three files and deletes one.
    ///
    /// # Errors
    /// `Local` if a file is missing, `Config` if the page does not contain the expected words.
    pub fn change(&self) -> Result<()> {
        for name in CHANGED {
            let text = self.read(name)?;
            if name == PAGE && !text.contains(FIRST_WORDS) {
                return Err(Error::config(format!(
                    "{name} of this version of Wagtail does not contain {FIRST_WORDS:?}"
                )));
            }
            self.write(name, &format!("{}\n", text.replace(FIRST_WORDS, NEW_WORDS)))?;
        }
        let path = self.root.join(REMOVED);
        std::fs::remove_file(&path).map_err(|source| Error::Local { path, source })
    }

    fn read(&self, name: &str) -> Result<String> {
        let path = self.root.join(name);
        std::fs::read_to_string(&path).map_err(|source| Error::Local { path, source })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.root.join(name);
        std::fs::write(&path, text).map_err(|source| Error::Local { path, source })
    }
}
