//! What is examined: a project in an account, and what is configured for it.

use crate::deploy::Project;

/// What to examine.
#[derive(Debug, Clone)]
pub struct Examination {
    /// The account, and the project in it.
    pub project: Project,
    /// The web app's domain, if one is configured.
    pub domain: Option<String>,
    /// Where the site is reached, if not at its domain.
    pub site_url: Option<String>,
    /// Where `manage.py` is in the project, if not at its root.
    pub manage: Option<String>,
    /// The settings module, if not the WSGI file's.
    pub settings: Option<String>,
    /// Whether a file may be written and deleted, which shows whether the disk takes another one.
    pub may_write: bool,
}
