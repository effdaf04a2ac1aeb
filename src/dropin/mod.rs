//! What the documented class promises, but for its Python.
//!
//! An instance is a set of attributes that callers may set, and an error message. [`attributes`] says what the
//! attributes mean, [`KnownClient`] keeps the client that they describe, [`ErrorMessage`] collects what fails, and
//! [`Failed`] tells that from what is raised.

pub mod attributes;
mod error_message;
mod failed;
mod known_client;

pub use error_message::ErrorMessage;
pub use failed::Failed;
pub use known_client::KnownClient;
