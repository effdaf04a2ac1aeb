//! Packing: what goes into a bundle, and what its plan says of that and of what the host has already.
//!
//! The host has the newest manifest. So the plan says only what the new one changes, and of a copy not even the digest: for
//! a large project these would be most of what a small deploy sends. A digest of the whole shows that both sides mean the
//! same. After a deploy that was cut off, the manifest is not all that is known, and then the plan says everything.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::context::{Run, count_as_unknown};
use super::upload::read_selected;
use crate::blocking::blocking;
use crate::client::RemotePath;
use crate::deploy::diff::compare::Obstacle;
use crate::deploy::diff::model::DiffSnapshot;
use crate::deploy::plan::sources::{Source, Upload};
use crate::deploy::remote::Remote;
use crate::deploy::selection::read::{Hashed, hash_all};
use crate::deploy::state::history::DeployEntry;
use crate::deploy::state::intent::Intent;
use crate::deploy::state::manifest::{FileState, Files, Manifest};
use crate::digest::hex;
use crate::error::{Error, Result};
use crate::host::{Bundle, Item, Packed};

/// A bundle that is ready to go, and what the manifest says of its files.
pub(crate) struct PackedBundle {
    pub bundle: Bundle,
    /// Of all uploads, in their order.
    pub states: Vec<(String, FileState)>,
    /// How many bytes the host copies besides.
    pub copies: u64,
}

impl<R: Remote> Run<'_, R> {
    /// Packs what is to be uploaded, with the plan for the runner.
    pub(crate) async fn pack(&self, intent: &Intent) -> Result<PackedBundle> {
        let base = self.base;
        let packing = Packing {
            id: intent.id.clone(),
            generation: self.generation(),
            root: base.remote_root.clone(),
            files: self.files_after(&intent.done),
            // The runner adds how long it took.
            history: self.history(intent, None),
            contested: base.contested(),
            deletes: self.work.deletes.values().flatten().cloned().collect(),
            obstacles: self.work.obstacles.clone(),
            notes: self.old_notes(),
            known: (base.is_settled() && base.deploy.is_some()).then(|| base.known.ours.clone()),
            previous: (!base.is_settled()).then(|| previous(base)),
            kept: base.kept.as_ref().map(|kept| kept.deploy.clone()),
            uploads: self.work.uploads.clone(),
            sources: self.work.sources.clone(),
            local: self.local(),
        };
        blocking(move || packing.pack()).await
    }

    /// Packs those uploads of a bundle that the host could not copy, as they are in its plan.
    pub(crate) async fn pack_missing(&self, load: &PackedBundle, missing: &[String]) -> Result<Bundle> {
        let missing: BTreeSet<&String> = missing.iter().collect();
        let uploads = self.work.uploads.iter().zip(&load.states);
        let wanted: Vec<(Upload, FileState)> = uploads
            .filter(|(upload, _)| missing.contains(&upload.path))
            .map(|(upload, (_, state))| (upload.clone(), state.clone()))
            .collect();
        let local = self.local();
        blocking(move || {
            let items: Vec<Item> = wanted.iter().map(|(upload, _)| item(upload)).collect();
            Bundle::pack_more(&items, &|path| local.read(path), |packed| {
                let mut pairs = wanted.iter().zip(packed);
                let changed = pairs.find(|((_, state), packed)| state.sha256.as_ref() != Some(&packed.sha256));
                changed.map_or(Ok(()), |((upload, _), _)| Err(changed_meanwhile(upload)))
            })
        })
        .await
    }

    fn local(&self) -> Local {
        Local { root: self.base.local_root.clone(), max_size: self.base.max_file_size }
    }
}

/// A manifest of all that is known before this deploy.
fn previous(base: &DiffSnapshot) -> Manifest {
    let deploy = base.deploy.as_deref().unwrap_or_default();
    Manifest::new(base.generation.unwrap_or(0), deploy, &base.remote_root, base.known.ours.clone())
}

