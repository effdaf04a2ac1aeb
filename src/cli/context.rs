//! What every command works with: the global options, the output, the Python that started `pya`, and the settings.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::exit::Exit;
use super::options::Global;
use super::output::Output;
use super::settings::Settings;
use super::waits::Waits;
use crate::client::Environment;
use crate::error::{Error, Result};
use crate::locks::lock;

/// The Python that started us; the emulator and the demo run sites with it.
#[derive(Debug, Clone)]
pub struct HostPython {
    /// Its `sys.executable`.
    pub executable: PathBuf,
}

/// Prints what an interrupted command had done.
type InterruptHandler = Box<dyn FnOnce(&Output) + Send>;

/// What every command works with.
pub struct Context {
    pub global: Global,
    pub output: Output,
    pub python: HostPython,
    interrupt_handler: Mutex<Option<InterruptHandler>>,
}

impl Context {
    /// A context whose command has nothing to say yet if it is interrupted.
    pub fn new(global: Global, python: HostPython) -> Self {
        let output = Output::new(global.json, global.quiet);
        Self { global, output, python, interrupt_handler: Mutex::new(None) }
    }

    /// Sets what is printed if the command is interrupted from here on.
    pub fn on_interrupt(&self, handler: impl FnOnce(&Output) + Send + 'static) {
        *lock(&self.interrupt_handler) = Some(Box::new(handler));
    }

    /// Reports what was done until a signal ended the command; `by` is the exit code that stands for the signal.
    pub fn report_interrupt(&self, by: Exit) {
        if let Some(handler) = lock(&self.interrupt_handler).take() {
            handler(&self.output);
        }
        let (kind, message) = match by {
            Exit::Interrupted => ("Interrupted", "interrupted by Ctrl-C"),
            _ => ("Terminated", "terminated by a signal"),
        };
        self.output.refuse(kind, message);
    }

    /// The settings of a command without a project: the table is searched for from the working folder upward.
    ///
    /// # Errors
    /// As [`Settings::load`]; `Local` if the working folder is gone.
    pub fn settings(&self) -> Result<Settings<'_>> {
        self.settings_at(&working_folder()?)
    }

    /// The settings of a command for the project in `folder`. Their clients show what they wait for.
    ///
    /// # Errors
    /// As [`Settings::load`].
    pub fn settings_at(&self, folder: &Path) -> Result<Settings<'_>> {
        let waits = Arc::new(Waits::new(&self.output));
        Ok(Settings::load(&self.global, &self.output, Environment::read(), folder)?.observed_by(waits))
    }
}

/// The working folder of the process.
///
/// # Errors
/// `Local` if it is gone or cannot be read.
pub fn working_folder() -> Result<PathBuf> {
    std::env::current_dir().map_err(|source| Error::Local { path: ".".into(), source })
}
