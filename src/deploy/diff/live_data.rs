//! Live data among the unmanaged files: what a link leads to, and databases, known by how they begin, whatever their names.
//!
//! The service lists names only, and the site's database may have any. So the first bytes of each unmanaged file are read
//! before it is put on the list of those that go: then a dry run shows the same list as the run.

use std::collections::BTreeSet;

use futures_util::stream::{StreamExt, TryStreamExt};

use super::links::spare_linked;
use super::model::DeployDiff;
use crate::api::found;
use crate::client::RemotePath;
use crate::deploy::paths::place;
use crate::deploy::remote::Remote;
use crate::deploy::selection::protect::is_sqlite;
use crate::error::{ErrorKind, Result};

/// How many files are read at a time.
const READS: usize = 8;

/// How many bytes tell a database.
const HEAD: usize = 16;

/// The same diff without what only a link leads to, and with databases among the protected files instead of the unmanaged
/// ones, but for those that `include` names. One request for each unmanaged file, and few for their folders, once for a
/// diff.
///
/// # Errors
/// `Config` if a mask cannot be read; what the service answers.
pub async fn spare_live_data<R: Remote>(remote: &R, diff: &DeployDiff, include: &[String]) -> Result<DeployDiff> {
    let mut spared = diff.clone();
    if diff.live_data_spared {
        return Ok(spared);
    }
    let protection = diff.base.protection.including(include)?;
    spare_linked(remote, &mut spared).await?;
    let candidates = spared.unmanaged.iter().filter(|path| !protection.lifts(path));
    let databases = databases(remote, &diff.base.remote_root, candidates).await?;
    spared.unmanaged.retain(|path| !databases.contains(path));
    spared.protected.extend(databases);
    spared.protected.sort_unstable();
    spared.live_data_spared = true;
    Ok(spared)
}

/// Those of `paths` that begin as a database does.
async fn databases<R: Remote>(
    remote: &R,
    root: &RemotePath,
    paths: impl Iterator<Item = &String>,
) -> Result<BTreeSet<String>> {
    let mut reads = Vec::new();
    for path in paths {
        let (remote, place) = (remote.clone(), place(root, path)?);
        reads.push(async move {
            // Gone, or a folder by now: the delete looks again.
            let head = found(remote.read_head(&place, HEAD).await, &[ErrorKind::NotFound, ErrorKind::WrongType])?;
            Ok::<_, crate::Error>(head.filter(|head| is_sqlite(head)).map(|_| path.clone()))
        });
    }
    let databases: Vec<Option<String>> =
        futures_util::stream::iter(reads).buffer_unordered(READS).try_collect().await?;
    Ok(databases.into_iter().flatten().collect())
}
