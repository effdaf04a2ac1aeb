//! What is known of deploys on the host: the manifest, the intents of those at work, and the lease that keeps one alive.

pub(super) mod by_site;
pub(super) mod folder;
pub(super) mod history;
pub mod intent;
pub(super) mod lease;
pub(super) mod manifest;
pub(super) mod outcome;
pub(super) mod process;
pub(super) mod recovery;
