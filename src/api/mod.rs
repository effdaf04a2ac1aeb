//! Endpoint families of the service as typed calls on [`Client`](crate::Client), one file each, named as in the
//! vendor's reference (<https://help.pythonanywhere.com/pages/API/>). Every call turns an error status into an
//! [`Error`](crate::Error) with the service's own words.

pub mod calls;
mod console_run;
mod consoles;
mod files;
mod perform;
mod tasks;
mod terminal;
mod webapps;
mod websites;

pub use console_run::{CommandOutput, is_shell_prompt};
pub use files::{Entry, Uploaded};
pub use perform::CallAnswer;
pub use tasks::{Task, TaskKind};
pub use webapps::Reloaded;
pub(crate) use webapps::checked_domain;

use crate::error::{ErrorKind, Result};

/// What was asked for; `None` if it cannot be had, which these errors say.
pub(crate) fn found<T>(answer: Result<T>, absent: &[ErrorKind]) -> Result<Option<T>> {
    match answer {
        Err(error) if absent.contains(&error.kind()) => Ok(None),
        answer => answer.map(Some),
    }
}

/// The same, where only that nothing is there says it.
pub(crate) fn if_there<T>(answer: Result<T>) -> Result<Option<T>> {
    found(answer, &[ErrorKind::NotFound])
}
