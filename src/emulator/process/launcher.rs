//! Starts commands as the host does, through an embedded Python script (`launcher.py`).
//!
//! Why a script and not `pre_exec`: a private view of the account takes a dozen system calls between fork and exec,
//! which would be `unsafe` code in this multi-threaded process. A fresh interpreter has one thread, and `ctypes`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::json;

use super::python::AccountPython;
use crate::emulator::account::Account;
use crate::emulator::settings::Settings;
use crate::locks::lock;

const SCRIPT: &str = include_str!("launcher.py");

const QUOTA: &str = include_str!("quota.py");

/// What processes need to call the API, passed as `$API_TOKEN` and similar variables.
#[derive(Debug, Clone)]
pub struct Session {
    /// The API's address.
    pub url: String,
    /// The API token.
    pub token: String,
    /// The certificate authority to trust, if the API is served over HTTPS.
    pub authority: Option<PathBuf>,
    /// The package index that pip uses instead of its own.
    pub package_index: Option<String>,
}

/// Starts commands for one account.
#[derive(Debug)]
pub struct Launcher {
    /// The Python that runs the script.
    starter: PathBuf,
    /// The Python of the account.
    python: AccountPython,
    script: PathBuf,
    root: PathBuf,
    user: String,
    private_view: bool,
    /// A folder for `PYTHONPATH` with what keeps the disk quota, where the settings name one.
    quota: Option<PathBuf>,
}

impl Launcher {
    /// Prepares to start commands, and tests whether this system allows a private view of the account.
    ///
    /// # Errors
    /// If the Python does not run, or the script cannot be written.
    pub fn new(settings: &Settings, account: &Account) -> io::Result<Self> {
        let script = account.private().join("launcher.py");
        fs::write(&script, SCRIPT)?;
        let mut launcher = Self {
            starter: settings.python.clone(),
            python: AccountPython::make(&settings.python, &account.private())?,
            script,
            root: account.root().to_owned(),
            user: account.user().to_owned(),
            private_view: settings.private_paths,
            quota: None,
        };
        launcher.private_view = launcher.private_view && launcher.can_start()?;
        if let Some(quota) = settings.disk_quota.filter(|quota| *quota < u64::MAX) {
            launcher.quota = Some(launcher.keep_quota(account, quota)?);
        }
        Ok(launcher)
    }

    /// Tested once for each Python of this machine: the result does not change, and tests start many emulators.
    fn can_start(&self) -> io::Result<bool> {
        static TRIED: Mutex<BTreeMap<PathBuf, bool>> = Mutex::new(BTreeMap::new());
        let mut tried = lock(&TRIED);
        if let Some(can) = tried.get(&self.starter) {
            return Ok(*can);
        }
        let can = self.try_start()?;
        tried.insert(self.starter.clone(), can);
        Ok(can)
    }

    fn try_start(&self) -> io::Result<bool> {
        let mut probe = self.command(&[Path::new("true")], Path::new("/"), false);
        let output = probe.stdin(Stdio::null()).output().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", self.starter.display()))
        })?;
        if !output.status.success() {
            log::info!(
                "processes see the account only below its root: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(output.status.success())
    }

    /// Writes what makes the account's Pythons keep `quota` bytes. Only a quota that was chosen is worth its cost at each
    /// start of a Python: nobody fills the whole of a free account's disk by chance.
    fn keep_quota(&self, account: &Account, quota: u64) -> io::Result<PathBuf> {
        let folder = account.private().join("quota");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("sitecustomize.py"), QUOTA)?;
        let counted = account.counted();
        let home = format!("/home/{}", self.user);
        let guarded = counted.iter().cloned().chain([self.visible(&home), self.visible("/var/www")]);
        let guarded: Vec<String> = guarded.map(|path| format!("{}/", path.display())).collect();
        let settings = json!({ "quota": quota, "counted": counted, "guarded": guarded });
        fs::write(folder.join("quota.json"), settings.to_string())?;
        Ok(folder)
    }

    /// `"host"` if commands see the account at its own paths, else `"root"`.
    #[must_use]
    pub fn paths(&self) -> &'static str {
        if self.private_view { "host" } else { "root" }
    }

    /// An account's path as commands see it.
    #[must_use]
    pub fn visible(&self, path: &str) -> PathBuf {
        if self.private_view { PathBuf::from(path) } else { self.root.join(path.trim_start_matches('/')) }
    }

    /// The account's home folder as commands see it.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.visible(&format!("/home/{}", self.user))
    }

    /// The working folder for a process that should start in `path`: that folder, or home if it does not exist.
    #[must_use]
    pub fn folder(&self, path: &str) -> PathBuf {
        let in_account = self.root.join(path.trim_start_matches('/')).is_dir();
        let on_this_machine = self.private_view && Path::new(path).is_dir();
        if path.starts_with('/') && (in_account || on_this_machine) { self.visible(path) } else { self.home() }
    }

    /// The version of the account's Python, such as `3.11`.
    #[must_use]
    pub fn python_version(&self) -> &str {
        &self.python.version
    }

    /// The Python of web apps without a virtualenv.
    #[must_use]
    pub fn python(&self) -> &Path {
        &self.python.executable
    }

    /// A command that starts in `folder` (as the command sees it), with `PATH` as its only environment variable.
    #[must_use]
    pub fn command(&self, words: &[&Path], folder: &Path, terminal: bool) -> Command {
        let view = if self.private_view { "private" } else { "plain" };
        let input = if terminal { "terminal" } else { "other" };
        let mut command = Command::new(&self.starter);
        command.args(["-I", "-S"]).arg(&self.script).arg(&self.root).args([&self.user, view, input]);
        command.arg(folder).arg(&self.python.by_version).args(words).env_clear();
        command.env("PATH", self.python.search_path(&self.home()));
        command
    }

    /// The environment of the account's processes. It inherits only `PATH` from the emulator.
    #[must_use]
    pub fn environment(&self, session: &Session) -> Vec<(&'static str, OsString)> {
        // The host provides a bare name, to which clients prepend `https://`; plain HTTP has to be explicit.
        let site = session.url.strip_prefix("https://").unwrap_or(&session.url);
        let mut variables = vec![
            ("HOME", self.home().into_os_string()),
            ("USER", self.user.clone().into()),
            ("LOGNAME", self.user.clone().into()),
            ("LANG", "C.UTF-8".into()),
            ("API_TOKEN", session.token.clone().into()),
            ("PYTHONANYWHERE_SITE", site.into()),
            ("PYTHONANYWHERE_DOMAIN", "pythonanywhere.com".into()),
        ];
        if let Some(authority) = &session.authority {
            variables.push(("REQUESTS_CA_BUNDLE", authority.clone().into_os_string()));
            variables.push(("SSL_CERT_FILE", authority.clone().into_os_string()));
        }
        if let Some(quota) = &self.quota {
            variables.push(("PYTHONPATH", quota.clone().into_os_string()));
        }
        if let Some(index) = &session.package_index {
            variables.push(("PIP_INDEX_URL", index.into()));
        }
        variables
    }
}
