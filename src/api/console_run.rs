//! Runs a command in a console: types it, waits until it ends and returns its output.
//!
//! The service gives about the last 500 characters of a terminal, so the end of a command can be seen there but not its
//! whole output. In a `bash` console the command's output therefore goes to a file in the account, which is read and
//! removed: the output is complete and exact, and the exit status is known. Elsewhere (`python3`, `mysql`, …) the
//! command has ended when the prompt is back, and the output is what the terminal still shows; if its beginning may be
//! lost, the text itself says so, so that no part is taken for the whole.

use std::time::Duration;

use serde::Deserialize;

use super::terminal::{after_echo, last_line, plain};
use crate::cleanup;
use crate::client::{Client, RemotePath, Request};
use crate::clock;
use crate::error::{Error, ErrorKind, Result, TimeoutPhase};

/// First and longest wait between two polls of a console, of which the service allows 40 a minute.
const FIRST_POLL: Duration = Duration::from_millis(200);
const MAX_POLL: Duration = Duration::from_secs(3);

/// How long a console that has just started may take to show its prompt.
const PROMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest line that a shell reads before it has started to edit lines itself.
const MAX_LINE_LENGTH: usize = 4000;

/// How often a file that the shell has written is read until the file server sees all of it.
const FILE_READS: u32 = 6;

/// How often the removal of a file is tried that the shell may not have made yet.
const REMOVALS: u32 = 4;

/// The first line of output whose beginning may be lost.
const TRUNCATED: &str = "[the service keeps about 500 characters of a console: output before this line may be lost]\n";

/// The output of a command in a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandOutput {
    /// What the command wrote, without terminal escapes.
    pub text: String,
    /// The exit status, if a shell ran the command.
    pub exit_status: Option<i32>,
    /// Whether the text is known to be complete. If not, its first line says so.
    pub is_complete: bool,
}

#[derive(Deserialize)]
struct ConsoleProgram {
    #[serde(default)]
    executable: String,
}

impl Client {
    /// Runs a command in the console `id` and waits until it has ended. The console must be at its prompt.
    ///
    /// In a `bash` console the command runs in the shell itself (`cd` and `export` last), with the terminal as its
    /// input. In any other, it is typed as one input, and the console's prompt is waited for.
    ///
    /// Endpoints: `GET consoles/{id}/`, `POST consoles/{id}/send_input/`, `GET consoles/{id}/get_latest_output/`, and
    /// for the output of shells `GET` and `DELETE files/path{path}`.
    ///
    /// # Errors
    /// `ConsoleNotStarted` with the page to open; `Config` if the console is not at a prompt; `Timeout` if the command
    /// has not ended after `timeout`: it continues in the console.
    pub async fn run_in_console(&self, id: u64, command: &str, timeout: Duration) -> Result<CommandOutput> {
        if command.trim().is_empty() {
            return Err(Error::config("the command for the console is empty"));
        }
        let console: ConsoleProgram =
            self.send(Request::get(format!("consoles/{id}/"))).await?.error_for_status()?.json("a console")?;
        let program = console.executable.rsplit('/').next().unwrap_or_default();
        let session = Session { client: self, id, command, timeout, token: format!("{:08x}", fastrand::u32(..)) };
        match program {
            "bash" => session.in_shell().await,
            _ => session.at_prompt(program.starts_with("python")).await,
        }
    }
}

/// A command under way.
struct Session<'a> {
    client: &'a Client,
    id: u64,
    command: &'a str,
    timeout: Duration,
    /// Distinguishes its traces from those of other commands.
    token: String,
}

