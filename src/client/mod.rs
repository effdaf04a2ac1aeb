//! HTTP to the service: connections, quoting, rate budget, retries, errors. Knows no endpoint but the rate table.
//!
//! A [`Client`] is an account (host, user, token) and its [`Options`]; it is cheap to make and to clone, because the
//! connections ([`pool`]) and the rate budget ([`budget`]) belong to the process, not to the object. One call does
//! everything: [`Client::send`] takes a [`Request`], waits for the budget, retries what is safe to repeat, and returns
//! a [`Response`] of any status, which knows whether it is the success that the service documents.

mod account;
mod admission;
mod auth;
mod budget;
mod connect;
mod content;
mod decode;
mod endpoints;
mod environment;
mod host;
mod observer;
mod options;
mod path;
mod pool;
mod reach;
mod redirect;
mod request;
mod response;
mod retry;
mod save;
mod secrets;
mod send;
mod success;
mod timeline;
mod transfer;

pub use account::Client;
pub use admission::Admission;
pub use auth::Token;
pub use content::{Chunks, ContentSource, FileContent};
pub use endpoints::{Endpoint, endpoint_of};
pub use environment::Environment;
pub use host::BaseUrl;
pub use observer::Observer;
pub use options::{Options, RateLimit};
pub use path::RemotePath;
#[cfg(feature = "python")]
pub(crate) use path::check_typed;
pub(crate) use path::quote_segments as quote;
pub use request::Request;
pub use response::Response;
pub(crate) use response::is_documented_error;
pub(crate) use save::Destination;
pub(crate) use secrets::Secrets;
pub use timeline::{Timeline, TimelineEntry};
