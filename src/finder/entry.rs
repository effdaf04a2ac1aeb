//! The two parts that a search needs: a lister of folders, and a skipper that leaves entries out.
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

/// Decides which files and folders are left out of a search.
pub trait Skipper: Send + Sync {
    /// Returns for each path whether it is left out. Folders end in `/.`; a folder that is left out is never listed.
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