impl Session<'_> {
    async fn in_shell(&self) -> Result<CommandOutput> {
        let line = shell_line(self.command, &self.token)?;
        self.wait_for(PROMPT_TIMEOUT, is_shell_prompt).await?.map_err(|shown| self.not_ready(&shown))?;
        let file = RemotePath::parse(&format!("/home/{}/{}", self.client.user(), file_name(&self.token)))?;
        let mut left = OutputFile { client: self.client.clone(), file: Some(file.clone()) };
        let output = self.type_and_wait(&line, &file).await;
        left.remove(output.is_err()).await;
        output
    }

    /// Types the line and waits until the output is there.
    async fn type_and_wait(&self, line: &str, file: &RemotePath) -> Result<CommandOutput> {
        self.client.send_console_input(self.id, line).await?;
        let mark = mark(&self.token);
        let ended = self.wait_for(self.timeout, |shown| ends_with_status(shown, &mark)).await?;
        let output = match ended {
            Ok(()) => self.read(file, &mark, FILE_READS).await,
            // The mark may have scrolled off the screen.
            Err(_) => self.read(file, &mark, 1).await,
        };
        let (text, exit_status) = match (output?, ended) {
            (Some(output), _) => output,
            (None, Err(_)) => return Err(self.timed_out()),
            (None, Ok(())) => {
                let message = format!("the command has ended, but its output is not in {file}: is the disk full?");
                return Err(Error::config(message));
            }
        };
        Ok(CommandOutput { text: plain(&text), exit_status: Some(exit_status), is_complete: true })
    }

    /// The output and the exit status; `None` if the file is incomplete.
    async fn read(&self, file: &RemotePath, mark: &str, reads: u32) -> Result<Option<(String, i32)>> {
        for read in 1..=reads {
            match self.client.read_file(file).await {
                Ok(content) => {
                    let text = String::from_utf8_lossy(&content);
                    if let Some(output) = split_status(&text, mark) {
                        return Ok(Some(output));
                    }
                }
                Err(error) if error.status() == Some(404) => {}
                Err(error) => return Err(error),
            }
            if read < reads {
                clock::sleep(FIRST_POLL * read).await;
            }
        }
        Ok(None)
    }

    async fn at_prompt(&self, takes_comments: bool) -> Result<CommandOutput> {
        let (mut before, mut prompt) = (String::new(), String::new());
        let is_ready = |shown: &str| {
            prompt = prompt_of(shown);
            shown.clone_into(&mut before);
            !prompt.is_empty()
        };
        self.wait_for(PROMPT_TIMEOUT, is_ready).await?.map_err(|shown| self.not_ready(&shown))?;
        let command = self.command.trim_end_matches('\n');
        // Repeating the same input would leave a terminal that looks the same as before.
        let is_marked = takes_comments && !command.contains('\n');
        let line = if is_marked { format!("{command}  # {}\n", self.token) } else { format!("{command}\n") };
        self.client.send_console_input(self.id, &line).await?;
        let echo = if is_marked { self.token.as_str() } else { command };
        let mut shown = String::new();
        let has_ended = |now: &str| {
            let is_same = now == shown;
            now.clone_into(&mut shown);
            // Python from 3.13 on draws the prompt anew with each character: without the whole echo it may be about to.
            let is_over = !takes_comments || is_same || after_echo(now, echo).is_some();
            now != before && prompt_of(now) == prompt && is_over
        };
        self.wait_for(self.timeout, has_ended).await?.map_err(|_| self.timed_out())?;
        Ok(typed_output(&shown, echo))
    }

    /// Polls the console until `is_there`, less and less often; returns what it shows at the end if that never happens.
    async fn wait_for(
        &self,
        longest: Duration,
        mut is_there: impl FnMut(&str) -> bool,
    ) -> Result<std::result::Result<(), String>> {
        let start = clock::now();
        let mut wait = FIRST_POLL;
        loop {
            let shown = self.client.latest_console_output(self.id).await?;
            if is_there(&shown) {
                return Ok(Ok(()));
            }
            let left = longest.saturating_sub(clock::now() - start);
            if left.is_zero() {
                return Ok(Err(shown));
            }
            clock::sleep(wait.min(left)).await;
            wait = wait.mul_f64(1.5).min(MAX_POLL);
        }
    }

    fn not_ready(&self, shown: &str) -> Error {
        Error::config(format!(
            "the console {} is not at its prompt, so nothing was typed: its last line is {:?}",
            self.id,
            last_line(shown)
        ))
    }

    fn timed_out(&self) -> Error {
        let url = format!("{}consoles/{}/get_latest_output/", self.client.base(), self.id);
        Error::Timeout { method: "GET".to_owned(), url, phase: TimeoutPhase::Command, after: self.timeout }
    }
}

