//! Random tokens and ids.

use std::io;

use crate::digest::hex;

/// `digits` random hexadecimal digits, from the system's secure source.
pub(crate) fn random_hex(digits: usize) -> io::Result<String> {
    use std::io::Read as _;
    let mut bytes = vec![0; digits.div_ceil(2)];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = hex(&bytes);
    text.truncate(digits);
    Ok(text)
}
