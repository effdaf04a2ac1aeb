//! Intents: who is about to change which files, as `intent-<id>.json` in the state folder.
//!
//! # Why two deploys never both go on
//! The service has no compare-and-swap, and a lock file that is written and read back lets both through in some
//! interleavings. So a deploy *writes its own intent, then lists the folder*, and goes on only if the listing shows its
//! own intent, no other one, and as newest manifest the generation that its diff was made from. Say A and B both went
//! on, and A listed first. B's intent was not there when A listed, so B wrote it later, and listed later still. Then B
//! saw A's intent, unless A had removed it by then: because it stopped (then it did not go on), or because it ended
//! well (then it had written a new generation, and B saw that). A deploy that failed leaves its intent. Hence B stopped.
//! Both may stop: each writes, each lists, each sees the other. Whoever writes and lists: where the account's site does it
//! for the client, [`super::by_site`] says why this holds the same.
//!
//! # Why nothing is lost when one is killed
//! An intent names every path that may change (`pending`) before anything does, so a leftover one says whose content is
//! unknown; those are uploaded again. It is also the checkpoint: when it is written anew, every 100 files or 3 minutes,
//! finished uploads have moved from `pending` to `done`, with their digests. That is one request, and it needs no new
//! manifest, whose old generation would have to go as well. The files to be deleted (`deletes`) and the reloads that
//! must follow (`reload`) are in it too. Once a manifest of the same deploy is there, it is the later checkpoint:
//! `pending` and `done` have no meaning any more, `deletes` and `reload` still have.
//!
//! Who takes over a leftover intent copies its debts into its own intent (`takes_over`), and removes the old one once it
//! knows that it may go on, before it changes anything. Whoever is killed, some intent on the host names every debt, and
//! however many deploys fail in a row, one intent is left.
//!
//! # Who may be taken over
//! One that ended in an error says so (`ended`). One of a dead process of the same machine is dead. One that was not
//! refreshed for 10 minutes by the service's clock has expired; its owner knows and sends nothing more
//! ([`super::lease`]). All others are live, and only `force` passes them.
//!
//! # Why one that is taken over by force does no harm
//! Say F takes over S, which sleeps or is slow. F removes the intent of S before its own first change, and S ends by
//! removing its intent itself. Of two deletes of one file only one succeeds, and that decides: if it was that of S, S
//! had finished before F changed anything. If it was that of F, S finds its intent gone and reports a failure. As a rule
//! S notices much earlier, because it looks at the folder after a gap and from time to time, and stops.
//!
//! Whatever S may send until then, the manifest of F stays true: it counts every path of the intent of S as unknown
//! (`contested`), so that the next deploy sends those again. And S cannot replace that manifest: F first writes one under
//! the generation that S would write, then its own under the one after.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

use super::history::{self, DeployEntry};
use super::manifest;
use super::manifest::{Files, is_relative};
use super::process::ProcessId;
use crate::api::TaskKind;
use crate::client::RemotePath;
use crate::clock;
use crate::error::Result;
use crate::locks::lock;

const FORMAT: u32 = 1;

/// The format of an intent with packed paths, which earlier versions would take for one without any.
const PACKED_FORMAT: u32 = 2;

/// So many paths are packed: where a large folder was renamed, they are most of what is sent.
const PACKED_FROM: usize = 200;

/// The longest list of paths that is unpacked, in bytes. The host that it comes from is not trusted.
const MOST_BYTES: u64 = 64 << 20;

/// How long an intent holds without being refreshed, by the service's clock.
pub(crate) const EXPIRY: Duration = Duration::from_secs(10 * 60);

