//! Why an operation did not succeed: a text for the error message, or an exception.

use http::StatusCode;

use crate::error::{Error, ErrorKind};

/// Why an operation did not succeed.
#[derive(Debug)]
pub enum Failed {
    /// What goes into the error message.
    Told {
        /// The status, if the service gave one.
        status: Option<StatusCode>,
        /// What failed, and why.
        text: String,
    },
    /// An exception for the caller: a callback's own, or the end of the runtime.
    Raised(Error),
}

impl Failed {
    /// A failure that no status came with.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Told { status: None, text: text.into() }
    }

    /// Whether the service said that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Told { status: Some(StatusCode::NOT_FOUND), .. })
    }

    /// An error of the engine while doing `task`.
    pub fn doing(task: &str) -> impl Fn(Error) -> Self + '_ {
        move |error| match error.kind() {
            ErrorKind::Callback | ErrorKind::Closed => Self::Raised(error),
            _ => Self::Told {
                // Of the statuses only "not there" makes a difference, and a proxy's 404 does not say that.
                status: (error.kind() == ErrorKind::NotFound).then_some(StatusCode::NOT_FOUND),
                text: format!("{task}: {}", error.chain()),
            },
        }
    }

    /// As [`doing`](Self::doing), for tasks on local files: a local mistake raises.
    pub fn doing_locally(task: &str) -> impl Fn(Error) -> Self + '_ {
        move |error| match error.kind() {
            ErrorKind::Config | ErrorKind::Local => Self::Raised(error),
            _ => Self::doing(task)(error),
        }
    }

    /// The same as what is raised in any case.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Told { text, .. } => Self::Raised(Error::config(text)),
            raised @ Self::Raised(_) => raised,
        }
    }
}
