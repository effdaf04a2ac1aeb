//! SHA-256 in hexadecimal, as `hashlib` prints it on the host; and random digits of the same kind.

use std::fmt::Write;
use std::io;

use sha2::{Digest, Sha256};

/// The digest of some bytes, as 64 lower-case hexadecimal digits.
pub(crate) fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// `digits` hexadecimal digits that nobody can guess.
pub(crate) fn random_hex(digits: usize) -> io::Result<String> {
    let mut bytes = vec![0; digits.div_ceil(2)];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let mut text = hex(&bytes);
    text.truncate(digits);
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn random_digits_are_as_many_as_asked_for_and_others_each_time() {
        let all: std::collections::BTreeSet<_> = (0..100).map(|_| super::random_hex(33).unwrap()).collect();
        assert_eq!(all.len(), 100);
        assert!(all.iter().flat_map(|text| text.chars()).all(|digit| digit.is_ascii_hexdigit()));
        assert!(all.iter().all(|text| text.len() == 33));
    }

    #[test]
    fn digests_are_those_of_the_standard() {
        assert_eq!(super::sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
