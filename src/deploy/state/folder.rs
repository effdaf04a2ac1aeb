//! The state folder on the host: `/home/<user>/.pya/<16 hex digits of the SHA-256 of the remote root>/`.
//!
//! Outside the project, so that no search or delete of the project meets it, and outside anything that is served. It
//! holds the newest manifest and a few replaced ones, and the intents of deploys that are running or were interrupted.
//! What is read from it is the base of every decision, so whatever cannot be listed or fetched is an error. A file that is
//! there and damaged stops nobody: a manifest is set aside and the one before it serves, an intent counts as one about
//! every file. Both make the next deploy send more, never less.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::intent::{Intent, IntentState};
use super::manifest::{FileState, Files, Manifest, below};
use crate::api::Entry;
use crate::client::RemotePath;
use crate::clock::{self, Tick};
use crate::deploy::paths::{folders_of, name_of, parent_of, place};
use crate::deploy::remote::{Remote, list_if_folder, list_if_there};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Lane, SiteState};

/// The folder in the account's home that holds the state of all projects.
const HOME_FOLDER: &str = ".pya";

/// What the name of a job's folder begins with.
const WORK: &str = "work-";

/// What the name of the folder begins with in which the files are kept that a deploy replaced.
const KEPT: &str = "rollback-";

/// How often the folder is read anew if it changes while it is read.
const ATTEMPTS: usize = 3;

/// How long to wait before an intent that cannot be parsed is read again: it may just be written.
const WRITTEN_SOON: Duration = Duration::from_millis(500);

/// Where the state of one project lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateFolder {
    folder: RemotePath,
    project: RemotePath,
}

impl StateFolder {
    pub(crate) fn of(user: &str, remote_root: &RemotePath) -> Result<Self> {
        let home = RemotePath::home(user)?.join(HOME_FOLDER)?;
        if remote_root == &home || remote_root.as_str().starts_with(&format!("{home}/")) {
            return Err(Error::config(format!("{remote_root} is where the notes of deploys are kept: choose another")));
        }
        let mut digest = crate::digest::sha256(remote_root.as_str());
        digest.truncate(16);
        Ok(Self { folder: home.join(&digest)?, project: remote_root.clone() })
    }

    /// The project-relative path of the folder of all states, if a project holds it.
    pub(crate) fn inside_project(&self) -> Option<String> {
        let all = self.folder.parent()?;
        let root = self.project.as_str().trim_end_matches('/');
        Some(all.as_str().strip_prefix(root)?.strip_prefix('/')?.to_owned())
    }

    pub(crate) fn path(&self) -> &RemotePath {
        &self.folder
    }

    pub(crate) fn manifest(&self, generation: u64) -> Result<RemotePath> {
        self.folder.join(&format!("manifest-{generation}.json"))
    }

    pub(crate) fn intent(&self, id: &str) -> Result<RemotePath> {
        self.folder.join(&super::intent::file_name(id))
    }

    pub(crate) fn maintenance(&self, id: &str) -> Result<RemotePath> {
        self.folder.join(&super::intent::maintenance_name(id))
    }

    /// What a deploy replaced, and is kept.
    pub(crate) fn kept_index(&self, id: &str) -> Result<RemotePath> {
        self.folder.join(&format!("{KEPT}{id}/index.json"))
    }

    /// Where a job works, and what it is given.
    pub(crate) fn work(&self, id: &str) -> Result<RemotePath> {
        self.folder.join(&format!("{WORK}{id}"))
    }

    /// What is there.
    pub(crate) async fn list<R: Remote>(&self, remote: &R) -> Result<Contents> {
        Ok(Contents::of(&list_if_there(remote, &self.folder).await?.unwrap_or_default()))
    }

    pub(crate) async fn read_intent<R: Remote>(&self, remote: &R, id: &str) -> Result<Intent> {
        let place = self.intent(id)?;
        Intent::parse(&remote.read(&place).await?, &place)
    }

    /// Reads the newest manifest and all intents: two requests unless a deploy is running or was interrupted.
    pub(crate) async fn read<R: Remote>(&self, remote: &R) -> Result<State> {
        self.read_with(remote, None, true).await
    }

