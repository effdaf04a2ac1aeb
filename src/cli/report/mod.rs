//! Reports: what a command did, for people, as one HTML file that needs nothing else (`--report FILE`).
//!
//! A command fills a [`Page`], which [`Report`] writes when the command ends, however it ends. The page has no script, loads
//! nothing and says so to the browser; every text in it comes from somewhere else, so there is one way in ([`html::Html`]),
//! which masks secrets and escapes the rest.

mod change_list;
mod chart;
mod deploy;
mod file;
mod html;
mod launch;
mod page;
mod requests;
mod rollback;

pub use deploy::{deploy_page, title};
pub use file::Report;
pub use launch::launch_page;
pub use page::Page;
pub use rollback::rollback_page;
