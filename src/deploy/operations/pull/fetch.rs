//! Pull: downloads files of the project from the host, as one archive, to a folder of this machine.
//!
//! The host packs them, the parts are downloaded, and [`super::unpack`] unpacks them. The archive on the host is as large as
//! the project, so it is removed however a pull ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::masks::PullFilter;
use super::unpack::{Unpacked, check, unpack};
use crate::blocking::blocking;
use crate::client::Client;
use crate::deploy::operations::maintenance::Maintenance;
use crate::deploy::operations::temporary::TemporaryFiles;
use crate::deploy::operations::verify::LeftOut;
use crate::deploy::plan::executor::ExecutorOptions;
use crate::deploy::project::Project;
use crate::deploy::state::folder::StateFolder;
use crate::error::{Error, Result};
use crate::host::{JobFolder, random_id};

/// How long packing may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What is pulled, and where to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullOptions {
    /// Masks; everything, if there are none.
    pub include: Vec<String>,
    /// Masks of files to leave out.
    pub exclude: Vec<String>,
    /// Whether local files with other content are replaced.
    pub overwrite: bool,
}

/// What was pulled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PullReport {
    /// Files written, sorted.
    pub written: Vec<String>,
    /// Files that were here already with the same content.
    pub unchanged: usize,
    /// Files that could not be read on the host, and why.
    pub unreadable: BTreeMap<String, String>,
    /// What was skipped on the host, and why: links, caches, virtualenvs.
    pub skipped: BTreeMap<String, String>,
    /// The masks, as they were given, that match no file.
    pub unmatched: Vec<String>,
    /// Bytes in the archive.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Packed {
    parts: Vec<PackedPart>,
    #[serde(flatten)]
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct PackedPart {
    name: String,
    sha256: String,
    size: u64,
}

/// Downloads files of the project to the folder `to`. The archive on the host is removed however this ends.
///
/// # Errors
/// `Config` for an invalid mask, before any request; if no executor can pack the files, if a name cannot exist here, or if
/// a local file would be replaced and that is not allowed: nothing is written then. `Job` if packing failed, `Local` if a
/// file cannot be written.
pub async fn pull(
    project: &Project,
    executors: &ExecutorOptions,
    options: &PullOptions,
    to: &Path,
) -> Result<PullReport> {
    let wanted = PullFilter::of(&options.include, &options.exclude)?;
    let (client, root) = (&project.client, &project.remote_root);
    let executor = executors.for_job(client, "nothing can pack the files on the host").await?;
    let folder = StateFolder::of(client.user(), root)?;
    let job_folder = JobFolder::new(client, folder.path());
    let (id, mut archive) = (random_id(16)?, TemporaryFiles::new(client, "the archive"));
    archive.add(job_folder.folder(&id)?);
    let maintenance =
        Maintenance { remote: client, folder: &folder, root, job_folder: job_folder.clone(), executor: &executor };
    let pulled = pack_and_fetch(&maintenance, &id, wanted, options.overwrite, to).await;
    archive.remove().await;
    pulled
}

async fn pack_and_fetch(
    maintenance: &Maintenance<'_, Client>,
    id: &str,
    wanted: PullFilter,
    overwrite: bool,
    to: &Path,
) -> Result<PullReport> {
    let receipt = maintenance.run_as(id, wanted.operation(), LIMIT).await?;
    if !receipt.is_ok() {
        return Err(receipt.to_error());
    }
    let work = maintenance.job_folder.folder(id)?;
    let packed: Packed = serde_json::from_value(receipt.result)
        .map_err(|error| Error::job(format!("the host's description of its archive cannot be read: {error}")))?;
    let folder = tempfile::Builder::new().prefix("pya-pull-").tempdir();
    let folder = folder.map_err(|source| Error::Local { path: std::env::temp_dir(), source })?;
    let mut files = Vec::with_capacity(packed.parts.len());
    for (number, part) in packed.parts.iter().enumerate() {
        let file = folder.path().join(format!("{number:03}"));
        maintenance.remote.download(&work.join(&part.name)?, &file).await?;
        files.push((file, part.sha256.clone(), part.size));
    }
    let (to, bytes) = (to.to_owned(), packed.parts.iter().map(|part| part.size).sum());
    let LeftOut { errors: unreadable, skipped, links } = packed.left_out;
    let (Unpacked { written, unchanged, unmatched }, unreadable) = blocking(move || -> Result<_> {
        // Kept until it is unpacked.
        let _folder = folder;
        check(&files)?;
        let files: Vec<PathBuf> = files.into_iter().map(|(file, ..)| file).collect();
        Ok((unpack(&files, &to, &wanted, overwrite, &unreadable)?, unreadable))
    })
    .await?;
    let links = links.into_iter().map(|(path, target)| (path, format!("a link to {target}")));
    let skipped = skipped.into_iter().chain(links).collect();
    Ok(PullReport { written, unchanged, unreadable, skipped, unmatched, bytes })
}
