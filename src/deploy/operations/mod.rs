//! What is done on the host other than deploys, and the pieces a deploy shares with it.

pub(super) mod history;
pub(super) mod inspect;
pub(super) mod maintenance;
pub(super) mod pull;
pub(super) mod reload;
pub(super) mod requirements;
pub(super) mod rollback;
pub(super) mod site_command;
pub(super) mod status;
pub(super) mod temporary;
pub mod variables;
pub(super) mod venv;
pub(super) mod verify;
