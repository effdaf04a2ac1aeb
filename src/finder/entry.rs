//! What a search is built on: something that lists folders, and something that may refuse entries.
//!
//! Both are traits because three parties provide them: the service's client, a caller's Python callback, and tests.

use std::future::Future;

use crate::api::Entry;
use crate::error::Result;

/// Lists the folders of a project.
pub trait Lister: Send + Sync + 'static {
    /// Lists `folder`, a path relative to the project (`""` is its root), one level deep.
    ///
    /// `None` means that there is no such folder.
    fn list(&self, folder: &str) -> impl Future<Output = Result<Option<Vec<Entry>>>> + Send;
}

/// May leave files and folders out of a search.
pub trait Skipper: Send + Sync {
    /// Answers for each path whether it is left out. Folders end in `/.`; one that is left out is never listed.
    fn skip(&self, paths: Vec<String>) -> impl Future<Output = Result<Vec<bool>>> + Send;
}

/// Leaves nothing out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NeverSkip;

impl Skipper for NeverSkip {
    async fn skip(&self, paths: Vec<String>) -> Result<Vec<bool>> {
        Ok(vec![false; paths.len()])
    }
}