/// What a deploy is about to do, and what it did so far. Fields of later versions are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    format: u32,
    /// Names the deploy.
    pub id: String,
    /// The user who deploys, on the machine where they do.
    pub who: String,
    /// That machine.
    pub host: String,
    /// The process, if its system tells enough about processes.
    #[serde(default)]
    process: Option<ProcessId>,
    /// Seconds since 1970, by the service's clock.
    pub since: u64,
    /// Likewise; without it the intent never expires.
    #[serde(default)]
    pub expires: Option<u64>,
    /// Whether the deploy has ended and left this for what it could not do.
    #[serde(default)]
    pub ended: bool,
    /// Files whose content may be changing.
    #[serde(default)]
    pub pending: BTreeSet<String>,
    /// Files that were uploaded.
    #[serde(default)]
    pub done: Files,
    /// Files of ours that are going, or gone.
    #[serde(default)]
    pub deletes: BTreeSet<String>,
    /// Domains to be reloaded after the change.
    #[serde(default)]
    pub reload: BTreeSet<String>,
    /// Intents whose debts are in this one.
    #[serde(default)]
    pub takes_over: BTreeSet<String>,
    /// The deploy that is being undone, if this is a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// Commands that still have to run on the host, or failed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub steps: BTreeSet<String>,
    /// Files that a deploy which was taken over by force may still have been changing.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub contested: BTreeSet<String>,
    /// Generations of manifests that it, or a deploy that it took over, may have begun to write.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub manifests: BTreeSet<u64>,
    /// What kinds of tasks it may have left in the account.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tasks: BTreeSet<TaskKind>,
    /// What the history will say of deploys whose intents this one takes over, and, as the last entry, of this deploy.
    #[serde(default, deserialize_with = "history::read", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<DeployEntry>,
    /// `pending` and `deletes` if they are long: base64 of zlib of JSON. Only in its text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packed: Option<String>,
}

/// What is packed.
#[derive(Serialize, Deserialize)]
struct Paths {
    pending: BTreeSet<String>,
    deletes: BTreeSet<String>,
}

/// Whether the deploy behind an intent may still be working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentState {
    /// It may be.
    Running,
    /// It has ended: it said so, its process is dead, or it was not refreshed in time.
    Ended,
}

/// The intents that this process works on right now.
static ACTIVE: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

fn active() -> MutexGuard<'static, BTreeMap<String, u32>> {
    lock(&ACTIVE)
}

/// Marks an intent as worked on by this process, until dropped.
#[derive(Debug)]
pub(crate) struct Active(String);

impl Active {
    pub(crate) fn new(id: &str) -> Self {
        active().insert(id.to_owned(), std::process::id());
        Self(id.to_owned())
    }

    fn is_active(id: &str) -> bool {
        // A forked child inherits the table, not the work.
        active().get(id) == Some(&std::process::id())
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        active().remove(&self.0);
    }
}

impl Intent {
    /// An intent of this process that names nothing yet. `now` is the service's time.
    #[must_use]
    pub fn new(now: Option<SystemTime>) -> Self {
        let id = new_id();
        let mut intent = Self {
            format: FORMAT,
            id,
            who: user_name(),
            host: host_name(),
            process: ProcessId::own(),
            since: seconds(now.unwrap_or_else(clock::wall)),
            expires: None,
            ended: false,
            pending: BTreeSet::new(),
            done: Files::new(),
            deletes: BTreeSet::new(),
            reload: BTreeSet::new(),
            takes_over: BTreeSet::new(),
            undoes: None,
            steps: BTreeSet::new(),
            contested: BTreeSet::new(),
            manifests: BTreeSet::new(),
            tasks: BTreeSet::new(),
            history: Vec::new(),
            packed: None,
        };
        intent.refresh(now);
        intent
    }

    /// Makes it hold for another while from `now` on, the service's time.
    pub fn refresh(&mut self, now: Option<SystemTime>) {
        self.expires = now.map(|now| seconds(now + EXPIRY));
    }

