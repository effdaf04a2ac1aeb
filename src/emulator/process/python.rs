//! The account's own Python: a virtual environment below the root, which web apps without one, consoles and tasks use.
//!
//! What an account installs stays in it, and it sees none of the packages of whoever started the emulator. The
//! environment is written here rather than by `python -m venv`: a few links and a file take no time, and every emulator
//! makes one. pip, which would take seconds, unpacks itself when it is first used (`pip_stub.py`).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde::Deserialize;

use crate::emulator::preferences::python3_versions;
use crate::locks::lock;
use crate::text::single_quoted;

const PIP_STUB: &str = include_str!("pip_stub.py");

const VIRTUALENV: &str = include_str!("virtualenv.py");

/// Keeps the interpreter's own packages out, which may be those of the emulator's user. `include-system-site-packages`
/// would do so as well, but then `pip install --user`, which the service recommends, would be refused. The module
/// `site` reads this file before it adds the folders of `PREFIXES`.
const ISOLATION: &str = "import site; site.PREFIXES.clear()\n";

/// Asks a Python for the one that its virtualenv was made from, and where a virtualenv of it has its packages.
const QUESTIONS: &str = r#"
import json, os, sys, sysconfig
base = getattr(sys, "_base_executable", None)
if not base or base == sys.executable:
    base = os.path.realpath(sys.executable)
scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"
packages = sysconfig.get_path("purelib", scheme, {"base": "", "platbase": ""})
version = "%d.%d.%d" % sys.version_info[:3]
print(json.dumps({"base": base, "packages": packages.lstrip("/"), "version": version}))
"#;

/// What a Python says about itself.
#[derive(Debug, Clone, Deserialize)]
struct Facts {
    /// The interpreter outside any virtualenv.
    base: PathBuf,
    /// The folder of packages in a virtualenv, such as `lib/python3.13/site-packages`.
    packages: PathBuf,
    version: String,
}

impl Facts {
    /// The version without its last number.
    fn minor(&self) -> &str {
        self.version.rsplit_once('.').map_or(self.version.as_str(), |(minor, _)| minor)
    }
}

/// The Python that an account's processes use by default.
#[derive(Debug)]
pub(super) struct AccountPython {
    /// The interpreter in the virtual environment.
    pub executable: PathBuf,
    /// Its version, such as `3.11`.
    pub version: String,
    /// A folder with the one program `pythonX.Y` of this version, for a place that is not in `PATH`.
    pub by_version: PathBuf,
    /// Folders of programs, for the beginning of `PATH`.
    programs: [PathBuf; 2],
}

impl AccountPython {
    /// Makes the virtual environment below `private`, with `python` as its interpreter. What an earlier emulator
    /// installed into it stays.
    ///
    /// # Errors
    /// If `python` does not run, or `private` cannot be written.
    pub(super) fn make(python: &Path, private: &Path) -> io::Result<Self> {
        let facts = ask(python)?;
        let root = private.join("python");
        make_virtualenv(&facts, &root)?;
        let (minor, bin) = (facts.minor(), root.join("bin"));
        let executable = bin.join("python");
        let programs = private.join("bin");
        make_programs(&programs, &executable)?;
        let script = private.join("virtualenv.py");
        fs::write(&script, VIRTUALENV)?;
        let words = format!(" {}", single_quoted(&script.to_string_lossy()));
        make_program(&programs.join("virtualenv"), &executable, &words)?;
        let by_version = private.join("versions");
        // An earlier emulator may have had another Python.
        make_empty(&by_version)?;
        make_program(&by_version.join(format!("python{minor}")), &executable, "")?;
        Ok(Self { executable, version: minor.to_owned(), by_version, programs: [programs, bin] })
    }

    /// The account's programs, then those of this machine, without the virtualenvs among them.
    pub(super) fn search_path(&self, home: &Path) -> OsString {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_virtualenv = |folder: &Path| folder.parent().is_some_and(|root| root.join("pyvenv.cfg").exists());
        let machine = std::env::split_paths(&path).filter(|folder| !is_virtualenv(folder));
        let account = std::iter::once(home.join(".local/bin")).chain(self.programs.iter().cloned());
        // It fails only for a root with a colon in its name.
        std::env::join_paths(account.chain(machine)).unwrap_or(path)
    }
}

/// Makes a virtual environment, with a stub in place of pip unless an earlier emulator has unpacked that.
fn make_virtualenv(facts: &Facts, root: &Path) -> io::Result<()> {
    let (bin, packages) = (root.join("bin"), root.join(&facts.packages));
    fs::create_dir_all(&bin)?;
    fs::create_dir_all(&packages)?;
    let (home, version) = (facts.base.parent().unwrap_or(Path::new("/")).display(), &facts.version);
    let settings = format!("home = {home}\ninclude-system-site-packages = true\nversion = {version}\n");
    fs::write(root.join("pyvenv.cfg"), settings)?;
    fs::write(packages.join("account.pth"), ISOLATION)?;
    for name in ["python", "python3", &format!("python{}", facts.minor())] {
        link(&facts.base, &bin.join(name))?;
    }
    let stub = packages.join("pip");
    if !stub.exists() {
        fs::create_dir(&stub)?;
        fs::write(stub.join("__init__.py"), PIP_STUB)?;
    }
    Ok(())
}

/// Asked once for each Python of this machine: the answers do not change, and tests start many emulators.
fn ask(python: &Path) -> io::Result<Facts> {
    static ASKED: Mutex<BTreeMap<PathBuf, Facts>> = Mutex::new(BTreeMap::new());
    let mut asked = lock(&ASKED);
    if let Some(facts) = asked.get(python) {
        return Ok(facts.clone());
    }
    let failed =
        |kind, why: &dyn std::fmt::Display| io::Error::new(kind, format!("cannot start {}: {why}", python.display()));
    let output = Command::new(python)
        .args(["-I", "-S", "-c", QUESTIONS])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.kind(), &error))?;
    let facts: Facts = serde_json::from_slice(&output.stdout)
        .map_err(|_| failed(io::ErrorKind::Other, &String::from_utf8_lossy(&output.stderr).trim()))?;
    asked.insert(python.to_owned(), facts.clone());
    Ok(facts)
}

/// Makes an empty folder, whatever was in it before.
fn make_empty(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::create_dir(folder),
    }
}

/// Makes `place` a link to `target`, whatever it was before.
fn link(target: &Path, place: &Path) -> io::Result<()> {
    match fs::remove_file(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => symlink(target, place),
    }
}

/// Makes every Python version of the host, and its pip, the account's Python. These are scripts, not links, since a
/// Python finds its virtualenv only by its own path.
fn make_programs(folder: &Path, python: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for suffix in python3_versions().chain(["", "3"]) {
        for (name, words) in [("python", ""), ("pip", " -m pip")] {
            make_program(&folder.join(format!("{name}{suffix}")), python, words)?;
        }
    }
    Ok(())
}

/// Makes a script at `place` that runs `python` with these words, each after a space.
fn make_program(place: &Path, python: &Path, words: &str) -> io::Result<()> {
    fs::write(place, format!("#!/bin/sh\nexec {}{words} \"$@\"\n", single_quoted(&python.to_string_lossy())))?;
    fs::set_permissions(place, fs::Permissions::from_mode(0o755))
}
