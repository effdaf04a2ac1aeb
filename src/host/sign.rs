//! Signatures for the agent: it obeys only those who have the account's API token, and nobody else can answer for it.
//!
//! The key is the HMAC-SHA256 of `pythonanywhere-api agent key`, newline, the agent's id, under the API token. With it
//! both sides sign lines that are joined by newlines, the last one without:
//!
//! | | request | answer |
//! |---|---|---|
//! | lines | `1`, agent id, `POST`, path, operation, digest of the body, time, nonce | `pythonanywhere-api agent signed answer`, `1`, agent id, status, operation, nonce of the request, digest of the body |
//! | header `X-Pya-Agent` | `v=1; id=…; op=…; time=…; nonce=…; body=…; sig=…` | `v=1; sig=…` |
//!
//! A request whose body may be longer than 64 KiB signs the length as well, as one more line, which the header has as
//! `length=…` after `body=…`: the agent knows then, before it reads anything, how much is to come.
//!
//! Digests are SHA-256, and all is written in lower-case hexadecimal digits, but the time, in seconds since 1970. The
//! host name is not signed, since proxies and custom domains change it. An answer repeats nothing that its request said:
//! who asked knows the nonce, and whatever does not fit it is no answer, be it forged, cached, cut off, or meant for
//! another request. What was not signed is not believed, but for one thing: the `id` in the body, which is derived from
//! the nonce with the same key, shows that the agent took the request, and that is all that agents from before signed
//! answers say.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::digest::{hex, random_hex, sha256};
use crate::error::{Error, Result};

/// The version of the agent and of its protocol. Agents of other versions do not answer.
pub const VERSION: u32 = 1;

/// Where the agent listens.
pub const PATH: &str = "/-/pya-agent";

/// The header with the signature, of requests and of answers.
pub const HEADER: &str = "X-Pya-Agent";

/// The key for signatures, which is derived from the API token for one agent.
#[derive(Clone)]
pub struct Key {
    key: Vec<u8>,
    agent: String,
}

/// A signed request: its header, and what its answer must be signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value of [`HEADER`].
    pub header: String,
    pub(super) operation: String,
    /// What the agent takes once.
    pub(super) nonce: String,
}

impl Key {
    /// The key of the agent with this id.
    #[must_use]
    pub fn new(token: &str, agent: &str) -> Self {
        Self { key: mac(token.as_bytes(), &format!("pythonanywhere-api agent key\n{agent}")), agent: agent.to_owned() }
    }

    /// The id of the agent.
    pub(super) fn agent(&self) -> &str {
        &self.agent
    }

    /// Signs a POST of `body` at `now`, the service's time.
    ///
    /// # Errors
    /// `Local` if the system has no random numbers.
    pub fn sign(&self, operation: &str, body: &[u8], now: SystemTime) -> Result<Signed> {
        Ok(self.sign_with(operation, body, now, &random_id(32)?, false))
    }

    /// The same for a body that may be long.
    ///
    /// # Errors
    /// As for [`Self::sign`].
    pub fn sign_long(&self, operation: &str, body: &[u8], now: SystemTime) -> Result<Signed> {
        Ok(self.sign_with(operation, body, now, &random_id(32)?, true))
    }

    fn sign_with(&self, operation: &str, body: &[u8], now: SystemTime, nonce: &str, is_long: bool) -> Signed {
        let (digest, agent) = (sha256(body), &self.agent);
        let time = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let (version, time, length) = (VERSION.to_string(), time.to_string(), body.len().to_string());
        let mut lines = vec![&*version, agent, "POST", PATH, operation, &digest, &time, nonce];
        let mut told = String::new();
        if is_long {
            lines.push(&length);
            told = format!("; length={length}");
        }
        let signature = hex(&mac(&self.key, &lines.join("\n")));
        let header = format!(
            "v={VERSION}; id={agent}; op={operation}; time={time}; nonce={nonce}; body={digest}{told}; sig={signature}"
        );
        Signed { header, operation: operation.to_owned(), nonce: nonce.to_owned() }
    }

    /// Whether the agent signed an answer to this request, with this value of [`HEADER`].
    #[must_use]
    pub fn has_signed(&self, request: &Signed, status: u16, body: &[u8], header: &str) -> bool {
        let version = VERSION.to_string();
        let Some(signature) = header.strip_prefix(&format!("v={version}; sig=")).and_then(unhex::<32>) else {
            return false;
        };
        let (status, digest) = (status.to_string(), sha256(body));
        let label = "pythonanywhere-api agent signed answer";
        let text = [label, &version, &self.agent, &status, &request.operation, &request.nonce, &digest].join("\n");
        // In constant time.
        begin(&self.key, &text).verify_slice(&signature).is_ok()
    }

    /// Whether this is the id that the agent gives to the request, which says that it was taken and nothing else.
    #[must_use]
    pub fn is_taken(&self, request: &Signed, id: &str) -> bool {
        let Some(id) = unhex::<16>(id) else { return false };
        begin(&self.key, &format!("pythonanywhere-api agent answer\n{}", request.nonce))
            .verify_truncated_left(&id)
            .is_ok()
    }