/// Where the files are read.
struct Local {
    root: PathBuf,
    max_size: u64,
}

impl Local {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        read_selected(&self.root, path, self.max_size)
    }
}

/// All that a bundle is made from.
struct Packing {
    id: String,
    generation: u64,
    root: RemotePath,
    /// What the new manifest says of all files but the uploads.
    files: Files,
    history: Vec<DeployEntry>,
    contested: BTreeSet<String>,
    deletes: Vec<String>,
    obstacles: Vec<Obstacle>,
    notes: Vec<String>,
    /// What the newest manifest says, if that is all that is known.
    known: Option<Files>,
    /// What is known otherwise.
    previous: Option<Manifest>,
    /// The deploy whose replaced files may be copied.
    kept: Option<String>,
    uploads: Vec<Upload>,
    sources: Vec<Source>,
    local: Local,
}

impl Packing {
    fn pack(mut self) -> Result<PackedBundle> {
        self.send_what_changed()?;
        let numbers = 0..self.uploads.len();
        let (sent, copied): (Vec<usize>, Vec<usize>) =
            numbers.partition(|&number| self.sources[number] == Source::Local);
        let items: Vec<Item> = sent.iter().map(|&number| item(&self.uploads[number])).collect();
        let mut states: Vec<FileState> = self.uploads.iter().map(planned_state).collect();
        let bundle = Bundle::pack(&items, &|path| self.local.read(path), |packed| {
            for (&number, packed) in sent.iter().zip(packed) {
                states[number] = packed_state(packed, &self.uploads[number]);
            }
            Ok(self.plan(&sent, &copied, &states)?.to_string().into_bytes())
        })?;
        let bytes = copied.iter().map(|&number| self.uploads[number].size).sum();
        let states = self.uploads.into_iter().map(|upload| upload.path).zip(states).collect();
        Ok(PackedBundle { bundle, states, copies: bytes })
    }

    /// Sends what is another file now than the one whose content is elsewhere.
    fn send_what_changed(&mut self) -> Result<()> {
        let doubles: BTreeSet<usize> = self.sources.iter().filter_map(Source::upload).collect();
        let read: Vec<usize> = (0..self.uploads.len())
            .filter(|number| self.sources[*number] != Source::Local || doubles.contains(number))
            .collect();
        if read.is_empty() {
            return Ok(());
        }
        let changed = self.changed(&read)?;
        for (number, source) in self.sources.iter_mut().enumerate() {
            if changed.contains(&number) || source.upload().is_some_and(|other| changed.contains(&other)) {
                *source = Source::Local;
            }
        }
        Ok(())
    }

    /// Those of the uploads with these numbers that are not as the diff saw them.
    fn changed(&self, numbers: &[usize]) -> Result<BTreeSet<usize>> {
        let paths: Vec<&PathBuf> = numbers.iter().map(|&number| &self.uploads[number].local).collect();
        let hashed = hash_all(&self.local.root, &paths, self.local.max_size)
            .map_err(|source| Error::Local { path: PathBuf::from("(threads)"), source })?;
        let digests = hashed.into_iter().map(read_digest);
        let is_other =
            |(number, digest): &(usize, Option<String>)| digest.is_none() || *digest != self.uploads[*number].sha256;
        Ok(numbers.iter().copied().zip(digests).filter(is_other).map(|(number, _)| number).collect())
    }