/// The file with the output of a command, which is removed however the call ends. A command that is still running keeps
/// writing to it, and does not make it again.
struct OutputFile {
    client: Client,
    file: Option<RemotePath>,
}

impl OutputFile {
    /// Removes it. With `may_come`, the shell may not have made it yet.
    async fn remove(&mut self, may_come: bool) {
        let Some(file) = self.file.clone() else { return };
        for attempt in 1..=REMOVALS {
            match self.client.delete_path(&file).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    if !may_come || attempt == REMOVALS {
                        break;
                    }
                    clock::sleep(FIRST_POLL * attempt).await;
                }
                Err(error) => {
                    log::warn!("{file} could not be removed: {}", error.chain());
                    break;
                }
                Ok(()) => break,
            }
        }
        self.file = None;
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.file.is_some() {
            let mut left = Self { client: self.client.clone(), file: self.file.take() };
            cleanup::defer(async move { left.remove(true).await });
        }
    }
}

fn file_name(token: &str) -> String {
    format!(".pya-run-{token}")
}

/// Comes before the exit status. The typed line contains it in two parts, so that its echo does not count.
fn mark(token: &str) -> String {
    format!("pya-{token} ")
}

/// The command between `$'` and `'`, in ASCII.
fn quoted(command: &str) -> Result<String> {
    let mut quoted = String::new();
    for byte in command.bytes() {
        match byte {
            b' '..=b'~' if !matches!(byte, b'\'' | b'\\' | b'!') => quoted.push(char::from(byte)),
            0 => return Err(Error::config("a command cannot contain a NUL character")),
            _ => {
                quoted.push('\\');
                quoted.extend([6, 3, 0].map(|shift| char::from(b'0' + ((byte >> shift) & 7))));
            }
        }
    }
    Ok(quoted)
}

/// The line that is typed into a shell: it runs the command, writes its output to a file, and the exit status to the
/// file's end and to the terminal. The file is opened once: if it is removed meanwhile, it is not made again.
///
/// The command is quoted so that it is one line of ASCII: no key of the line editor, no history expansion, no locale
/// plays a part in it. The space in front keeps it out of the history where that is so configured.
fn shell_line(command: &str, token: &str) -> Result<String> {
    let (quoted, file) = (quoted(command)?, file_name(token));
    // No reserved word opens the line: bash does not know one after an `eval` of something unfinished.
    let line = format!(
        " exec 199>~/{file}; eval $'{quoted}' >&199 2>&1; printf '\\n%s%s %d\\n' pya- {token} $? >&199; exec 199>&-; \
         tail -n 1 ~/{file}\n"
    );
    if line.len() > MAX_LINE_LENGTH {
        return Err(Error::config(format!(
            "the command is too long to type ({} characters with quoting, at most {MAX_LINE_LENGTH}): upload it as a \
             script and run that",
            line.len()
        )));
    }
    Ok(line)
}

/// Whether a terminal shows the mark with a whole number and the end of its line.
fn ends_with_status(shown: &str, mark: &str) -> bool {
    plain(shown).lines().any(|line| line.strip_prefix(mark).is_some_and(|status| status.parse::<i32>().is_ok()))
        && shown.rfind(mark).is_some_and(|at| shown[at..].contains('\n'))
}

/// The output and the status from what the command's file holds; `None` if it is incomplete.
fn split_status(content: &str, mark: &str) -> Option<(String, i32)> {
    let (output, status) = content.strip_suffix('\n')?.rsplit_once('\n')?;
    let status = status.strip_prefix(mark)?.parse().ok()?;
    Some((output.to_owned(), status))
}

/// Whether this is the screen of a shell that waits for input: its last line is the host's `10:12 ~ $ `, with an
/// environment's name before it or not, or root's.
#[must_use]
pub fn is_shell_prompt(shown: &str) -> bool {
    let line = last_line(shown);
    let line = format!("{} ", line.trim_end());
    // Text after the first of them has been typed, and our command would become part of it.
    let end = ["$ ", "# "].iter().filter_map(|sign| line.find(sign)).min();
    // A database's prompt ends like root's.
    end.is_some_and(|end| end + 2 == line.len()) && !line.ends_with("=# ") && !line.ends_with("-# ")
}

