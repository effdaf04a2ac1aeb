//! How wide the terminal is.

/// The columns of the terminal that stdout is; `None` if it does not tell, or is none.
#[cfg(unix)]
pub(crate) fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// The columns of the console that stdout is; `None` if it is none.
#[cfg(windows)]
pub(crate) fn width() -> Option<usize> {
    let (_, columns) = console::Term::stdout().size_checked()?;
    (columns > 0).then_some(usize::from(columns))
}
