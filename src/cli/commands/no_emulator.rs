//! `pya emulator` and `pya demo` where the emulator is left out: they say where it runs.

use crate::error::{Error, Result};

/// What both answer, and what `pythonanywhere_api.testing` says.
fn refused<T>() -> Result<T> {
    Err(Error::config("the emulator needs Linux, macOS or WSL"))
}

pub mod demo {
    use crate::cli::args::Demo;
    use crate::cli::context::Context;
    use crate::cli::exit::Exit;
    use crate::error::Result;

    #[allow(clippy::unused_async, reason = "elsewhere it waits")]
    pub async fn run(_args: &Demo, _context: &Context) -> Result<Exit> {
        super::refused()
    }
}

pub mod emulator {
    use crate::cli::args::Emulator;
    use crate::cli::context::Context;
    use crate::cli::exit::Exit;
    use crate::cli::signals::Signals;
    use crate::error::Result;

    #[allow(clippy::unused_async, reason = "elsewhere it waits")]
    pub async fn run(_args: &Emulator, _context: &Context, _signals: &mut Signals) -> Result<Exit> {
        super::refused()
    }
}
