//! The terminal: how wide it is, input that it does not show, and whether windows can be opened beside it.

pub(crate) use system::{Hidden, read_hidden, width};

/// Whether a browser has where to open a window: an X server or the like, where that is a matter of the session.
pub(crate) fn has_display() -> bool {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos"))
        || ["BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].iter().any(is_set)
}

#[cfg(unix)]
mod system {
    use std::io;

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

    /// The columns of the terminal that stdout is; `None` if it does not tell, or is none.
    pub(crate) fn width() -> Option<usize> {
        let size = tcgetwinsize(io::stdout()).ok()?;
        (size.ws_col > 0).then_some(usize::from(size.ws_col))
    }

    /// The terminal without echo, until it is dropped.
    pub(crate) struct Hidden {
        before: Termios,
    }

    impl Hidden {
        /// Whether the line break that ends a hidden line is not shown either.
        pub(crate) const HIDES_LINE_BREAK: bool = true;

        /// Switches the echo off.
        pub(crate) fn start() -> io::Result<Self> {
            let before = tcgetattr(io::stdin())?;
            let mut without = before.clone();
            without.local_modes.remove(LocalModes::ECHO);
            // What was typed before the question was shown, and so is no answer to it.
            tcsetattr(io::stdin(), OptionalActions::Flush, &without)?;
            Ok(Self { before })
        }
    }

    impl Drop for Hidden {
        fn drop(&mut self) {
            if let Err(error) = tcsetattr(io::stdin(), OptionalActions::Now, &self.before) {
                log::warn!("the terminal's echo could not be switched on again (\"stty echo\" does it): {error}");
            }
        }
    }

    /// Reads a line while the echo is off; `None` if the input ended.
    pub(crate) fn read_hidden() -> io::Result<Option<String>> {
        let mut line = String::new();
        Ok((io::stdin().read_line(&mut line)? > 0).then_some(line))
    }
}

#[cfg(windows)]
mod system {
    use std::io;

    use console::Term;

    /// The columns of the console that stdout is; `None` if it is none.
    pub(crate) fn width() -> Option<usize> {
        let (_, columns) = Term::stdout().size_checked()?;
        (columns > 0).then_some(usize::from(columns))
    }

    /// Nothing: [`read_hidden`] changes no mode of the console that would have to be restored.
    pub(crate) struct Hidden {}

    impl Hidden {
        /// Whether the line break that ends a hidden line is not shown either.
        pub(crate) const HIDES_LINE_BREAK: bool = false;

        #[allow(clippy::unnecessary_wraps, reason = "as on other systems")]
        pub(crate) fn start() -> io::Result<Self> {
            Ok(Self {})
        }
    }

    /// Reads a line key by key, which shows nothing but the line break; `None` if the input ended.
    pub(crate) fn read_hidden() -> io::Result<Option<String>> {
        Term::stderr().read_secure_line().map(Some)
    }
}