    /// The same from the account's site if that answers: then no request, unless something is damaged, or too long. Also
    /// tells when the site answered.
    pub(crate) async fn read_by<R: Remote>(&self, remote: &R, lane: Option<&Lane>) -> Result<(State, Option<Tick>)> {
        let told = self.told_by(lane).await;
        let answered = told.as_ref().map(|_| clock::now());
        Ok((self.read_with(remote, told, true).await?, answered))
    }

    /// Reads the intents and maintenance notes: one request unless something is running or was interrupted; none where the
    /// account's site tells them.
    pub(crate) async fn read_notes_by<R: Remote>(&self, remote: &R, lane: Option<&Lane>) -> Result<State> {
        let told = self.told_by(lane).await;
        self.read_with(remote, told, false).await
    }

    /// What the account's site says, if it answers.
    async fn told_by(&self, lane: Option<&Lane>) -> Option<SiteState> {
        lane?.state(&self.folder, &self.project).await
    }

    async fn read_with<R: Remote>(&self, remote: &R, told: Option<SiteState>, manifest: bool) -> Result<State> {
        let (mut source, mut attempt) = (Source { remote, told }, 1);
        loop {
            // Boxed, as it is part of every operation.
            match Box::pin(self.read_once(&source, manifest)).await {
                // Somebody ended or went on between our listing and our reading: look again.
                Err(error) if error.kind() == ErrorKind::NotFound && attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome,
            }
            source.told = None;
        }
    }

    async fn read_once<R: Remote>(&self, source: &Source<'_, R>, manifest: bool) -> Result<State> {
        let Contents { generations, intents, maintenance, works, kept, has_jobs } = source.list(self).await?;
        let is_new = source.told.as_ref().is_some_and(|told| told.is_new);
        let mut state = State { is_new, generations, works, kept, has_jobs, ..State::default() };
        if manifest {
            self.read_manifest(source, &mut state).await?;
        }
        for id in &intents {
            match self.read_intent_twice(source, id).await? {
                Some(intent) => state.intents.push(intent),
                None => {
                    state.unreadable.insert(id.clone());
                }
            }
        }
        for id in &maintenance {
            state.maintenance.extend(self.read_maintenance(source, id).await?);
        }
        Ok(state)
    }

    /// The note of a job that changes nothing; `None` if it cannot be parsed.
    async fn read_maintenance<R: Remote>(&self, source: &Source<'_, R>, id: &str) -> Result<Option<Intent>> {
        let place = self.maintenance(id)?;
        match Intent::parse(&source.read(&place).await?, &place) {
            Err(Error::Decode { .. }) => {
                log::warn!("{place} cannot be read and is ignored: delete it if no command is running on the host");
                Ok(None)
            }
            note => note.map(Some),
        }
    }

    /// The newest manifest that can be read. A failed request is an error: only what is there may be set aside.
    async fn read_manifest<R: Remote>(&self, source: &Source<'_, R>, state: &mut State) -> Result<()> {
        for &generation in state.generations.iter().rev() {
            let place = self.manifest(generation)?;
            let content = source.read(&place).await?;
            match Manifest::parse(&content, &place, &self.project) {
                Ok(manifest) if manifest.generation == generation => {
                    state.manifest = Some(manifest);
                    return Ok(());
                }
                Ok(_) | Err(Error::Decode { .. }) => state.set_aside.insert(generation, place),
                Err(error) => return Err(error),
            };
        }
        Ok(())
    }

