//! Pull: downloads files of the project from the host, as one archive, to a folder of this machine.
//!
//! The host packs them, the parts are downloaded, and [`super::unpack`] unpacks them. The archive on the host is as large as
//! the project, so it is removed however a pull ends.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::archive::{Limits, MAX_NAME, check_size};
use super::masks::PullFilter;
use super::unpack::{Unpacked, check, unpack};
use crate::blocking::blocking;
use crate::client::Client;
use crate::deploy::operations::maintenance::{Maintenance, successful};
use crate::deploy::operations::temporary::TemporaryFiles;
use crate::deploy::operations::verify::LeftOut;
use crate::deploy::plan::executor::ExecutorOptions;
use crate::deploy::project::Project;
use crate::deploy::state::folder::StateFolder;
use crate::error::{Error, Result};
use crate::host::{Executor, Lane, random_id};
use crate::platform::temporary_folder;
use crate::text::excerpt;

/// How long packing may take.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What is pulled, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullOptions {
    /// Masks; everything, if there are none.
    pub include: Vec<String>,
    /// Masks of files to leave out.
    pub exclude: Vec<String>,
    /// Whether local files with other content are replaced.
    pub overwrite: bool,
    /// How many bytes the files may have together.
    pub max_size: u64,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self { include: Vec::new(), exclude: Vec::new(), overwrite: false, max_size: 2 << 30 }
    }
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

/// What the host announces. It is not trusted: see [`Packed::check`].
#[derive(Deserialize)]
struct Packed {
    parts: Vec<PackedPart>,
    /// Files in the archive, those with errors left out.
    files: u64,
    /// Bytes in these files.
    bytes: u64,
    #[serde(flatten)]
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct PackedPart {
    name: String,
    sha256: String,
    size: u64,
}

/// The most parts: each holds 95 MiB.
const MAX_PARTS: usize = 1_000;

/// What the headers of a file may add to an archive, in bytes, and what compression may.
const HEADERS: u64 = 8 << 10;
const COMPRESSION: u64 = 1 << 20;

impl Packed {
    /// Fails if this is more than the user allows, or cannot be the work of our runner; cuts texts that are too long.
    fn check(mut self, max_size: u64) -> Result<Self> {
        check_size(self.bytes, max_size)?;
        let not_ours = |what: &str| Err(Error::job(format!("the host's description of its archive has {what}")));
        if !self.has_our_parts() {
            return not_ours("an unexpected part");
        }
        if self.size() > self.most_bytes(max_size) {
            return not_ours("parts that are larger than its files");
        }
        let LeftOut { errors, skipped, links } = &mut self.left_out;
        for reasons in [errors, skipped, links] {
            if reasons.keys().any(|path| path.len() > MAX_NAME) {
                return not_ours("a name that is too long");
            }
            cut_reasons(reasons);
        }
        Ok(self)
    }

    /// Whether the parts are named as our runner names them.
    fn has_our_parts(&self) -> bool {
        let is_ours = |(number, part): (usize, &PackedPart)| part.name == format!("archive-{number:03}");
        self.parts.len() <= MAX_PARTS && self.parts.iter().enumerate().all(is_ours)
    }

    /// How large the parts may be if the files have at most `max_size` bytes.
    fn most_bytes(&self, max_size: u64) -> u64 {
        let headers = self.announced_files().saturating_mul(HEADERS);
        max_size.saturating_add(max_size / 1000).saturating_add(headers).saturating_add(COMPRESSION)
    }

    /// Files in the archive, those included of which it has only a part.
    fn announced_files(&self) -> u64 {
        self.files.saturating_add(self.left_out.errors.len() as u64)
    }

    /// Bytes of all parts.
    fn size(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.size))
    }
}

fn cut_reasons(reasons: &mut BTreeMap<String, String>) {
    for reason in reasons.values_mut() {
        *reason = excerpt(reason).into_owned();
    }
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
    let client = &project.client;
    let executor = executors.for_job(client, "nothing can pack the files on the host").await?;
    let lane = executors.lane(client);
    let folder = StateFolder::of(client.user(), &project.remote_root)?;
    let maintenance = Maintenance::of(project, &folder, &executor);
    let (id, mut archive) = (random_id(16)?, TemporaryFiles::new(client, "the archive"));
    archive.add(maintenance.job_folder.folder(&id)?);
    let pulled = pack_and_fetch(&maintenance, lane.as_ref(), &id, wanted, options, to).await;
    archive.remove().await;
    pulled
}

async fn pack_and_fetch(
    maintenance: &Maintenance<'_, Client>,
    lane: Option<&Lane>,
    id: &str,
    wanted: PullFilter,
    options: &PullOptions,
    to: &Path,
) -> Result<PullReport> {
    let receipt = successful(maintenance.run_as(id, wanted.operation(), LIMIT, lane).await?)?;
    let packed: Packed = serde_json::from_value(receipt.result)
        .map_err(|error| Error::job(format!("the host's description of its archive cannot be read: {error}")))?;
    let packed = packed.check(options.max_size)?;
    let folder = temporary_folder("pya-pull-").map_err(Error::temporary)?;
    let files = download(maintenance, id, &packed, folder.path()).await?;
    let (to, size, overwrite, max_size) = (to.to_owned(), packed.size(), options.overwrite, options.max_size);
    let (files_in_it, bytes) = (packed.announced_files(), packed.bytes);
    let LeftOut { errors: unreadable, skipped, links } = packed.left_out;
    let (Unpacked { written, unchanged, unmatched }, unreadable) = blocking(move || -> Result<_> {
        // Kept until it is unpacked.
        let _folder = folder;
        check(&files)?;
        let files: Vec<PathBuf> = files.into_iter().map(|(file, ..)| file).collect();
        let limits = Limits { files: files_in_it, bytes, unreadable: &unreadable, max_size };
        Ok((unpack(&files, &to, &wanted, overwrite, limits)?, unreadable))
    })
    .await?;
    let links = links.into_iter().map(|(path, target)| (path, format!("a link to {target}")));
    let skipped = skipped.into_iter().chain(links).collect();
    Ok(PullReport { written, unchanged, unreadable, skipped, unmatched, bytes: size })
}

/// Downloads the parts of the archive to `folder`: file, digest, size.
async fn download(
    maintenance: &Maintenance<'_, Client>,
    id: &str,
    packed: &Packed,
    folder: &Path,
) -> Result<Vec<(PathBuf, String, u64)>> {
    let work = maintenance.job_folder.folder(id)?;
    let mut files = Vec::with_capacity(packed.parts.len());
    for (number, part) in packed.parts.iter().enumerate() {
        let file = folder.join(format!("{number:03}"));
        let is_here = match maintenance.executor {
            Executor::Webapp(agent) => agent.fetch(&maintenance.job_folder, id, &part.name, &file, part.size).await?,
            _ => false,
        };
        if !is_here {
            maintenance.remote.download_at_most(&work.join(&part.name)?, &file, part.size).await?;
        }
        files.push((file, part.sha256.clone(), part.size));
    }
    Ok(files)
}
