//! What a deploy may do, as its caller asks for it.

use super::executor::ExecutorOptions;
use super::steps::Steps;

/// What a deploy may do beyond uploading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct DeployOptions {
    /// Delete what earlier deploys put there and is gone locally.
    pub delete: bool,
    /// Delete what no deploy of ours put there; needs a diff with a complete listing.
    pub delete_unmanaged: bool,
    /// Refuse to delete more files than this; by default the larger of 10 and 20 % of the manifest.
    pub max_delete: Option<usize>,
    /// Masks of protected files that are touched all the same.
    pub include: Vec<String>,
    /// Plan only.
    pub dry_run: bool,
    /// Domains to reload if anything changed.
    pub reload: Vec<String>,
    /// Go on although another deploy seems to be working.
    pub force: bool,
    /// How many uploads go on at a time; 0 is the default, 16.
    pub concurrency: usize,
    /// What does the work that the API cannot do.
    pub executors: ExecutorOptions,
    /// What is run on the host before the reload.
    pub steps: Steps,
    /// A path of the site that must not answer with a server error after the reload.
    pub health: Option<String>,
    /// Whether the old files are put back if a step, the reload or the health check fails.
    pub rollback_on_failure: bool,
}