    /// An intent, `None` if it cannot be parsed, also not after a while.
    async fn read_intent_twice<R: Remote>(&self, source: &Source<'_, R>, id: &str) -> Result<Option<Intent>> {
        let place = self.intent(id)?;
        for pause in [Some(WRITTEN_SOON), None] {
            let content = if pause.is_some() { source.read(&place).await } else { source.remote.read(&place).await };
            match (content.and_then(|content| Intent::parse(&content, &place)), pause) {
                (Ok(intent), _) => return Ok(Some(intent)),
                (Err(Error::Decode { .. }), Some(pause)) => tokio::time::sleep(pause).await,
                (Err(Error::Decode { .. }), None) => {}
                (Err(error), _) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Where the folder is read: in what the account's site has told, else through the API.
struct Source<'a, R> {
    remote: &'a R,
    told: Option<SiteState>,
}

impl<R: Remote> Source<'_, R> {
    async fn list(&self, folder: &StateFolder) -> Result<Contents> {
        match &self.told {
            Some(told) => Ok(Contents::of(told.entries.as_deref().unwrap_or_default())),
            None => folder.list(self.remote).await,
        }
    }

    async fn read(&self, place: &RemotePath) -> Result<Bytes> {
        match self.told.as_ref().and_then(|told| told.texts.get(place.name())) {
            Some(content) => Ok(content.clone()),
            None => self.remote.read(place).await,
        }
    }
}

/// What a listing of the folder shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub generations: BTreeSet<u64>,
    pub intents: BTreeSet<String>,
    pub maintenance: BTreeSet<String>,
    /// The ids of jobs that have a folder.
    pub works: BTreeSet<String>,
    /// The ids of deploys whose replaced files are kept.
    pub kept: BTreeSet<String>,
    /// Whether the runner has noted what it did.
    pub has_jobs: bool,
}

impl Contents {
    fn of(entries: &[Entry]) -> Self {
        let mut contents = Self::default();
        for entry in entries {
            contents.take(entry);
        }
        contents
    }

    fn take(&mut self, entry: &Entry) {
        if let Some(id) = entry.name.strip_prefix(WORK).filter(|_| entry.is_dir) {
            self.works.insert(id.to_owned());
        }
        if let Some(id) = entry.name.strip_prefix(KEPT).filter(|_| entry.is_dir) {
            self.kept.insert(id.to_owned());
        }
        let Some(name) = entry.name.strip_suffix(".json").filter(|_| !entry.is_dir) else { return };
        self.has_jobs |= name == "history";
        if let Some(generation) = name.strip_prefix("manifest-").and_then(generation_of) {
            self.generations.insert(generation);
        } else if let Some(id) = name.strip_prefix("intent-") {
            self.intents.insert(id.to_owned());
        } else if let Some(id) = name.strip_prefix("maintenance-") {
            self.maintenance.insert(id.to_owned());
        }
    }

    pub(crate) fn newest(&self) -> Option<u64> {
        self.generations.last().copied()
    }
}

/// What the folder says.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Whether the account's site told that nothing is at the project's place yet.
    pub is_new: bool,
    pub manifest: Option<Manifest>,
    pub generations: BTreeSet<u64>,
    pub intents: Vec<Intent>,
    /// Manifests newer than the one that serves, which cannot be read.
    pub set_aside: BTreeMap<u64, RemotePath>,
    /// The ids of intents that cannot be read.
    pub unreadable: BTreeSet<String>,
    /// Notes of jobs that change nothing.
    pub maintenance: Vec<Intent>,
    /// The ids of jobs that have a folder.
    pub works: BTreeSet<String>,
    /// The ids of deploys whose replaced files are kept.
    pub kept: BTreeSet<String>,
    /// Whether the runner has noted what it did.
    pub has_jobs: bool,
}

/// What follows from it: what is ours on the host, and what others left to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KnownFiles {
    /// Ours; with unknown content where a deploy was cut off.
    pub ours: Files,
    /// Debts that the next deploy takes over.
    pub pending: BTreeSet<String>,
    pub done: Files,
    /// Ours once, and deleted or not: only a listing tells.
    pub deletes: BTreeSet<String>,
    pub reload: BTreeSet<String>,
}

