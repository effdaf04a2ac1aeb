//! From the command line to the exit code: parsing, the runtime, signals.
//!
//! A command is one future. Ctrl-C and SIGTERM drop it, which cancels what it has under way; what has to be said about
//! work that was cut off, a command leaves in its [`Context`] beforehand.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use clap::error::ErrorKind as ParseErrorKind;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Cli, Global};
use super::commands;
use super::exit::Exit;
use super::log;
use super::output::Output;
use crate::error::{Error, Result};

/// The Python that started us; the emulator and the demo run sites with it.
#[derive(Debug, Clone)]
pub struct HostPython {
    /// Its `sys.executable`.
    pub executable: PathBuf,
}

/// What every command works with.
pub struct Context {
    pub global: Global,
    pub output: Output,
    pub python: HostPython,
    last_words: Mutex<Option<LastWords>>,
}

/// Says what an interrupted command had done.
type LastWords = Box<dyn FnOnce(&Output) + Send>;

impl Context {
    /// Sets what is said if the command is interrupted from here on.
    pub fn on_interrupt(&self, words: impl FnOnce(&Output) + Send + 'static) {
        *self.last_words.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(words));
    }

    fn interrupted(&self, by: Exit) {
        self.output.say(if by == Exit::Interrupted { "interrupted" } else { "terminated" });
        if let Some(words) = self.last_words.lock().unwrap_or_else(PoisonError::into_inner).take() {
            words(&self.output);
        }
    }
}

/// Runs `pya` with what was typed, the command's own name first, and returns the exit code.
///
/// Handles SIGINT and SIGTERM until it returns; whoever embeds it in another runtime should have reset the handlers of
/// that runtime.
#[must_use]
pub fn run(args: Vec<OsString>, host: HostPython) -> i32 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let shown = matches!(error.kind(), ParseErrorKind::DisplayHelp | ParseErrorKind::DisplayVersion);
            // Printing fails where nobody listens any more.
            let _ = error.print();
            return if shown { Exit::Ok } else { Exit::Usage }.code();
        }
    };
    log::start(cli.global.verbose);
    let output = Output::new(cli.global.json, cli.global.quiet);
    let context = Context { global: cli.global, output, python: host, last_words: Mutex::new(None) };
    let exit = match runtime() {
        Ok(runtime) => {
            let exit = runtime.block_on(until_signal(&context, commands::run(cli.command, &context)));
            // Threads that still read or hash files must not hold the end up.
            runtime.shutdown_timeout(Duration::from_millis(50));
            exit
        }
        Err(error) => {
            context.output.error(&error);
            Exit::Failed
        }
    };
    exit.code()
}

fn runtime() -> Result<Runtime> {
    let failed = |source| Error::Local { path: "the runtime's threads".into(), source };
    Builder::new_multi_thread().worker_threads(2).thread_name("pya").enable_all().build().map_err(failed)
}

/// Runs the command until it ends or a signal ends it.
async fn until_signal(context: &Context, command: impl Future<Output = Result<Exit>>) -> Exit {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
        context.output.failure("signals cannot be watched on this system");
        return Exit::Failed;
    };
    let by = tokio::select! {
        result = command => return result.unwrap_or_else(|error| {
            context.output.error(&error);
            Exit::of(&error)
        }),
        _ = interrupt.recv() => Exit::Interrupted,
        _ = terminate.recv() => Exit::Terminated,
    };
    context.interrupted(by);
    by
}