    /// The plan, with the files that are in the bundle first, in their order.
    fn plan(&self, sent: &[usize], copied: &[usize], states: &[FileState]) -> Result<Value> {
        let members: BTreeMap<usize, usize> =
            sent.iter().enumerate().map(|(member, &number)| (number, member)).collect();
        let numbers = sent.iter().chain(copied);
        let entries: Vec<Value> = numbers.map(|&number| self.entry(number, states, &members)).collect::<Result<_>>()?;
        let mut files = self.files.clone();
        files.extend(self.uploads.iter().zip(states).map(|(upload, state)| (upload.path.clone(), state.clone())));
        count_as_unknown(&mut files, &self.contested);
        let clear: Vec<Value> = self
            .obstacles
            .iter()
            .map(|obstacle| json!({ "path": obstacle.path, "is_dir": obstacle.is_dir, "files": obstacle.files }))
            .collect();
        let base = self.known.as_ref().map(|known| self.keep_changes(&mut files, known));
        Ok(json!({
            "format": 1,
            "id": self.id,
            "files": entries,
            "delete": self.deletes,
            "clear": clear,
            "base": base,
            "manifest": Manifest::new(self.generation, &self.id, &self.root, files).with_history(self.history.clone()),
            "remove": self.notes,
            "previous": self.previous,
        }))
    }

    /// What the plan says of an upload, `members` being the places of those in the bundle.
    fn entry(&self, number: usize, states: &[FileState], members: &BTreeMap<usize, usize>) -> Result<Value> {
        let (upload, state) = (&self.uploads[number], &states[number]);
        let mut entry = json!({ "path": upload.path });
        match &self.sources[number] {
            Source::Local => {}
            Source::Host(path) => {
                entry["copy"] = path.as_str().into();
                if self.known.as_ref().is_some_and(|known| known.get(path) == Some(state)) {
                    return Ok(entry);
                }
            }
            Source::Kept(path) => entry["kept"] = json!([self.kept, path]),
            Source::Upload(other) if states[*other].sha256 == state.sha256 => entry["same"] = members[other].into(),
            Source::Upload(other) => return Err(changed_meanwhile(&self.uploads[*other])),
        }
        if let (Value::Object(entry), Value::Object(facts)) = (&mut entry, json!(state)) {
            entry.extend(facts);
        }
        Ok(entry)
    }

    /// Leaves in `files` what the newest manifest does not say, and returns what it takes to know the rest from that.
    fn keep_changes(&self, files: &mut Files, known: &Files) -> Value {
        let cleared = self.obstacles.iter().flat_map(|obstacle| &obstacle.files);
        let named: BTreeSet<&String> = self.deletes.iter().chain(cleared).collect();
        let gone = known.keys().filter(|path| !files.contains_key(*path) && !named.contains(path));
        let base = json!({ "gone": gone.collect::<Vec<_>>(), "digest": digest_of(files) });
        let uploaded: BTreeSet<&String> = self.uploads.iter().map(|upload| &upload.path).collect();
        files.retain(|path, state| !uploaded.contains(path) && known.get(path) != Some(state));
        base
    }
}

/// The digest of a file as it was read. Whoever packs one that could not be says why not.
fn read_digest(hashed: Hashed) -> Option<String> {
    match hashed {
        Hashed::Done(state) | Hashed::Database(state) | Hashed::LfsPointer(state) => state.sha256,
        Hashed::TooLarge(_) | Hashed::Gone | Hashed::Failed(_) => None,
    }
}

/// What both sides compute of the files in a manifest.
fn digest_of(files: &Files) -> String {
    let digest = files.iter().fold(Sha256::new(), |digest, (path, state)| {
        digest.chain_update(format!("{path}\0{}\0", state.sha256.as_deref().unwrap_or_default()))
    });
    hex(&digest.finalize())
}

fn item(upload: &Upload) -> Item {
    Item { path: upload.path.clone(), local: upload.local.clone(), size: upload.size }
}

fn planned_state(upload: &Upload) -> FileState {
    let Upload { sha256, size, mode, origin, .. } = upload;
    FileState { sha256: sha256.clone(), size: Some(*size), mode: *mode, origin: origin.clone() }
}

fn packed_state(packed: &Packed, upload: &Upload) -> FileState {
    FileState { sha256: Some(packed.sha256.clone()), size: Some(packed.size), ..planned_state(upload) }
}

fn changed_meanwhile(upload: &Upload) -> Error {
    Error::Local { path: upload.local.clone(), source: io::Error::other("it changed during the deploy: deploy again") }
}