    /// Its text.
    ///
    /// # Panics
    /// Never: sets of texts make JSON, and memory takes all writes.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        if self.pending.len() + self.deletes.len() < PACKED_FROM {
            return manifest::to_text(self);
        }
        let mut packed = self.clone();
        let paths =
            Paths { pending: std::mem::take(&mut packed.pending), deletes: std::mem::take(&mut packed.deletes) };
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        let text = serde_json::to_vec(&paths).expect("sets of texts make JSON");
        let compressed = encoder.write_all(&text).and_then(|()| encoder.finish()).expect("memory takes all writes");
        (packed.format, packed.packed) = (PACKED_FORMAT, Some(STANDARD.encode(compressed)));
        manifest::to_text(&packed)
    }

    /// The same as a value.
    ///
    /// # Panics
    /// Never, as for [`Self::to_text`].
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_slice(&self.to_text()).expect("its text is JSON")
    }

    /// Puts packed paths where they belong.
    fn unpack(&mut self) -> Option<()> {
        self.format = FORMAT;
        let Some(packed) = self.packed.take() else { return Some(()) };
        let compressed = STANDARD.decode(packed).ok()?;
        let mut text = Vec::new();
        ZlibDecoder::new(&compressed[..]).take(MOST_BYTES).read_to_end(&mut text).ok()?;
        let paths: Paths = serde_json::from_slice(&text).ok()?;
        self.pending.extend(paths.pending);
        self.deletes.extend(paths.deletes);
        Some(())
    }

    /// Reads what `place` holds.
    ///
    /// # Errors
    /// `Decode` if that is no intent that this version understands.
    pub fn parse(content: &[u8], place: &RemotePath) -> Result<Self> {
        const EXPECTED: &str = "the note of a deploy (delete it if no deploy is running, then upload everything again \
                                with compare=\"names\")";
        let mut intent: Self = manifest::parse(content, place, PACKED_FORMAT, EXPECTED)?;
        let is_unpacked = intent.unpack().is_some();
        let paths = intent.pending.iter().chain(intent.done.keys()).chain(&intent.deletes);
        let names = [file_name(&intent.id), maintenance_name(&intent.id)];
        if is_unpacked
            && paths.into_iter().all(|path| is_relative(path))
            && names.iter().any(|name| name == place.name())
        {
            return Ok(intent);
        }
        Err(manifest::unreadable(content, place, EXPECTED))
    }

    /// Whether the deploy may still be working, at `now` by the service's clock.
    #[must_use]
    pub fn standing(&self, now: Option<SystemTime>) -> IntentState {
        let expired = match (self.expires, now) {
            (Some(expires), Some(now)) => expires < seconds(now),
            _ => false,
        };
        let is_dead = self
            .process
            .as_ref()
            .is_some_and(|process| if process.is_own() { !Active::is_active(&self.id) } else { process.is_dead() });
        if self.ended || expired || is_dead { IntentState::Ended } else { IntentState::Running }
    }

    /// Who and since when, human-readable.
    #[must_use]
    pub fn describe(&self) -> String {
        let since = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(self.since.min(253_402_300_799)));
        format!("{}@{} has been deploying since {since}", self.who, self.host)
    }

    /// Which deploy this was: who, how long ago, and its id, human-readable.
    #[must_use]
    pub fn describe_past(&self, now: Option<SystemTime>) -> String {
        let is_own = self.who == user_name() && self.host == host_name();
        let who = if is_own { "your own".to_owned() } else { format!("{}@{}", self.who, self.host) };
        let age = seconds(now.unwrap_or_else(clock::wall)).saturating_sub(self.since);
        format!("{who}, {}, {}", ago(age), self.id)
    }

    /// Every file that it names.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        self.pending.iter().chain(self.done.keys()).chain(&self.deletes).cloned().collect()
    }

    /// Whether another text of this intent speaks of the same paths and reloads.
    #[must_use]
    pub fn same_scope(&self, other: &Self) -> bool {
        self.id == other.id && self.paths() == other.paths() && self.reload == other.reload
    }
}

