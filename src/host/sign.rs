//! Signatures for the agent: it obeys only those who have the account's API token.
//!
//! The signature covers version, agent, method, path, operation, body, time and nonce, but not the host name, which
//! proxies and custom domains change. The answer is authenticated too: its id is derived from the nonce with the same
//! key, so that no page of the application, and no other agent, can be mistaken for it.

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

/// The header with the signature.
pub const HEADER: &str = "X-Pya-Agent";

/// The key for signatures, which is derived from the API token for one agent.
#[derive(Clone)]
pub struct Key {
    key: Vec<u8>,
    agent: String,
}

/// A signed request: its header, and what the agent must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value of [`HEADER`].
    pub header: String,
    /// The id in the agent's answer.
    pub answer: String,
}

impl Key {
    /// The key of the agent with this id.
    #[must_use]
    pub fn new(token: &str, agent: &str) -> Self {
        Self { key: mac(token.as_bytes(), &format!("pythonanywhere-api agent key\n{agent}")), agent: agent.to_owned() }
    }

    /// Signs a POST of `body` at `now`, the service's time.
    ///
    /// # Errors
    /// `Local` if the system has no random numbers.
    pub fn sign(&self, operation: &str, body: &[u8], now: SystemTime) -> Result<Signed> {
        Ok(self.sign_with(operation, body, now, &random_id(32)?))
    }

    fn sign_with(&self, operation: &str, body: &[u8], now: SystemTime, nonce: &str) -> Signed {
        let (digest, agent) = (sha256(body), &self.agent);
        let time = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let text = [&VERSION.to_string(), agent, "POST", PATH, operation, &digest, &time.to_string(), nonce].join("\n");
        let signature = hex(&mac(&self.key, &text));
        let header = format!(
            "v={VERSION}; id={agent}; op={operation}; time={time}; nonce={nonce}; body={digest}; sig={signature}"
        );
        let mut answer = hex(&mac(&self.key, &format!("pythonanywhere-api agent answer\n{nonce}")));
        answer.truncate(32);
        Signed { header, answer }
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

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
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
        let signed = key.sign_with("apply", b"{}", now, "ffeeddccbbaa99887766554433221100");
        assert_eq!(
            signed.header,
            "v=1; id=00112233445566778899aabbccddeeff; op=apply; time=1800000000; \
             nonce=ffeeddccbbaa99887766554433221100; \
             body=44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a; \
             sig=007ef7a3ed4a6b398fedc5f5440eec4b80c1d17cafa0cd4475d36e5037915999"
        );
        assert_eq!(signed.answer, "06ea9c584d1aa68995ecb7a99e3d0505");
        assert_eq!(key.check(), "9220e49c8f43aa3d833570d07e4d2a68");
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
