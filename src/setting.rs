//! The options that messages name, each spelled as the interface in use writes it.
//!
//! The code that writes a message does not know who reads it, so it names an option by value: `Setting::AllowTasks` is
//! `allow_tasks=True` in Python and `--allow-tasks` on the command line. A process has one interface: `pya` says at its
//! start that it is the command line, and in any other process it is Python, whose names the Rust API shares.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who reads the messages of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// A program that calls the package.
    Python,
    /// Somebody who typed `pya`.
    CommandLine,
}

static IS_COMMAND_LINE: AtomicBool = AtomicBool::new(false);

impl Interface {
    /// Makes it the interface of this process.
    pub fn select(self) {
        IS_COMMAND_LINE.store(self == Self::CommandLine, Ordering::Relaxed);
    }

    /// The interface of this process.
    #[must_use]
    pub fn current() -> Self {
        if IS_COMMAND_LINE.load(Ordering::Relaxed) { Self::CommandLine } else { Self::Python }
    }
}

/// An option that a message tells the reader to give or to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the option of that name")]
pub enum Setting {
    AllowLfsPointers,
    AllowTasks,
    Asgi,
    CompareNames,
    Delete,
    DeleteUnmanaged,
    DeleteUntracked,
    Domain,
    EnvFile,
    Environment,
    ExecutorNone,
    Force,
    Host,
    Include,
    MaxDelete,
    MaxFileSize,
    NoGit,
    Reload,
    MaxSize,
    Overwrite,
    ProjectName,
    PythonVersion,
    ReplaceWsgi,
    RollbackOnFailure,
    SetEnv,
    Settings,
    SiteUrl,
    Superuser,
    Token,
    Virtualenv,
    Wsgi,
    Yes,
}

impl Setting {
    /// Every one, for the test that looks for them among the options of `pya`.
    pub const ALL: [Self; 32] = [
        Self::AllowLfsPointers,
        Self::AllowTasks,
        Self::Asgi,
        Self::CompareNames,
        Self::Delete,
        Self::DeleteUnmanaged,
        Self::DeleteUntracked,
        Self::Domain,
        Self::EnvFile,
        Self::Environment,
        Self::ExecutorNone,
        Self::Force,
        Self::Host,
        Self::Include,
        Self::MaxDelete,
        Self::MaxFileSize,
        Self::NoGit,
        Self::Reload,
        Self::MaxSize,
        Self::Overwrite,
        Self::ProjectName,
        Self::PythonVersion,
        Self::ReplaceWsgi,
        Self::RollbackOnFailure,
        Self::SetEnv,
        Self::Settings,
        Self::SiteUrl,
        Self::Superuser,
        Self::Token,
        Self::Virtualenv,
        Self::Wsgi,
        Self::Yes,
    ];

    /// As `interface` writes it.
    #[must_use]
    pub fn spelled(self, interface: Interface) -> &'static str {
        let (python, command_line) = match self {
            Self::AllowLfsPointers => ("allow_lfs_pointers=True", "--allow-lfs-pointers"),
            Self::AllowTasks => ("allow_tasks=True", "--allow-tasks"),
            Self::Asgi => ("asgi=", "--asgi"),
            Self::CompareNames => ("compare=\"names\"", "--compare names"),
            Self::Delete => ("delete=True", "--delete"),
            Self::DeleteUnmanaged => ("delete_unmanaged=True", "--delete-unmanaged"),
            Self::DeleteUntracked => ("delete_untracked=True", "--delete-untracked"),
            Self::Domain => ("domain=", "--domain"),
            Self::EnvFile => ("env_file=", "--env-file"),
            Self::Environment => ("env=", "--env"),
            Self::ExecutorNone => ("executor=\"none\"", "--executor none"),
            Self::Force => ("force=True", "--force"),
            Self::Host => ("host=", "--host"),
            Self::Include => ("include=", "--include"),
            Self::MaxDelete => ("max_delete=", "--max-delete"),
            Self::MaxFileSize => ("max_file_size=", "--max-file-size"),
            Self::NoGit => ("no_git=True", "--no-git"),
            Self::Reload => ("reload=", "--reload"),
            Self::MaxSize => ("max_size=", "--max-size"),
            Self::Overwrite => ("overwrite=True", "--overwrite"),
            Self::ProjectName => ("project=", "--project"),
            Self::PythonVersion => ("python=", "--python"),
            Self::ReplaceWsgi => ("replace_wsgi=True", "--replace-wsgi"),
            Self::RollbackOnFailure => ("rollback_on_failure=True", "--rollback-on-failure"),
            Self::SetEnv => ("env=", "--set-env"),
            Self::Settings => ("settings=", "--settings"),
            Self::SiteUrl => ("site_url=", "--site-url"),
            Self::Superuser => ("superuser=", "--superuser"),
            Self::Token => ("token=", "--token-file"),
            Self::Virtualenv => ("virtualenv=", "--virtualenv"),
            Self::Wsgi => ("wsgi=", "--wsgi"),
            Self::Yes => ("yes=True", "--yes"),
        };
        match interface {
            Interface::Python => python,
            Interface::CommandLine => command_line,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spelled(Interface::current()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_speak_the_language_of_python_unless_told_otherwise() {
        assert_eq!(Setting::AllowTasks.to_string(), "allow_tasks=True");
    }
}
