//! Kills a process together with everything that it started.
//!
//! A shell's background jobs and a web app's children survive when only their parent is killed. Processes that belong
//! together are recognised by their mount namespace, which each launch has to itself or, if there is none, by their
//! session.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

/// How often to try: processes that start while others are killed are found in the next round.
const ROUNDS: usize = 100;

/// The pause between two rounds, in which killed processes disappear.
const PAUSE: Duration = Duration::from_millis(2);

/// One of our processes and everything that it started.
#[derive(Debug)]
pub struct ProcessTree {
    /// The process that we started, which leads a session.
    leader: i32,
    /// When it was started: another process may have its number by now.
    started: Option<String>,
    namespace: Option<Namespace>,
}

/// A mount namespace, kept open: the number of one that is gone is soon reused.
#[derive(Debug)]
struct Namespace {
    name: PathBuf,
    _held: File,
}

impl ProcessTree {
    /// The tree of one of our running processes. If its launcher has not finished yet, only its session counts.
    #[must_use]
    pub fn of(leader: u32) -> Option<Self> {
        let leader = i32::try_from(leader).ok()?;
        let process = leader.to_string();
        let held = File::open(place_of_namespace(&process)).ok();
        let namespace = held.zip(namespace_of(&process)).map(|(held, name)| Namespace { name, _held: held });
        let namespace = namespace.filter(|namespace| Some(&namespace.name) != namespace_of("self").as_ref());
        Some(Self { leader, started: ProcStat::of(&process).map(|stat| stat.started), namespace })
    }

    /// Kills all processes of the tree.
    pub fn kill(&self) {
        for _ in 0..ROUNDS {
            let members = self.members();
            if members.is_empty() {
                return;
            }
            for member in members {
                // It may have ended in the meantime.
                let _ = kill_process(member, Signal::KILL);
            }
            std::thread::sleep(PAUSE);
        }
        log::warn!("could not kill all processes that process {} started", self.leader);
    }

    /// The CPU time that the tree has used, including children that have ended and been waited for.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let ticks: u64 = self.all().map(|(_, stat)| stat.ticks).sum();
        Duration::from_secs(ticks) / u32::try_from(clock_ticks_per_second()).unwrap_or(100)
    }

    /// The running processes, without zombies.
    fn members(&self) -> Vec<Pid> {
        let running = self.all().filter(|(_, stat)| stat.state != 'Z');
        running.filter_map(|(process, _)| Pid::from_raw(process.parse().ok()?)).collect()
    }

    /// All processes of the tree. Without /proc there are none, and only the process that we started is killed.
    fn all(&self) -> impl Iterator<Item = (String, ProcStat)> {
        let names = fs::read_dir("/proc").into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let processes = names.filter_map(|process| ProcStat::of(&process).map(|stat| (process, stat)));
        processes.filter(|(process, stat)| self.leads(stat) || self.surrounds(process))
    }

    fn leads(&self, stat: &ProcStat) -> bool {
        stat.session == self.leader
            && ProcStat::of(&self.leader.to_string())
                .is_none_or(|leader| Some(&leader.started) == self.started.as_ref())
    }

    fn surrounds(&self, process: &str) -> bool {
        self.namespace.as_ref().is_some_and(|namespace| namespace_of(process).as_ref() == Some(&namespace.name))
    }
}

fn place_of_namespace(process: &str) -> PathBuf {
    Path::new("/proc").join(process).join("ns/mnt")
}

fn namespace_of(process: &str) -> Option<PathBuf> {
    fs::read_link(place_of_namespace(process)).ok()
}

/// The fields of `/proc/<process>/stat` that are needed.
struct ProcStat {
    state: char,
    session: i32,
    /// The CPU time of the process and its ended children.
    ticks: u64,
    /// In ticks since the system started.
    started: String,
}

impl ProcStat {
    /// Fields 3, 6, 14 to 17 and 22. They follow the name in brackets, which may contain anything.
    fn of(process: &str) -> Option<Self> {
        let text = fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let state = fields.first()?.chars().next()?;
        let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>()).sum::<Result<u64, _>>().ok()?;
        Some(Self { state, ticks, session: fields.get(3)?.parse().ok()?, started: (*fields.get(19)?).to_owned() })
    }
}
