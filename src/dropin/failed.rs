//! Why an operation did not succeed: a text for the error message, or an exception.

use http::StatusCode;
use serde_json::Value;

use crate::client::is_documented_error;
use crate::error::{Error, ErrorKind};

/// Why an operation did not succeed.
#[derive(Debug)]
pub enum Failed {
    /// What goes into the error message.
    Told {
        /// 404 if the service said that there is no such thing.
        status: Option<StatusCode>,
        /// What failed, and why.
        text: String,
    },
    /// An exception for the caller: a callback's own, a mistake of the caller's, or the end of the runtime.
    Raised(Error),
}

impl Failed {
    /// A failure that no status came with.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Told { status: None, text: text.into() }
    }

    /// What a request that the caller's code sent failed with: the text that it left. The status tells what is not there.
    #[must_use]
    pub fn answered(status: Option<u16>, text: String) -> Self {
        Self::Told { status: status.and_then(|status| StatusCode::from_u16(status).ok()), text }
    }

    /// Takes a 404 for "not there" only if its answer says so in JSON as the service does, by the rule of the client.
    #[must_use]
    pub fn confirmed_by(self, body: Option<&Value>) -> Self {
        match self {
            Self::Told { text, .. } if !body.is_some_and(is_documented_error) => Self::text(text),
            confirmed => confirmed,
        }
    }

    /// Whether the service said that there is no such thing.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Told { status: Some(StatusCode::NOT_FOUND), .. })
    }

    /// An error of the client or of a deploy while doing `task`.
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

    /// As [`doing`](Self::doing), but mistakes of the caller (`Config`, `Local`) are raised.
    pub fn raising_mistakes(task: &str) -> impl Fn(Error) -> Self + '_ {
        move |error| match error.kind() {
            ErrorKind::Config | ErrorKind::Local => Self::Raised(error),
            _ => Self::doing(task)(error),
        }
    }

    /// Makes an exception of a text too.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Told { text, .. } => Self::Raised(Error::config(text)),
            raised @ Self::Raised(_) => raised,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Failed;
    use crate::error::Error;

    /// The text for the error message, or `None` if it is raised.
    fn told(failed: Failed) -> Option<String> {
        match failed {
            Failed::Told { text, .. } => Some(text),
            Failed::Raised(_) => None,
        }
    }

    #[test]
    fn a_failure_names_the_task() {
        let failed = Failed::doing("reading")(Error::config("the host is empty"));
        assert_eq!(told(failed).unwrap(), "reading: the host is empty");
    }

    #[test]
    fn mistakes_are_raised_where_asked_for() {
        assert!(told(Failed::raising_mistakes("comparing")(Error::config("no such mask"))).is_none());
        assert!(told(Failed::text("no root").raised()).is_none());
    }

    #[test]
    fn only_a_404_of_the_service_says_that_nothing_is_there() {
        let is_not_found = |status, body: Option<Value>| {
            Failed::answered(Some(status), "no".to_owned()).confirmed_by(body.as_ref()).is_not_found()
        };
        assert!(is_not_found(404, Some(json!({"detail": "No such file."}))));
        assert!(!is_not_found(500, Some(json!({"detail": "No such file."}))));
        for body in [None, Some(json!({})), Some(json!([])), Some(json!("detail"))] {
            assert!(!is_not_found(404, body.clone()), "{body:?}");
        }
    }

    #[test]
    fn the_end_of_the_runtime_is_always_raised() {
        assert!(told(Failed::doing("reading")(Error::Closed)).is_none());
    }
}
