//! Consoles: real programs on real terminals. As on the host, a console starts when its page is first opened.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde::Serialize;

use super::launcher::{Launcher, Session};
use super::screen::{COLUMNS, ROWS, Screen, ScreenContent};
use super::terminate::ProcessTree;
use crate::emulator::account::Account;
use crate::locks::lock;

/// About how much of a console's output the service keeps.
const OUTPUT_CHARACTERS: usize = 500;

/// The bytes to keep for that: a character may take four, and the first one may be cut.
const OUTPUT_BYTES: usize = OUTPUT_CHARACTERS * 4;

/// How many inputs may wait until the program reads them.
const WAITING_INPUTS: usize = 64;

#[allow(clippy::cast_possible_truncation, reason = "small numbers")]
const WINDOW: Winsize = Winsize { ws_row: ROWS as u16, ws_col: COLUMNS as u16, ws_xpixel: 0, ws_ypixel: 0 };

/// The host's prompt.
const BASHRC: &str = "PS1='\\A \\w $ '\n";

/// A console, with the fields that the service returns.
#[derive(Debug, Clone, Serialize)]
pub struct Console {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The account's user.
    pub user: String,
    /// The program that it runs, such as `bash`.
    pub executable: String,
    /// The program's arguments, in one string.
    pub arguments: String,
    /// The folder in which it starts; `None` is the home folder.
    pub working_directory: Option<String>,
    /// The name in the list of consoles.
    pub name: String,
    /// The page that starts it.
    pub console_url: String,
    /// The same page without its frame.
    pub console_frame_url: String,
}

/// The account's consoles.
#[derive(Debug)]
pub struct Consoles {
    launcher: Arc<Launcher>,
    bashrc: PathBuf,
    all: Mutex<BTreeMap<u64, (Console, Option<Terminal>)>>,
    next: Mutex<u64>,
    /// The CPU time used by consoles that have been killed.
    used: Mutex<Duration>,
}

#[derive(Debug)]
struct Terminal {
    child: Child,
    /// Input for the thread that types: writing to a terminal blocks if its program does not read.
    keyboard: SyncSender<Vec<u8>>,
    output: Arc<Mutex<Output>>,
}

/// What a console's programs have written.
#[derive(Debug, Default)]
struct Output {
    /// The end of it, as it was written.
    latest: VecDeque<u8>,
    screen: Screen,
}

impl Consoles {
    /// Creates the list, without any console.
    ///
    /// # Errors
    /// If bash's startup file cannot be written.
    pub fn new(launcher: Arc<Launcher>, account: &Account) -> io::Result<Self> {
        let bashrc = account.private().join("bashrc");
        fs::write(&bashrc, BASHRC)?;
        Ok(Self { launcher, bashrc, all: Mutex::default(), next: Mutex::new(1), used: Mutex::default() })
    }

    /// All consoles, in the order of their ids.
    #[must_use]
    pub fn all(&self) -> Vec<Console> {
        lock(&self.all).values().map(|(console, _)| console.clone()).collect()
    }

