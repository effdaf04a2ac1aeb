//! Exit codes: stable, so that scripts can decide by them. [`HELP`] lists them for `--help`; the README has the same
//! list, and a test compares the two.

use crate::error::{Error, ErrorKind};

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything asked for was done.
    Ok,
    /// Something failed; other parts of the work may be done, as the output says.
    Failed,
    /// The command line, the settings or a local file is wrong. Nothing was changed on the host.
    Usage,
    /// The service did not answer, or its answer makes no sense.
    NoAnswer,
    /// The service does not accept the token, or does not allow the call.
    Refused,
    /// The thing that was named does not exist.
    NotFound,
    /// Another deploy of the same project is under way, or the host changed since the diff.
    Held,
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// The list for `--help`.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    failed, completely or in part: the output says what failed
  2    the command line, the settings or a local file is wrong; nothing was changed
  3    no answer from the service, or one that is not understood
  4    the service does not accept the token, or does not allow the call
  5    not found
  6    another deploy of the same project is under way
  130  interrupted (Ctrl-C)
  143  terminated (SIGTERM)";

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoAnswer => 3,
            Self::Refused => 4,
            Self::NotFound => 5,
            Self::Held => 6,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// What a signal did to the command.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        if self == Self::Interrupted { "interrupted" } else { "terminated" }
    }

    /// The code for an error that ended a command.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        Self::of_kind(error.kind())
    }

    /// The same for the kind of an error.
    #[must_use]
    pub fn of_kind(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Config | ErrorKind::Local => Self::Usage,
            ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::Decode => Self::NoAnswer,
            ErrorKind::Authentication | ErrorKind::Forbidden => Self::Refused,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Held => Self::Held,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_lists_every_code() {
        let all = [
            Exit::Ok,
            Exit::Failed,
            Exit::Usage,
            Exit::NoAnswer,
            Exit::Refused,
            Exit::NotFound,
            Exit::Held,
            Exit::Interrupted,
            Exit::Terminated,
        ];
        for exit in all {
            let line = format!("\n  {:<5}", exit.code());
            assert!(HELP.contains(&line), "{exit:?} is not in the help");
        }
        assert_eq!(HELP.lines().count(), all.len() + 1);
    }
}
