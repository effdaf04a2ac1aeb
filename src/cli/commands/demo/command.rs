//! One command of the story: a process of `pya`, its output line by line, and what it asked of the service.

use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use tokio::sync::mpsc;

use super::host::Host;
use crate::cli::context::HostPython;
use crate::clock;
use crate::error::{Error, Result};

/// Variables of whoever runs the demo that would lead its commands elsewhere, or change what they print.
const OTHERS: [&str; 4] = ["PYTHONANYWHERE_", "PYA_", "GITHUB_", "DJANGO_"];

/// A command that has ended.
#[derive(Debug)]
pub struct Done {
    /// As it was typed.
    pub typed: String,
    /// Its exit code; -1 after a signal.
    pub exit_code: i32,
    /// Requests to the API, as the emulator counted them.
    pub requests: usize,
    /// Those of them that change something.
    pub writes: usize,
    /// From its start to its end.
    pub seconds: f64,
}

/// Runs `pya` in `folder` with the emulated account in its environment; `say` gets each line that it prints.
///
/// # Errors
/// `Local` if it cannot be started.
pub async fn pya(words: &[&str], python: &HostPython, folder: &Path, host: &Host, say: impl Fn(&str)) -> Result<Done> {
    let failed = |source| Error::Local { path: python.executable.clone(), source };
    let (before, start) = (host.emulator.requests().len(), clock::now());
    // One pipe for both outputs: their lines stay in the order in which they were printed.
    let (printed, to_us) = pipe().map_err(failed)?;
    let mut child = {
        let mut command = in_account(&python.executable, host);
        command.args(["-m", "pythonanywhere_api"]).args(words).current_dir(folder);
        command.stdout(to_us.try_clone().map_err(failed)?).stderr(to_us);
        // The command, with our ends of the pipe in it, is dropped here: else the pipe would never end.
        command.spawn().map_err(failed)?
    };
    let mut lines = lines_of(printed);
    while let Some(line) = lines.recv().await {
        say(&line);
    }
    let status = child.wait().await.map_err(failed)?;
    let seconds = (clock::now() - start).as_secs_f64();
    let asked = host.emulator.requests().split_off(before);
    let writes = asked.iter().filter(|request| request.method != "GET").count();
    let typed = format!("pya {}", words.join(" "));
    Ok(Done { typed, exit_code: status.code().unwrap_or(-1), requests: asked.len(), writes, seconds })
}

/// A program with the emulated account in its environment.
fn in_account(program: &Path, host: &Host) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).kill_on_drop(true);
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| OTHERS.iter().any(|start| name.starts_with(start))) {
        command.env_remove(name);
    }
    command.env("API_TOKEN", host.emulator.token()).env("PYTHONANYWHERE_USERNAME", host.emulator.user());
    command.env("PYTHONANYWHERE_SITE", host.emulator.url()).env("XDG_CACHE_HOME", &host.cache);
    command
}

/// The lines that come out of a pipe, read on a thread of its own.
fn lines_of(printed: PipeReader) -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    tokio::task::spawn_blocking(move || {
        for line in BufReader::new(printed).split(b'\n').map_while(std::io::Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    lines
}
