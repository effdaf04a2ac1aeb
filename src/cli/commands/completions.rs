//! `pya completions`: what makes a shell complete the names of commands, options and their values.

use clap::CommandFactory;

use crate::cli::args::{Cli, Completions};
use crate::cli::context::Context;
use crate::cli::exit::Exit;

pub fn run(args: &Completions, context: &Context) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "pya", &mut script);
    context.output.write(&script);
    Exit::Ok
}
