//! Path parameters that include a numeric id. A path with anything else in its place is answered with 404.

use axum::extract::{FromRequestParts, Path};
use axum::response::Response;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::emulator::response::not_found;

/// The parameters of a path, one of them numeric. axum itself would answer with 400 and its own wording.
pub(crate) struct PathId<T>(pub T);

/// The parameters of a path that consists of a user and the id of something that the user has.
pub(crate) type UserAndId = PathId<(String, u64)>;

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        Path::from_request_parts(parts, state).await.map(|Path(parts)| Self(parts)).map_err(|_| not_found())
    }
}
