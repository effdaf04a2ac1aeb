//! `pya man`: the manual page, which the wheel brings along. Hidden, since `man pya` shows it.

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::manual;
use crate::error::{Error, Result};

pub fn run(context: &Context) -> Result<Exit> {
    let page = manual::page().map_err(|source| Error::Local { path: "the manual page".into(), source })?;
    context.output.write(&page);
    Ok(Exit::Ok)
}
