//! What is done on the host other than deploys, and the pieces a deploy shares with it.

pub(super) mod history;
pub(super) mod maintenance;
pub(super) mod pull;
pub(super) mod reload;
pub(super) mod rollback;
pub(super) mod status;
pub(super) mod temporary;
pub(super) mod verify;
