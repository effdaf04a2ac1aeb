//! The name that a request was sent to. Any web site that a developer visits can have a name of its own resolve to this
//! machine and then read what answers there, so only names that mean this machine everywhere are taken for it.

use http::{Request, header};

/// The name without its port; HTTP/2 has it in the address.
pub(super) fn named_host<B>(request: &Request<B>) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = named.or_else(|| request.uri().authority().map(http::uri::Authority::as_str))?;
    let name = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    Some(name.map_or(authority, |(name, _)| name))
}

/// Whether a name means this machine wherever it is looked up.
pub(super) fn is_this_machine(name: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|allowed| name.eq_ignore_ascii_case(allowed))
}
