//! Files that everybody may read: `files/sharing`, and the addresses that serve them.

use super::Router;

/// The shared files.
#[derive(Debug, Default)]
pub struct Shares {}

/// The routes of this family.
pub fn router() -> Router {
    axum::Router::new()
}
