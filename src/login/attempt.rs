//! Trying a token: whether a host takes it for a user.
//!
//! The service has two systems, one of them in Europe, and an account lives at one of them. Which one is not part of the
//! user's name, and a token is not known at the other: so both are asked where no host was named.

use crate::client::{BaseUrl, Client, Options, Request, Token};
use crate::error::{Error, ErrorKind, Result};

/// What the hosts said.
#[derive(Debug)]
pub enum Attempt {
    /// This one takes the token for this user.
    Accepted(BaseUrl),
    /// This one knows the token, as that of another account.
    OtherAccount(BaseUrl, Error),
    /// None of them knows the token: what the last one said.
    Unknown(Error),
}

/// Tries a token for `user` at each host until one knows it: one request each.
///
/// # Errors
/// `Config` for a name that is none; what kept one of the hosts from answering, unless another one knows the token.
pub async fn attempt(hosts: &[BaseUrl], user: &str, token: &Token, options: &Options) -> Result<Attempt> {
    let (mut unknown, mut failed) = (None, None);
    for host in hosts {
        let client = Client::new(host, user, token, *options)?;
        let answer = client.send(Request::get("cpu/")).await.and_then(crate::client::Response::error_for_status);
        client.persist_budget();
        match answer {
            Ok(_) => return Ok(Attempt::Accepted(host.clone())),
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                return Ok(Attempt::OtherAccount(host.clone(), error));
            }
            Err(error) if error.kind() == ErrorKind::Authentication => unknown = Some(error),
            Err(error) => failed = Some(error),
        }
    }
    match (failed, unknown) {
        (Some(error), _) => Err(error),
        (None, Some(error)) => Ok(Attempt::Unknown(error)),
        (None, None) => Err(Error::config("there is no host to try the token at")),
    }
}
