//! The rules of `PythonanywhereApi`, the drop-in class, that need no Python.
//!
//! An instance of it is a set of attributes that callers may set, and an error message. [`attributes`] says what the
//! attributes mean, [`KnownClient`] keeps the client that they describe, [`ErrorMessage`] collects what fails,
//! [`Failed`] tells that from what is raised, and [`Stepped`] lets a search be closed while it runs. The class itself is in
//! the extension module.

pub mod attributes;
mod error_message;
mod failed;
mod known_client;
mod stepped;

pub use error_message::ErrorMessage;
pub use failed::Failed;
pub use known_client::KnownClient;
pub use stepped::Stepped;