impl State {
    /// The newest generation that is there, whether its manifest can be read or not.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.generations.last().copied()
    }

    /// Whether files may be other than the manifest and the intents say. They are not if each manifest that cannot be read
    /// was being written by a deploy whose intent is still there: that intent names all that this deploy was about.
    fn is_doubtful(&self) -> bool {
        let explained = |generation| self.intents.iter().any(|intent| intent.manifests.contains(generation));
        !self.unreadable.is_empty() || !self.set_aside.keys().all(explained)
    }

    /// What to know about damaged files in the folder.
    pub(crate) fn damages(&self) -> Vec<String> {
        let mut damages = Vec::new();
        for place in self.set_aside.values().rev() {
            let serves = match &self.manifest {
                Some(manifest) => format!("the previous one, generation {}, is used", manifest.generation),
                None => "the file names on the host are used".to_owned(),
            };
            let doubt = if self.is_doubtful() { ", and every file counts as changed" } else { "" };
            damages.push(format!("{place} cannot be read and was set aside: {serves}{doubt}"));
        }
        damages
    }

    /// Warns of damaged files in the folder.
    pub(crate) fn log_damages(&self) {
        for damage in self.damages() {
            log::warn!("{damage}");
        }
    }

    /// Lays what the intents say over the manifest. `now` is the service's time.
    pub(crate) fn knowledge(&self, now: Option<SystemTime>) -> KnownFiles {
        let manifest = self.manifest.as_ref();
        let deploy = manifest.map_or("", |manifest| &manifest.deploy);
        let ours = manifest.map(|manifest| manifest.files.clone()).unwrap_or_default();
        let mut known = KnownFiles { ours, ..KnownFiles::default() };
        let taken_over: BTreeSet<&String> = self.intents.iter().flat_map(|intent| &intent.takes_over).collect();
        for intent in self.intents.iter().filter(|intent| !taken_over.contains(&intent.id)) {
            known.reload.extend(intent.reload.iter().cloned());
            known.deletes.extend(intent.deletes.iter().cloned());
            if intent.id != deploy {
                known.pending.extend(intent.pending.iter().cloned());
                self.add_done(&mut known, intent, now);
            }
        }
        if self.is_doubtful() {
            known.doubt();
        }
        known.settle();
        known
    }

    /// Adds what an intent says of files that were uploaded.
    fn add_done(&self, known: &mut KnownFiles, intent: &Intent, now: Option<SystemTime>) {
        // Another deploy wrote a manifest after this one had begun: it was taken over by force.
        let is_outdated =
            intent.manifests.last().is_some_and(|own| self.generation().is_some_and(|newest| newest > *own));
        for (path, state) in &intent.done {
            // What a live one has done it may do again, and two that disagree know nothing.
            let is_sure = intent.standing(now) == IntentState::Ended
                && !is_outdated
                && known.done.get(path).is_none_or(|other| other.same_content(state));
            if is_sure {
                known.done.insert(path.clone(), state.clone());
            } else {
                known.pending.insert(path.clone());
            }
        }
    }
}

impl KnownFiles {
    /// Counts the content of every file as unknown.
    fn doubt(&mut self) {
        self.pending.extend(std::mem::take(&mut self.done).into_keys());
        self.ours.values_mut().for_each(|state| *state = FileState::unknown());
    }

    fn settle(&mut self) {
        for path in &self.pending {
            self.done.remove(path);
            if let Some(state) = self.ours.get_mut(path) {
                *state = FileState { origin: state.origin.take(), ..FileState::unknown() };
            }
        }
        for path in self.done.keys() {
            // What was uploaded below a file of ours shows that it made way, and so does an upload over a folder.
            for folder in folders_of(path) {
                self.ours.remove(folder);
            }
            for below in below(&self.ours, path) {
                self.ours.remove(&below);
            }
        }
        self.ours.extend(self.done.iter().map(|(path, state)| (path.clone(), state.clone())));
        self.deletes.retain(|path| !self.ours.contains_key(path));
    }

    /// Checks which files that were to be deleted are still there: those are still ours, the others are forgotten.
    pub(crate) async fn look_for_deleted<R: Remote>(&mut self, remote: &R, root: &RemotePath) -> Result<()> {
        let mut folders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for path in std::mem::take(&mut self.deletes) {
            folders.entry(parent_of(&path).to_owned()).or_default().push(path);
        }
        for (folder, paths) in folders {
            let entries = list_if_folder(remote, &place(root, &folder)?).await?;
            for path in paths {
                if entries.iter().any(|entry| entry.name == name_of(&path) && !entry.is_dir) {
                    self.ours.insert(path.clone(), FileState::unknown());
                    self.deletes.insert(path);
                }
            }
        }
        Ok(())
    }
}