    /// What the agent writes to its note, which shows without a request whether it has the same token.
    #[must_use]
    pub fn check(&self) -> String {
        let mut check = hex(&mac(&self.key, "pythonanywhere-api agent check"));
        check.truncate(32);
        check
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key of agent {}", self.agent)
    }
}

fn begin(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    begin(key, text).finalize().into_bytes().to_vec()
}

/// The bytes that lower-case hexadecimal digits stand for, if they are as many as wanted.
fn unhex<const BYTES: usize>(text: &str) -> Option<[u8; BYTES]> {
    let digits = text.as_bytes();
    let mut bytes = [0; BYTES];
    if digits.len() != BYTES * 2 || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16);
        *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
    }
    Some(bytes)
}

/// `digits` random hexadecimal digits: an id, or a nonce.
///
/// # Errors
/// `Local` if the system has no random numbers.
pub fn random_id(digits: usize) -> Result<String> {
    random_hex(digits).map_err(|source| Error::Local { path: "(random numbers)".into(), source })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Made with Python's `hmac`: an independent implementation of the same page.
    #[test]
    fn signatures_are_those_that_python_makes() {
        let key = Key::new("0123456789abcdef", "00112233445566778899aabbccddeeff");
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let signed = key.sign_with("apply", b"{}", now, "ffeeddccbbaa99887766554433221100", false);
        assert_eq!(
            signed.header,
            "v=1; id=00112233445566778899aabbccddeeff; op=apply; time=1800000000; \
             nonce=ffeeddccbbaa99887766554433221100; \
             body=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a; \
             sig=007ef7a3ed4a6b398fedc5f5440eec4b80c1d17cafa0cd4475d36e5037915999"
        );
        let long = key.sign_with("deploy", b"{}", now, "ffeeddccbbaa99887766554433221100", true);
        assert_eq!(
            long.header,
            "v=1; id=00112233445566778899aabbccddeeff; op=deploy; time=1800000000; \
             nonce=ffeeddccbbaa99887766554433221100; \
             body=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a; length=2; \
             sig=8b94a9350d0a0d60c13b2908664b705921a84f3e0925a0487fc3b3cfb2779c53"
        );
        assert_eq!(key.check(), "9220e49c8f43aa3d833570d07e4d2a68");
        assert!(key.is_taken(&signed, "06ea9c584d1aa68995ecb7a99e3d0505"));
        for wrong in ["", "06", "06ea9c584d1aa68995ecb7a99e3d0506", "06EA9C584D1AA68995ECB7A99E3D0505"] {
            assert!(!key.is_taken(&signed, wrong), "{wrong}");
        }
    }

    /// As above.
    #[test]
    fn an_answer_counts_for_its_request_status_and_body_only() {
        let key = Key::new("0123456789abcdef", "00112233445566778899aabbccddeeff");
        let ask = |operation, nonce: char| {
            key.sign_with(operation, b"{}", UNIX_EPOCH, &String::from_iter([nonce; 32]), false)
        };
        let signed = "v=1; sig=cca671d7a2c1e19cfd90fd62df1f9fb66283cec824d5c9dc49359a9458b253a9";
        let request = ask("state", 'a');
        assert!(key.has_signed(&request, 200, b"{\"x\": 1}", signed));
        assert!(!key.has_signed(&request, 201, b"{\"x\": 1}", signed));
        assert!(!key.has_signed(&request, 200, b"{\"x\": 2}", signed));
        assert!(!key.has_signed(&request, 200, b"", signed));
        assert!(!key.has_signed(&ask("status", 'a'), 200, b"{\"x\": 1}", signed));
        assert!(!key.has_signed(&ask("state", 'b'), 200, b"{\"x\": 1}", signed));
        assert!(!Key::new("other", "00112233445566778899aabbccddeeff").has_signed(
            &request,
            200,
            b"{\"x\": 1}",
            signed
        ));
        assert!(!Key::new("0123456789abcdef", "other").has_signed(&request, 200, b"{\"x\": 1}", signed));
        for wrong in [
            "",
            "v=1; sig=",
            &signed[..signed.len() - 1],
            &signed[..signed.len() - 2],
            &format!("{signed}0"),
            &format!("{signed} "),
            &signed.replace("v=1", "v=2"),
            &signed.to_uppercase(),
        ] {
            assert!(!key.has_signed(&request, 200, b"{\"x\": 1}", wrong), "{wrong}");
        }
    }

    #[test]
    fn nothing_signed_is_signed_twice() {
        let key = Key::new("token", "id");
        let one = key.sign("hash", b"", SystemTime::now()).unwrap();
        let other = key.sign("hash", b"", SystemTime::now()).unwrap();
        assert_ne!(one.header, other.header);
        assert!(!format!("{key:?}").contains(&hex(&key.key)));
    }
}