    /// The console with an id.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<Console> {
        lock(&self.all).get(&id).map(|(console, _)| console.clone())
    }

    /// Creates a console without starting it; `None` if there are `most` consoles already.
    pub fn create(
        &self,
        user: &str,
        executable: &str,
        arguments: &str,
        working_directory: Option<&str>,
        most: usize,
    ) -> Option<Console> {
        let mut all = lock(&self.all);
        if all.len() >= most {
            return None;
        }
        let mut next = lock(&self.next);
        let id = *next;
        *next += 1;
        let console = Console {
            id,
            user: user.to_owned(),
            executable: executable.to_owned(),
            arguments: arguments.to_owned(),
            working_directory: working_directory.filter(|folder| !folder.is_empty()).map(str::to_owned),
            name: format!("{executable} console {id}"),
            console_url: format!("/user/{user}/consoles/{id}/"),
            console_frame_url: format!("/user/{user}/consoles/{id}/frame/"),
        };
        all.insert(id, (console.clone(), None));
        Some(console)
    }

    /// Starts a console if it is not running; `None` if there is no such console.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn open(&self, id: u64, session: &Session) -> Option<io::Result<()>> {
        let mut all = lock(&self.all);
        let (console, terminal) = all.get_mut(&id)?;
        if terminal.is_none() {
            match self.start(console, session) {
                Ok(started) => *terminal = Some(started),
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(()))
    }

    /// Types into a console without waiting until its program reads; `None` if it was never opened.
    ///
    /// # Errors
    /// If its program has ended, or has left too much input unread.
    pub fn send_input(&self, id: u64, text: &str) -> Option<io::Result<()>> {
        let mut all = lock(&self.all);
        let (_, Some(terminal)) = all.get_mut(&id)? else { return None };
        Some(terminal.take(text))
    }

    /// The end of a console's output, including terminal escapes; `None` if it was never opened.
    #[must_use]
    pub fn latest_output(&self, id: u64) -> Option<String> {
        let all = lock(&self.all);
        let (_, Some(terminal)) = all.get(&id)? else { return None };
        let bytes: Vec<u8> = lock(&terminal.output).latest.iter().copied().collect();
        let text = String::from_utf8_lossy(&bytes);
        let count = text.chars().count();
        Some(text.chars().skip(count.saturating_sub(OUTPUT_CHARACTERS)).collect())
    }

    /// Whether a console has been opened.
    #[must_use]
    pub fn is_started(&self, id: u64) -> bool {
        lock(&self.all).get(&id).is_some_and(|(_, terminal)| terminal.is_some())
    }

    /// What a console shows, with the number of this state; `None` if it is the state `known`, or if it was never opened.
    #[must_use]
    pub fn screen(&self, id: u64, known: Option<u64>) -> Option<(u64, ScreenContent)> {
        let all = lock(&self.all);
        let (_, Some(terminal)) = all.get(&id)? else { return None };
        let output = lock(&terminal.output);
        let version = output.screen.version();
        (known != Some(version)).then(|| (version, output.screen.content()))
    }

    /// Kills and removes a console; false if there is none.
    pub fn kill(&self, id: u64) -> bool {
        let Some((_, terminal)) = lock(&self.all).remove(&id) else { return false };
        *lock(&self.used) += terminal.map(|terminal| terminal.cpu_time()).unwrap_or_default();
        true
    }

    /// The CPU time that all consoles have used so far.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let running: Duration =
            lock(&self.all).values().filter_map(|(_, terminal)| terminal.as_ref()).map(Terminal::cpu_time).sum();
        *lock(&self.used) + running
    }

    /// Kills all.
    pub fn stop(&self) {
        lock(&self.all).clear();
    }

    fn start(&self, console: &Console, session: &Session) -> io::Result<Terminal> {
        let (ours, theirs) = open_terminal()?;
        let child = self.spawn(console, session, theirs)?;
        let hand = File::from(ours);
        let output = Arc::new(Mutex::new(Output::default()));
        let screen = File::from(OwnedFd::from(hand.try_clone()?));
        std::thread::Builder::new().name("console".to_owned()).spawn({
            let output = Arc::clone(&output);
            move || keep_output(screen, &output)
        })?;
        let (keyboard, inputs) = sync_channel(WAITING_INPUTS);
        std::thread::Builder::new().name("keyboard".to_owned()).spawn(move || type_all(hand, &inputs))?;
        Ok(Terminal { child, keyboard, output })
    }

    /// Starts a console's program on a terminal.
    fn spawn(&self, console: &Console, session: &Session, terminal: OwnedFd) -> io::Result<Child> {
        let words = self.words(console);
        let words: Vec<&Path> = words.iter().map(PathBuf::as_path).collect();
        let folder = self.launcher.folder(console.working_directory.as_deref().unwrap_or_default());
        let mut command = self.launcher.command(&words, &folder, true);
        command.envs(self.launcher.environment(session)).env("TERM", "xterm-256color");
        command
            .stdin(Stdio::from(terminal.try_clone()?))
            .stdout(Stdio::from(terminal.try_clone()?))
            .stderr(Stdio::from(terminal));
        command.spawn()
    }

    fn words(&self, console: &Console) -> Vec<PathBuf> {
        let mut words = vec![PathBuf::from(&console.executable)];
        if console.executable == "bash" {
            words.extend(["--noprofile".into(), "--rcfile".into(), self.bashrc.clone()]);
        }
        words.extend(console.arguments.split_whitespace().map(PathBuf::from));
        words
    }
}

/// Both ends of a new terminal: the emulator's, and that of the program.
fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&ours)?;
    unlockpt(&ours)?;
    tcsetwinsize(&ours, WINDOW)?;
    let name = ptsname(&ours, Vec::new())?;
    // Without the last flag an emulator that leads a session without a terminal, as in a container, would get this
    // one as its own, and end with it. Only the console's program takes it, in a session of its own.
    let theirs = open(&name, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty())?;
    Ok((ours, theirs))
}

/// Keeps the end of a terminal's output, until no program has the terminal open.
fn keep_output(mut screen: File, output: &Mutex<Output>) {
    let mut bytes = [0; 4096];
    // Reading fails once the last program on the terminal has ended.
    while let Ok(count @ 1..) = screen.read(&mut bytes) {
        let mut output = lock(output);
        output.screen.write(&bytes[..count]);
        output.latest.extend(&bytes[..count]);
        let excess = output.latest.len().saturating_sub(OUTPUT_BYTES);
        output.latest.drain(..excess);
    }
}

/// Types all inputs, until the console is gone or its program has ended.
fn type_all(mut hand: File, inputs: &Receiver<Vec<u8>>) {
    if let Err(error) = inputs.iter().try_for_each(|input| hand.write_all(&input)) {
        log::debug!("a console does not accept more input: {error}");
    }
}

impl Terminal {
    fn take(&mut self, text: &str) -> io::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the console's program has ended"));
        }
        self.keyboard.try_send(text.as_bytes().to_vec()).map_err(|error| match error {
            TrySendError::Full(_) => {
                io::Error::new(io::ErrorKind::WouldBlock, "the console's program is not reading its input")
            }
            TrySendError::Disconnected(_) => io::Error::new(io::ErrorKind::BrokenPipe, "the console has ended"),
        })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(tree) = ProcessTree::of(self.child.id()) {
            tree.kill();
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            log::debug!("a console's program had already ended: {error}");
        }
    }
}

impl Terminal {
    fn cpu_time(&self) -> Duration {
        ProcessTree::of(self.child.id()).map(|tree| tree.cpu_time()).unwrap_or_default()
    }
}
