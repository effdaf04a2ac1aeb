//! What is wrong with a project and its account, and the command that mends it.
//!
//! An examination changes nothing but one small file, which it writes to see whether the disk takes it and deletes again.
//! It looks at one thing after the other, from the token to the last exception of the site, and goes on as far as it can:
//! somebody whose site does not work wants to see all of it at once.

mod account;
mod disk;
mod error_log;
mod examination;
mod examine;
mod finding;
mod page;
mod served;
mod settings;
mod site;
mod virtualenv;

pub use examination::Examination;
pub use examine::examine;
pub use finding::{Check, Diagnosis, Finding, Health};
