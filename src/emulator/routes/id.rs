//! Things that have numbers: where a path names one by anything else, there is no such thing.

use axum::extract::{FromRequestParts, Path};
use axum::response::Response;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::emulator::response::not_found;

/// The variable parts of a path, with a number among them. axum itself would answer with 400 and words of its own.
pub(crate) struct PathId<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathId<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        Path::from_request_parts(parts, state).await.map(|Path(parts)| Self(parts)).map_err(|_| not_found())
    }
}
