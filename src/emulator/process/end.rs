//! Ending a process with all that it started.
//!
//! A shell's background jobs and a web app's children outlive a plain kill. What was started together is known by its
//! mount namespace, which each launch has to itself, or, where there is none, by its session.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// Processes that are started while others are ended are met in the next round.
const ROUNDS: usize = 100;

/// The time between two rounds, in which those that were killed go.
const PAUSE: Duration = Duration::from_millis(2);

/// Which processes were started together with one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The process we started; it leads a session.
    leader: i32,
    namespace: Option<PathBuf>,
}

impl Family {
    /// Looks at a running process of ours. Its launcher must have made it what it is, or it counts by its session only.
    #[must_use]
    pub fn of(leader: u32) -> Option<Self> {
        let leader = i32::try_from(leader).ok()?;
        let namespace =
            namespace_of(&leader.to_string()).filter(|namespace| Some(namespace) != namespace_of("self").as_ref());
        Some(Self { leader, namespace })
    }

    /// Kills them all.
    pub fn kill(&self) {
        for _ in 0..ROUNDS {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for member in members {
                // It may have ended by itself meanwhile.
                let _ = kill_process(member, Signal::KILL);
            }
            std::thread::sleep(PAUSE);
        }
        log::warn!("processes that {} started do not end", self.leader);
    }

    fn members(&self) -> Vec<Pid> {
        let Ok(entries) = fs::read_dir("/proc") else {
            // A system without /proc: the process that we started must do.
            return Vec::new();
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| self.holds(name)).filter_map(|name| Pid::from_raw(name.parse().ok()?)).collect()
    }

    fn holds(&self, process: &str) -> bool {
        let Some((state, session)) = state_and_session(process) else { return false };
        // What is dead already waits for its parent only.
        state != 'Z'
            && (session == self.leader || (self.namespace.is_some() && namespace_of(process) == self.namespace))
    }
}

fn namespace_of(process: &str) -> Option<PathBuf> {
    fs::read_link(Path::new("/proc").join(process).join("ns/mnt")).ok()
}

/// The third and the sixth field of `/proc/<process>/stat`, behind the name in brackets, which may hold anything.
fn state_and_session(process: &str) -> Option<(char, i32)> {
    let text = fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(2)?.parse().ok()?))
}
