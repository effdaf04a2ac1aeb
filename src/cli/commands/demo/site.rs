//! The demo's site: what `wagtail start` creates, with static files collected and the database migrated, as a
//! developer would have it before the first deploy.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::cli::context::HostPython;
use crate::error::{Error, Result};

/// Name of the site, and of its folder.
pub const NAME: &str = "mysite";
/// The page that changes.
const PAGE: &str = "home/templates/home/welcome_page.html";
/// What the page says at first.
pub const FIRST_WORDS: &str = "Welcome to your new Wagtail site!";
/// What it says after the change.
pub const NEW_WORDS: &str = "Changed on the laptop, deployed with three uploads";
/// The files that [`DemoSite::change`] changes.
pub const CHANGED: [&str; 3] = ["home/models.py", PAGE, "requirements.txt"];
/// The file that it deletes.
pub const REMOVED: &str = "Dockerfile";

/// A key of its own for each site, hosts as the emulator serves them.
const LOCAL_SETTINGS: &str = "from django.core.management.utils import get_random_secret_key\n\n\
    SECRET_KEY = get_random_secret_key()\nALLOWED_HOSTS = [\"*\"]\n";
/// None of the site's commands should take longer, on a slow machine either.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The Python that makes and serves the site.
#[derive(Debug, Deserialize)]
pub struct Interpreter {
    /// `sys.prefix`: what the web app gets as its virtualenv.
    pub prefix: PathBuf,
    /// As the service writes it: `python313`.
    pub version: String,
    /// The release of Wagtail.
    pub wagtail: String,
}

/// A Wagtail site on this machine.
pub struct DemoSite {
    /// Its folder.
    pub root: PathBuf,
    python: PathBuf,
}

impl Interpreter {
    /// Asks the Python that started us.
    ///
    /// # Errors
    /// `Config` if it cannot import Wagtail.
    pub async fn of(host: &HostPython) -> Result<Self> {
        const ASK: &str = "import json, sys, wagtail; \
            print(json.dumps({'prefix': sys.prefix, 'version': 'python%d%d' % sys.version_info[:2], \
            'wagtail': wagtail.__version__}))";
        let answer = python("the import", &host.executable, &["-c", ASK], Path::new("/")).await.map_err(|error| {
            Error::config(format!(
                "the demo deploys a Wagtail site, but {} cannot import Wagtail: run pip install \
                 \"pythonanywhere-api[demo]\" ({})",
                host.executable.display(),
                error.chain()
            ))
        })?;
        serde_json::from_str(&answer).map_err(|error| {
            Error::config(format!("unexpected output of {}: {answer:?}: {error}", host.executable.display()))
        })
    }
}

impl DemoSite {
    /// Makes the site in `folder`.
    ///
    /// # Errors
    /// `Config` with the last line that the failed command printed.
    pub async fn make(host: &HostPython, folder: &Path) -> Result<Self> {
        const START: &str = "import sys; from wagtail.bin.wagtail import main; sys.argv[0] = 'wagtail'; main()";
        python("wagtail start", &host.executable, &["-c", START, "start", NAME], folder).await?;
        let site = Self { root: folder.join(NAME), python: host.executable.clone() };
        site.write(&format!("{NAME}/settings/local.py"), LOCAL_SETTINGS)?;
        site.manage("collectstatic", &["--noinput"]).await?;
        site.manage("migrate", &[]).await?;
        Ok(site)
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

    async fn manage(&self, command: &str, options: &[&str]) -> Result<()> {
        let settings = format!("--settings={NAME}.settings.production");
        let arguments: Vec<&str> = ["manage.py", command, &settings].iter().chain(options).copied().collect();
        python(&format!("manage.py {command}"), &self.python, &arguments, &self.root).await.map(drop)
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

/// Runs Python in `folder` and returns what it printed. `what` is its name in messages.
async fn python(what: &str, executable: &Path, arguments: &[&str], folder: &Path) -> Result<String> {
    let run = Command::new(executable)
        .args(arguments)
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("DJANGO_SETTINGS_MODULE")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let failed = |source| Error::Local { path: executable.to_owned(), source };
    let Ok(done) = tokio::time::timeout(TIMEOUT, run).await else {
        return Err(Error::config(format!("{what} took too long")));
    };
    let done = done.map_err(failed)?;
    if !done.status.success() {
        // The last line of a traceback says what went wrong; the rest is about other people's code.
        let words = String::from_utf8_lossy(&done.stderr);
        let last = words.trim_end().lines().last().unwrap_or_default();
        return Err(Error::config(format!("{what} failed: {last}")));
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
