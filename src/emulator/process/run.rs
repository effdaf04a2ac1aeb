//! One run of a shell command, for tasks and websites: output goes to log files, CPU time is counted.
//!
//! A shell waits for a line of input before it starts the command. By then the launcher has created the mount
//! namespace, so everything that the command starts is recognised by it and cannot escape, however soon the command
//! ends.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::cpu::CpuMeter;
use super::launcher::Launcher;
use super::logs::Logs;
use super::terminate::ProcessTree;

/// Writes a line, waits for one, runs the command, and finally writes its CPU time. If the emulator is killed, standard
/// input closes, and the background reader kills the process group.
const SHELL: &str = r#"
echo
read -r _ || exit
{ read -r _; kill -KILL 0; } <&0 >/dev/null 2>&1 &
bash -c "$1" </dev/null >>"$2"
status=$?
times
exit $status
"#;

/// What tasks and websites need to run commands.
#[derive(Debug)]
pub struct CommandTools {
    /// Starts the commands.
    pub launcher: Arc<Launcher>,
    /// Counts their CPU time.
    pub meter: Arc<CpuMeter>,
    /// Opens their logs.
    pub logs: Logs,
}

/// A command to run.
#[derive(Debug)]
pub struct CommandSpec {
    /// A command line for bash.
    pub command: String,
    /// The folder in which it starts, as the command sees it.
    pub folder: PathBuf,
    /// Its whole environment except `PATH`.
    pub environment: Vec<(&'static str, OsString)>,
    /// The file for its standard output, as the command sees it.
    pub output: PathBuf,
    /// The file for its standard error.
    pub errors: File,
}

/// A running command. Dropping it kills everything that the command started.
#[derive(Debug)]
pub struct CommandRun {
    child: Child,
    report: BufReader<ChildStdout>,
    /// Kept open, to show the shell that the emulator is alive.
    _presence: ChildStdin,
    /// The command's processes; taken once it has ended.
    tree: Option<Arc<ProcessTree>>,
    meter: Arc<CpuMeter>,
}

impl CommandRun {
    /// Starts a command; its CPU time is counted.
    ///
    /// # Errors
    /// If the system refuses, or the folder does not exist.
    pub async fn start(tools: &CommandTools, spec: CommandSpec) -> io::Result<Self> {
        let mut child = shell(&tools.launcher, spec).spawn()?;
        let (Some(mut presence), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the shell has no standard input or output"));
        };
        let mut report = BufReader::new(stdout);
        if report.read_line(&mut String::new()).await? == 0 {
            return Err(io::Error::other("the shell exited before it ran the command"));
        }
        let tree = child.id().and_then(ProcessTree::of).map(Arc::new);
        if let Some(tree) = &tree {
            tools.meter.watch(tree);
        }
        // If this fails, nothing runs in the tree yet.
        let told = presence.write_all(b"\n").await;
        let run = Self { child, report, _presence: presence, tree, meter: Arc::clone(&tools.meter) };
        told.map(|()| run)
    }

    /// Waits until the command has ended, and returns its exit status.
    ///
    /// # Errors
    /// If the system cannot report it.
    pub async fn wait(mut self) -> io::Result<i32> {
        let mut told = String::new();
        self.report.read_to_string(&mut told).await?;
        let status = self.child.wait().await?;
        if let (Some(used), Some(tree)) = (cpu_time(&told), self.tree.take()) {
            self.meter.forget(&tree, used);
            tree.kill();
        }
        // A shell reports a signal in the same way.
        Ok(status.code().unwrap_or_else(|| 128 + std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0)))
    }
}

impl Drop for CommandRun {
    fn drop(&mut self) {
        if let Some(tree) = self.tree.take() {
            self.meter.forget(&tree, tree.cpu_time());
            tree.kill();
        }
    }
}

fn shell(launcher: &Launcher, spec: CommandSpec) -> Command {
    let words = ["bash", "-c", SHELL, "bash", &spec.command].map(Path::new);
    let words: Vec<&Path> = words.into_iter().chain([spec.output.as_path()]).collect();
    let mut command = Command::from(launcher.command(&words, &spec.folder, false));
    command.envs(spec.environment).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(spec.errors).kill_on_drop(true);
    command
}

/// The sum of the second line of bash's `times`: the children's user and system time, such as `0m1.250s`.
fn cpu_time(times: &str) -> Option<Duration> {
    let parse = |text: &str| {
        let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
        Duration::try_from_secs_f64(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?).ok()
    };
    times.lines().nth(1)?.split_whitespace().map(parse).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shells_times_are_read() {
        let times = "0m0.001s 0m0.002s\n1m2.500s 0m0.250s\n";
        assert_eq!(cpu_time(times), Some(Duration::from_millis(62_750)));
        assert_eq!(cpu_time(""), None);
    }
}
