//! The file of a report: whether it can be written, before anything is sent; and writing it in one step, at the end.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use secrecy::SecretString;

use super::html::Html;
use super::page::Page;
use super::requests::Requests;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::client::{Client, Secrets, Timeline};
use crate::clock::{self, Tick};
use crate::error::{Error, Result};
use crate::host::Variables;
use crate::locks::lock;
use crate::platform::{canonical, mode_of, set_new_mode};

/// A shorter value is a word of every page, such as `1` or `yes`.
const SHORTEST_SECRET: usize = 4;

/// The mode of a new file, before the umask.
const NEW_FILE: u32 = 0o666;

/// The report that a command is to write, if one is wanted.
#[derive(Clone, Default)]
pub struct Report(Option<Arc<File>>);

struct File {
    path: PathBuf,
    timeline: Arc<Timeline>,
    began: Tick,
    began_at: SystemTime,
    secrets: Mutex<Vec<SecretString>>,
}

impl Report {
    /// The report that is to be at `path` in the end.
    ///
    /// # Errors
    /// `Config` if something else than a file is there, `Local` if the file cannot be written.
    pub fn at(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        // The new file takes the place of what is there, which must not be a device. A link stays one.
        let path = &canonical(path).unwrap_or_else(|_| path.to_owned());
        if path.metadata().is_ok_and(|facts| !facts.is_file()) {
            return Err(Error::config(format!("the report cannot be written: {} is not a file", path.display())));
        }
        // Gone at once: a command that is killed leaves nothing.
        temporary(path).map_err(|source| Error::Local { path: path.to_owned(), source })?;
        Ok(Self(Some(Arc::new(File {
            path: path.to_owned(),
            timeline: Arc::default(),
            began: clock::now(),
            began_at: clock::wall(),
            secrets: Mutex::default(),
        }))))
    }

    /// The client, whose requests and token the report knows from here on.
    #[must_use]
    pub fn watched(&self, client: Client) -> Client {
        let Some(file) = &self.0 else { return client };
        file.hide(client.token());
        client.noting_in(Arc::clone(&file.timeline))
    }

    /// Keeps the values of variables out of the report.
    pub fn hide(&self, variables: &Variables) {
        if let Some(file) = &self.0 {
            file.hide(variables.iter().map(|(_, value)| value).filter(|value| value.len() >= SHORTEST_SECRET));
        }
    }

    /// Runs a command that has the report written when it ends by itself. It is written here if the command ends with an
    /// error, or if a signal ends it before it says what else is to be told then: nothing is changed until it does.
    ///
    /// # Errors
    /// Those of the command.
    pub async fn of<F: Future<Output = Result<Exit>>>(
        &self,
        command: &'static str,
        context: &Context,
        run: F,
    ) -> Result<Exit> {
        self.tell_of_signals(command, context);
        let outcome = run.await;
        if let Err(error) = &outcome {
            self.write(|| Page::refused(command, error), &context.output);
        }
        outcome
    }

    /// Has the report written if a signal comes while the command has changed nothing.
    pub fn tell_of_signals(&self, command: &'static str, context: &Context) {
        let early = self.clone();
        context.on_interrupt(move |output| {
            early.write(|| Page::interrupted(command), output);
        });
    }

    /// Writes the report, if one is wanted; false if that failed, which is told.
    pub fn write(&self, page: impl FnOnce() -> Page, output: &Output) -> bool {
        let Some(file) = &self.0 else { return true };
        match file.write(&page()) {
            Ok(()) => {
                output.say(&format!("report: {}", file.path.display()));
                true
            }
            Err(error) => {
                output.failure(&format!("the report cannot be written to {}: {error}", file.path.display()));
                false
            }
        }
    }
}

impl File {
    fn hide<'a>(&self, values: impl IntoIterator<Item = &'a str>) {
        let mut secrets = lock(&self.secrets);
        secrets.extend(values.into_iter().map(SecretString::from));
    }

    fn write(&self, page: &Page) -> io::Result<()> {
        let document = self.document(page);
        let mut file = temporary(&self.path)?;
        file.write_all(document.as_bytes())?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }

    /// The page with the requests until now, in which the secrets known until now are hidden.
    fn document(&self, page: &Page) -> String {
        let secrets = lock(&self.secrets).clone();
        let requests = Requests::new(self.timeline.entries(), self.began, clock::now());
        page.document(Html::hiding(Secrets::known(secrets)), &requests, self.began_at)
    }
}

/// A file in the folder where the report is to be, for those who could read the report that is there.
fn temporary(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    set_new_mode(&mut builder, std::fs::metadata(path).ok().as_ref().and_then(mode_of).unwrap_or(NEW_FILE));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["", "none/r.html", "/dev/null"] {
            assert!(Report::at(Some(&folder.path().join(path))).is_err(), "{path}");
        }
        assert!(Report::at(Some(&folder.path().join("r.html"))).is_ok());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }
}
