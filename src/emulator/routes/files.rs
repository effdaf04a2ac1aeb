//! `files/files`.

use super::Router;

/// The routes of this family.
pub fn router() -> Router {
    axum::Router::new()
}
