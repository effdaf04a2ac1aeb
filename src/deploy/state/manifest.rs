//! The manifest: what we put on the host, as `manifest-<generation>.json` in the state folder.
//!
//! It is the base of a diff that costs two requests, and the licence to delete: a file that no manifest names is not
//! ours. A new generation is a new file, because the service does not promise that a file is replaced atomically; the
//! newest one counts. One that is damaged is set aside ([`super::folder`]); one of a later format is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::history::{self, DeployEntry};
use crate::client::RemotePath;
use crate::error::{Error, Result};

/// The format of manifests that this version writes, and the newest that it reads.
const FORMAT: u32 = 1;

/// What git knew of a file when it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Git tracked it: where it is missing from a work tree, somebody removed it.
    Tracked,
    /// Git did not track it, and this machine sent it. It may be the result of a build, which another machine's work tree
    /// does not have.
    Untracked(String),
}

/// What is known of a file on the host. Without a digest it is ours, but its content is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileState {
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// In bytes.
    pub size: Option<u64>,
    /// Permission bits of the local file, which the service cannot set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// Whether git tracked the file when it was sent. Unknown where git was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

impl FileState {
    /// A file of ours whose content is not known.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Whether both are known to have the same content.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        self.sha256.is_some() && self.sha256 == other.sha256
    }
}

/// Path relative to the project to what is there.
pub type Files = BTreeMap<String, FileState>;

/// What we deployed. Fields of later versions are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Counts up with every deploy.
    pub generation: u64,
    /// The id of the deploy that wrote it.
    pub deploy: String,
    /// The project's folder on the host.
    pub remote_root: String,
    /// What we put there.
    pub files: Files,
    /// The last deploys, oldest first; the last one is that which wrote the manifest.
    #[serde(default, deserialize_with = "history::read", skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<DeployEntry>,
    /// What the latest bundle replaced or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Kept>,
}

/// Content that a deploy replaced or deleted and that the host keeps for a rollback, as far as it is known: another deploy
/// may want it back. Written by the runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The id of that deploy.
    pub deploy: String,
    /// Path to SHA-256.
    pub files: BTreeMap<String, String>,
}

impl Manifest {
    /// A manifest to be written.
    #[must_use]
    pub fn new(generation: u64, deploy: &str, remote_root: &RemotePath, files: Files) -> Self {
        Self {
            format: FORMAT,
            generation,
            deploy: deploy.to_owned(),
            remote_root: remote_root.to_string(),
            files,
            history: Vec::new(),
            kept: None,
        }
    }

    /// The same with a history.
    #[must_use]
    pub(crate) fn with_history(mut self, history: Vec<DeployEntry>) -> Self {
        self.history = history;
        self
    }

    /// Its text: the same manifest always gives the same bytes.
    ///
    /// # Panics
    /// Never: maps with text keys and numbers always make JSON.
    #[must_use]
    pub fn to_text(&self) -> Vec<u8> {
        to_text(self)
    }

    /// Reads what `place` holds.
    ///
    /// # Errors
    /// `Decode` if that is no manifest of `remote_root` that this version understands.
    pub fn parse(content: &[u8], place: &RemotePath, remote_root: &RemotePath) -> Result<Self> {
        let manifest: Self = parse(content, place, FORMAT, "a deploy manifest")?;
        let is_ours =
            manifest.remote_root == remote_root.as_str() && manifest.files.keys().all(|path| is_relative(path));
        if is_ours { Ok(manifest) } else { Err(unreadable(content, place, "the deploy manifest of this project")) }
    }
}

/// Whether a path stays below the project.
pub(crate) fn is_relative(path: &str) -> bool {
    !path.contains('\0') && !path.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

pub(crate) fn to_text<T: Serialize>(value: &T) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("maps with text keys and numbers make JSON");
    text.push(b'\n');
    text
}

/// Reads one of our own files, refusing formats after the `newest` that is known.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(
    content: &[u8],
    place: &RemotePath,
    newest: u32,
    expected: &'static str,
) -> Result<T> {
    #[derive(Deserialize)]
    struct Header {
        format: u32,
    }
    let header: Header = serde_json::from_slice(content).map_err(|_| unreadable(content, place, expected))?;
    if header.format > newest {
        return Err(Error::config(format!(
            "{place} was written by a later version of pythonanywhere-api (format {}): upgrade to deploy here",
            header.format
        )));
    }
    serde_json::from_slice(content).map_err(|_| unreadable(content, place, expected))
}

/// The error about one of our own files that is not what was `expected`.
pub(crate) fn unreadable(content: &[u8], place: &RemotePath, expected: &'static str) -> Error {
    Error::Decode {
        method: "GET".to_owned(),
        path: place.to_string(),
        status: 200,
        expected,
        snippet: String::from_utf8_lossy(content).chars().take(200).collect(),
    }
}

/// The files below `folder`.
pub(crate) fn below(files: &Files, folder: &str) -> Vec<String> {
    let prefix = format!("{folder}/");
    files.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str) -> RemotePath {
        RemotePath::parse(path).unwrap()
    }

    fn manifest() -> Manifest {
        let state = FileState {
            sha256: Some("ab".into()),
            size: Some(2),
            mode: Some(0o644),
            origin: Some(Origin::Untracked("m1".into())),
        };
        let files = [("b".to_owned(), FileState::unknown()), ("a/ü".to_owned(), state)].into();
        Manifest::new(3, "d1", &place("/home/u/p"), files)
    }

    #[test]
    fn a_manifest_reads_back_and_its_text_never_varies() {
        let text = manifest().to_text();
        let read = Manifest::parse(&text, &place("/m"), &place("/home/u/p")).unwrap();
        assert_eq!(read, manifest());
        assert_eq!(read.to_text(), text);
    }

    #[test]
    fn fields_of_later_versions_are_ignored_and_later_formats_refused() {
        let mut value: serde_json::Value = serde_json::from_slice(&manifest().to_text()).unwrap();
        value["receipt"] = true.into();
        let read = |value: &serde_json::Value| {
            Manifest::parse(value.to_string().as_bytes(), &place("/m"), &place("/home/u/p"))
        };
        assert_eq!(read(&value).unwrap(), manifest());
        value["history"] = serde_json::json!([{"id": 5}, "garbage"]);
        assert_eq!(read(&value).unwrap(), manifest(), "a damaged history damages nothing else");
        value["format"] = 2.into();
        assert!(read(&value).unwrap_err().to_string().contains("upgrade"));
    }

    #[test]
    fn garbage_is_an_error_and_so_are_paths_that_climb() {
        let root = place("/home/u/p");
        for garbage in ["", "{}", "[]", "null", "<html>", "{\"format\": 1}"] {
            let error = Manifest::parse(garbage.as_bytes(), &place("/m"), &root).unwrap_err();
            assert!(matches!(error, Error::Decode { .. }), "{garbage}");
        }
        for bad in ["../x", "/etc/passwd", "a//b", "a/./b"] {
            let files = [(bad.to_owned(), FileState::unknown())].into();
            let text = Manifest::new(1, "d", &root, files).to_text();
            assert!(Manifest::parse(&text, &place("/m"), &root).is_err(), "{bad}");
        }
        assert!(Manifest::parse(&manifest().to_text(), &place("/m"), &place("/home/u/other")).is_err());
    }
}