/// `intent-<id>.json`
pub(crate) fn file_name(id: &str) -> String {
    format!("intent-{id}.json")
}

/// `maintenance-<id>.json`: written by a job that changes no file of the project; deploys are not stopped by it.
pub(crate) fn maintenance_name(id: &str) -> String {
    format!("maintenance-{id}.json")
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// 16 hexadecimal digits that no other deploy has, also not one in a forked child.
fn new_id() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let text = format!("{:?} {:?} {counter} {}", SystemTime::now(), ProcessId::own(), fastrand::u64(..));
    let mut id = crate::digest::sha256(text);
    id.truncate(16);
    id
}

/// How long ago something was, in its largest unit.
fn ago(seconds: u64) -> String {
    let (number, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{} ago", crate::text::counted(usize::try_from(number).unwrap_or(usize::MAX), unit))
}

/// The name of this machine.
#[must_use]
pub fn host_name() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// The name of who runs this process, as the system has it.
#[must_use]
pub fn user_name() -> String {
    ["LOGNAME", "USER", "USERNAME"]
        .into_iter()
        .find_map(|variable| std::env::var(variable).ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "the service's time may not be known")]
    fn at(seconds: u64) -> Option<SystemTime> {
        Some(UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// An intent of another machine.
    fn foreign() -> Intent {
        Intent { process: None, ..Intent::new(at(1000)) }
    }

    #[test]
    fn a_foreign_intent_is_live_until_it_expires_by_the_services_clock() {
        let intent = foreign();
        assert_eq!(intent.standing(at(1600)), IntentState::Running);
        assert_eq!(intent.standing(at(1601)), IntentState::Ended);
        assert_eq!(intent.standing(None), IntentState::Running);
        assert_eq!(Intent { ended: true, ..intent }.standing(at(1001)), IntentState::Ended);
    }

    #[test]
    fn an_intent_of_this_process_is_live_while_it_is_worked_on() {
        let intent = Intent::new(at(1000));
        let active = Active::new(&intent.id);
        assert_eq!(intent.standing(at(1001)), IntentState::Running);
        drop(active);
        assert_eq!(intent.standing(at(1001)), IntentState::Ended);
    }

    #[test]
    fn an_intent_reads_back_and_says_who_and_since_when() {
        let mut intent = foreign();
        intent.who = "ada".into();
        intent.host = "laptop".into();
        intent.pending.insert("a".into());
        let place = RemotePath::parse(&format!("/s/{}", file_name(&intent.id))).unwrap();
        assert_eq!(Intent::parse(&intent.to_text(), &place).unwrap(), intent);
        assert_eq!(intent.describe(), "ada@laptop has been deploying since Thu, 01 Jan 1970 00:16:40 GMT");
        intent.pending.insert("../a".into());
        assert!(Intent::parse(&intent.to_text(), &place).is_err());
        assert!(Intent::parse(b"{}", &place).is_err());
    }

    #[test]
    fn an_intent_about_many_files_is_short_and_reads_back() {
        let mut intent = foreign();
        intent.pending.extend((0..500).map(|number| format!("new/folder/file{number}.py")));
        intent.deletes.extend((0..500).map(|number| format!("old/folder/file{number}.py")));
        let (place, text) = (RemotePath::parse(&format!("/s/{}", file_name(&intent.id))).unwrap(), intent.to_text());
        assert!(text.len() < 8000, "{}", text.len());
        assert_eq!(Intent::parse(&text, &place).unwrap(), intent);
        // An earlier version must not take it for one that names nothing.
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["format"], 2);
        for damaged in ["", "!", "AAAA"] {
            let mut value = value.clone();
            value["packed"] = damaged.into();
            assert!(Intent::parse(value.to_string().as_bytes(), &place).is_err(), "{damaged}");
        }
    }

    #[test]
    fn ids_differ() {
        assert_ne!(new_id(), new_id());
        assert_eq!(new_id().len(), 16);
    }
}
