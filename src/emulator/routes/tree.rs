//! `files/tree`: what is below a folder, as far as the service lists it.
//!
//! It lists two levels, without dot files and symbolic links, and truncates silently after 1000 paths.

use std::fs;
use std::io;
use std::path::Path;

use axum::extract::State;
use http::{StatusCode, Uri};

use super::paths;
use crate::emulator::account::LastLink;
use crate::emulator::account_path::AccountPath;
use crate::emulator::files::on_disk;
use crate::emulator::response::{self, Answer};
use crate::emulator::state::{EmulatorState, SharedState};

const LEVELS: usize = 2;
const MAX_PATHS: usize = 1000;

pub(crate) async fn tree(State(state): SharedState, uri: Uri) -> Answer {
    let path = paths::of_query(&uri)?;
    on_disk(move || {
        let real = state.account.resolve(&path, LastLink::Follow);
        let found = real.and_then(|real| Ok((fs::symlink_metadata(&real)?.is_dir(), real)));
        let bad = |what: &str| response::detail(StatusCode::BAD_REQUEST, &format!("{path} {what}"));
        match found {
            Ok((true, real)) => response::json(StatusCode::OK, &paths_below(&state, &path, &real)),
            Ok((false, _)) => bad("is not a directory"),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => bad("cannot be read"),
            Err(_) => bad("does not exist"),
        }
    })
    .await
}

fn paths_below(state: &EmulatorState, path: &AccountPath, real: &Path) -> Vec<String> {
    let mut paths = Vec::new();
    collect(path, real, LEVELS, &mut paths);
    if !state.settings.undocumented.sorted_tree {
        paths.reverse();
    }
    paths.truncate(MAX_PATHS);
    paths
}

/// Adds a folder's entries, each folder before its own entries. A folder that cannot be read counts as empty.
fn collect(path: &AccountPath, real: &Path, levels: usize, paths: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(real).into_iter().flatten().flatten().collect();
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        let Ok(kind) = entry.file_type() else { continue };
        if name.as_encoded_bytes().starts_with(b".") || kind.is_symlink() {
            continue;
        }
        let child = path.child(&name);
        if !kind.is_dir() {
            paths.push(child.to_string());
            continue;
        }
        paths.push(format!("{child}/"));
        if levels > 1 {
            collect(&child, &entry.path(), levels - 1, paths);
        }
    }
}