/// The last line with its numbers made equal: prompts count, or tell the time.
fn prompt_of(shown: &str) -> String {
    let mut prompt = String::new();
    for character in last_line(shown).trim_end().chars() {
        match character {
            '0'..='9' if prompt.ends_with('0') => {}
            '0'..='9' => prompt.push('0'),
            _ => prompt.push(character),
        }
    }
    prompt
}

/// What a terminal shows between the echo of the input and the prompt.
fn typed_output(shown: &str, echo: &str) -> CommandOutput {
    let after = after_echo(shown, echo);
    let text = plain(after.unwrap_or(shown));
    let text = text.rfind('\n').map_or("", |newline| &text[..=newline]);
    let cut = if after.is_some() { "" } else { TRUNCATED };
    CommandOutput { text: format!("{cut}{text}"), exit_status: None, is_complete: after.is_some() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_told_from_output() {
        for ready in ["10:12 ~ $ ", "hi\r\n\x1b[?2004h10:12 ~/site $ ", "(venv) 00:00 ~ $ ", "root@host:/# ", "$ "] {
            assert!(is_shell_prompt(ready), "{ready:?}");
        }
        for busy in [
            "",
            "10:12 ~ $ sleep 5\r\n",
            ">>> ",
            "10:12 ~ $ python3\r\n>>> ",
            "mysql> ",
            "db=# ",
            "[y/N] ",
            "10:12 ~ $ echo costs $ ",
        ] {
            assert!(!is_shell_prompt(busy), "{busy:?}");
        }
        assert_eq!(prompt_of("x\r\nIn [9]: "), prompt_of("y\r\nIn [10]: "));
        assert_eq!(prompt_of("10:59 ~ $ "), prompt_of("11:00 ~ $ "));
        assert_ne!(prompt_of(">>> "), prompt_of("... "));
    }

    #[test]
    fn an_echo_does_not_pass_for_the_end() {
        let line = shell_line("echo hi", "0badcafe").unwrap();
        let mark = mark("0badcafe");
        assert!(!line.contains(&mark));
        assert!(!ends_with_status(&line, &mark));
        assert!(!ends_with_status("pya-0badcafe 12", &mark), "the number may go on");
        assert!(ends_with_status("$ tail\r\npya-0badcafe 12\r\n$ ", &mark));
    }

    #[test]
    fn what_is_typed_is_one_line_of_ascii() {
        let line = shell_line("echo 'it!'\n\techo \u{e9}\\", "1").unwrap();
        assert!(line.is_ascii() && line.matches('\n').count() == 1 && line.ends_with('\n'), "{line}");
        assert!(line.contains(r"eval $'echo \047it\041\047\012\011echo \303\251\134' >&199"), "{line}");
        assert!(shell_line(&"x".repeat(MAX_LINE_LENGTH), "1").is_err());
        assert!(shell_line("a\0b", "1").is_err());
    }

    #[test]
    fn a_status_stands_at_the_end_of_the_output() {
        let mark = mark("1");
        for (content, output) in [
            ("hi\n\npya-1 0\n", Some(("hi\n", 0))),
            ("\npya-1 127\n", Some(("", 127))),
            ("no newline\npya-1 1\n", Some(("no newline", 1))),
            ("hi\n\npya-1 0", None),
            ("hi\n", None),
            ("", None),
        ] {
            let found = split_status(content, &mark);
            assert_eq!(found.as_ref().map(|(text, status)| (text.as_str(), *status)), output, "{content:?}");
        }
    }

    #[test]
    fn lost_beginnings_are_told() {
        let whole = typed_output(">>> f()  # 0badcafe\r\n\x1b[1m42\x1b[0m\r\n>>> ", "0badcafe");
        assert_eq!(whole, CommandOutput { text: "42\n".to_owned(), exit_status: None, is_complete: true });
        let cut = typed_output("41\r\n42\r\n>>> ", "0badcafe");
        assert_eq!((cut.text, cut.is_complete), (format!("{TRUNCATED}41\n42\n"), false));
        let silent = typed_output(">>> x = 1  # 0badcafe\r\n>>> ", "0badcafe");
        assert_eq!((silent.text.as_str(), silent.is_complete), ("", true));
    }
}