/// The generation in the name of a manifest, if it is one of ours: another spelling of a number names another file, and
/// the next generation must exist.
fn generation_of(number: &str) -> Option<u64> {
    number.parse().ok().filter(|&generation: &u64| generation < u64::MAX && generation.to_string() == number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(sha: &str) -> FileState {
        FileState { sha256: Some(sha.into()), size: Some(1), ..FileState::default() }
    }

    fn root() -> RemotePath {
        RemotePath::parse("/home/u/p").unwrap()
    }

    fn leftover(pending: &[&str], done: &[(&str, &str)]) -> Intent {
        let mut intent = Intent::new(None);
        intent.ended = true;
        intent.pending = pending.iter().map(|&path| path.to_owned()).collect();
        intent.done = done.iter().map(|&(path, sha)| (path.to_owned(), file(sha))).collect();
        intent
    }

    fn state(deploy: &str, intents: Vec<Intent>) -> State {
        let files = [("a".to_owned(), file("1")), ("b".to_owned(), file("2"))].into();
        State {
            manifest: Some(Manifest::new(4, deploy, &root(), files)),
            generations: [4].into(),
            intents,
            ..State::default()
        }
    }

    #[test]
    fn only_our_own_spelling_of_a_generation_counts() {
        assert_eq!(generation_of("12"), Some(12));
        for strange in ["", "+5", "007", "-1", "1 ", "18446744073709551615", "18446744073709551616"] {
            assert_eq!(generation_of(strange), None, "{strange:?}");
        }
    }

    #[test]
    fn the_folder_is_outside_the_project_unless_the_project_is_the_home() {
        let folder = StateFolder::of("u", &root()).unwrap();
        let name = &crate::digest::sha256("/home/u/p")[..16];
        assert_eq!(folder.path().as_str(), format!("/home/u/.pya/{name}"));
        assert_eq!(folder.inside_project(), None);
        let home = StateFolder::of("u", &RemotePath::parse("/home/u").unwrap()).unwrap();
        assert_eq!(home.inside_project().as_deref(), Some(".pya"));
        assert!(StateFolder::of("u", &RemotePath::parse("/home/u/.pya/x").unwrap()).is_err());
    }

    #[test]
    fn what_a_cut_off_deploy_was_about_is_unknown_and_what_it_finished_is_known() {
        let known = state("", vec![leftover(&["a", "new"], &[("b", "3")])]).knowledge(None);
        assert_eq!(known.ours["a"], FileState::unknown());
        assert_eq!(known.ours["b"], file("3"));
        assert!(!known.ours.contains_key("new"));
        assert!(known.pending.contains("new"));
    }

    #[test]
    fn a_manifest_of_the_same_deploy_is_the_later_checkpoint() {
        let mut intent = leftover(&["a"], &[("b", "3")]);
        intent.deletes.insert("gone".into());
        intent.reload.insert("x.y".into());
        let known = state(&intent.id.clone(), vec![intent]).knowledge(None);
        assert_eq!(known.ours["a"], file("1"));
        assert_eq!(known.ours["b"], file("2"));
        assert!(known.pending.is_empty() && known.deletes.contains("gone") && known.reload.contains("x.y"));
    }

    #[test]
    fn leftovers_that_disagree_know_nothing_unless_one_took_the_other_over() {
        let (first, mut second) = (leftover(&[], &[("a", "5")]), leftover(&[], &[("a", "6")]));
        let known = state("", vec![first.clone(), second.clone()]).knowledge(None);
        assert_eq!(known.ours["a"], FileState::unknown());
        second.takes_over.insert(first.id.clone());
        let known = state("", vec![first, second]).knowledge(None);
        assert_eq!(known.ours["a"], file("6"));
    }

    #[test]
    fn an_upload_shows_what_made_way_for_it() {
        let known = state("", vec![leftover(&["a"], &[("a/x", "5")])]).knowledge(None);
        assert!(!known.ours.contains_key("a") && known.ours.contains_key("a/x"));
    }

    #[test]
    fn what_a_live_deploy_has_done_is_not_settled() {
        let mut live = leftover(&[], &[("a", "5")]);
        live.ended = false;
        let active = crate::deploy::state::intent::Active::new(&live.id);
        assert_eq!(state("", vec![live.clone()]).knowledge(None).ours["a"], FileState::unknown());
        drop(active);
        assert_eq!(state("", vec![live]).knowledge(None).ours["a"], file("5"));
    }
}
