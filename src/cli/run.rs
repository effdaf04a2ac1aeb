//! From the command line to the exit code: parsing, the runtime, signals.
//!
//! A command is one future. Ctrl-C and SIGTERM drop it, which cancels what it has under way, also on the host, for which
//! there are some seconds; a second signal ends them. A command registers in its [`Context`] beforehand what to print then
//! about interrupted work. Only the emulator waits for the signals itself, because
//! they are how it normally ends.

use std::ffi::OsString;
use std::io::Write;
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind as ParseErrorKind;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::args::{Cli, Command};
use super::commands;
use super::context::{Context, HostPython};
use super::exit::Exit;
use super::log;
use super::output::Output;
use super::signals::Signals;
use super::terminal::is_plain;
use super::usage::{explained, with_separator};
use crate::cleanup;
use crate::error::{Error, Result};
use crate::setting::Interface;

/// Time that an interrupted command has to end what it started on the host, and to remove what it left there; as a rule
/// there is nothing.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a signal that ended a command may take to be seen by others.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// Runs `pya` with what was typed, the command's own name first, and returns the exit code.
///
/// Handles SIGINT and SIGTERM until it returns; a program that embeds it in another runtime should reset the handlers
/// of that runtime before.
#[must_use]
pub fn run(args: Vec<OsString>, host: HostPython) -> i32 {
    let args = with_separator(args);
    // Known before the rest is parsed: a program that reads JSON gets a document for a mistyped option too.
    let wants_json = args.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => return tell(&explained(error, &args), wants_json).code(),
    };
    Interface::CommandLine.select();
    log::start(cli.global.verbose);
    let context = Context::new(cli.global, host);
    let exit = run_command(&context, cli.command).unwrap_or_else(|error| {
        context.output.error(&error);
        Exit::of(&error)
    });
    if exit == Exit::Ok && context.output.is_lost() { Exit::Failed } else { exit }.code()
}

/// Shows what the parser says in place of a command: a help text, or what is wrong.
fn tell(error: &clap::Error, wants_json: bool) -> Exit {
    // Printing fails where the reader has gone away.
    let _ = print(error);
    if matches!(error.kind(), ParseErrorKind::DisplayHelp | ParseErrorKind::DisplayVersion) {
        return Exit::Ok;
    }
    if wants_json {
        let message = error.render().to_string();
        Output::new(true, true).refuse("Usage", message.trim_end());
    }
    Exit::Usage
}

/// Shows what the parser says. By itself it takes any terminal for one with colours in continuous integration.
fn print(error: &clap::Error) -> std::io::Result<()> {
    match (is_plain(), error.use_stderr()) {
        (false, _) => error.print(),
        (true, true) => write!(std::io::stderr(), "{}", error.render()),
        (true, false) => write!(std::io::stdout(), "{}", error.render()),
    }
}

fn run_command(context: &Context, command: Command) -> Result<Exit> {
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut signals = Signals::watch()?;
        if let Command::Emulator(args) = command {
            return commands::emulate(&args, context, &mut signals).await;
        }
        let (exit, by) = until_signal(command, context, &mut signals).await;
        if let Some(by) = by {
            tell_interrupted(by, &context.output);
        }
        clean_up(&mut signals, &context.output).await;
        if let Some(by) = by {
            context.report_interrupt(by);
        }
        exit
    });
    // Threads that still read or hash files must not delay the exit.
    runtime.shutdown_timeout(Duration::from_millis(50));
    exit
}

/// Runs a command until it ends or a signal does it; then also which.
async fn until_signal(command: Command, context: &Context, signals: &mut Signals) -> (Result<Exit>, Option<Exit>) {
    tokio::select! {
        exit = commands::run(command, context) => match exit {
            Err(error) => unless_signalled(error, signals).await,
            exit => (exit, None),
        },
        by = signals.next() => (Ok(by), Some(by)),
    }
}

/// What becomes of an error. A command that waits on this thread, as for a keyring, fails because of a signal before that is
/// seen here: the runtime wakes those who wait for one after the other.
async fn unless_signalled(error: Error, signals: &mut Signals) -> (Result<Exit>, Option<Exit>) {
    let limit = if matches!(error, Error::Closed) { SEEN_WITHIN } else { Duration::ZERO };
    match timeout(limit, signals.next()).await {
        Ok(by) => (Ok(by), Some(by)),
        Err(_) => (Err(error), None),
    }
}

/// Says at once that the signal is heard.
fn tell_interrupted(by: Exit, output: &Output) {
    output.say(by.in_words());
    if cleanup::is_due() {
        output.say("ending what was started on the host; another Ctrl-C leaves it there");
    }
}

/// Ends what the command left, unless another signal comes.
async fn clean_up(signals: &mut Signals, output: &Output) {
    tokio::select! {
        () = cleanup::run_pending(CLEANUP_TIMEOUT) => {}
        _ = signals.next() => output.warn(
            "interrupted again: what was started on the host may go on there, and what is left goes with the next command"
        ),
    }
}

fn runtime() -> Result<Runtime> {
    let failed = |source| Error::Local { path: "the runtime's threads".into(), source };
    Builder::new_multi_thread().worker_threads(2).thread_name("pya").enable_all().build().map_err(failed)
}
