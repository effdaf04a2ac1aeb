//! The bytes of an answer: unpacked, and bounded.
//!
//! We unpack gzip ourselves, in small steps, because a body of 1.5 MB may stand for 1.5 GB: the length is checked while
//! it grows, and for the content of files, which may be long, also how many times longer it is than what came.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};

/// No JSON of the service is nearly as long.
const LONGEST_JSON: usize = 64 << 20;

/// What is kept of an error's body.
pub(super) const LONGEST_ERROR: usize = 64 << 10;

/// How many times its size ordinary content takes unpacked, at most.
const HIGHEST_RATIO: usize = 100;

/// Deflate yields at most 1032 times what it is given, so that a step stays below 1 MiB.
const STEP: usize = 1000;

/// How long a body may be, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// A longer one is an error.
    Refuse(usize),
    /// A longer one is cut: an error page says what it has to say at its start.
    Cut(usize),
    /// As long as it is not compressed out of all proportion: a file that the caller asked for.
    Proportion,
}

impl Limit {
    /// The limit for an answer.
    pub(super) fn of(is_error: bool, is_file: bool, asked: Option<usize>) -> Self {
        match asked {
            Some(most) if is_error => Self::Cut(most),
            Some(most) => Self::Refuse(most),
            None if is_error => Self::Cut(LONGEST_ERROR),
            None if is_file => Self::Proportion,
            None => Self::Refuse(LONGEST_JSON),
        }
    }
}

/// Unpacks a body as it arrives.
pub(super) struct Decoder {
    gzip: Option<MultiGzDecoder<Vec<u8>>>,
    /// Bytes that came.
    pub received: usize,
    /// Bytes that they stand for.
    pub unpacked: usize,
}

impl Decoder {
    /// For a body with these headers, from which the encoding is removed.
    ///
    /// # Errors
    /// If the encoding is not one that was asked for.
    pub(super) fn new(headers: &mut HeaderMap) -> io::Result<Self> {
        let encoding =
            headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
        let gzip = match encoding.as_deref() {
            None | Some("" | "identity") => None,
            Some("gzip" | "x-gzip") => {
                headers.remove(CONTENT_ENCODING);
                headers.remove(CONTENT_LENGTH);
                Some(MultiGzDecoder::new(Vec::new()))
            }
            Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer has an unknown encoding")),
        };
        Ok(Self { gzip, received: 0, unpacked: 0 })
    }

    /// A chunk in parts that are unpacked to less than 1 MiB each.
    pub(super) fn steps(chunk: &Bytes) -> impl Iterator<Item = Bytes> + use<> {
        let chunk = chunk.clone();
        (0..chunk.len()).step_by(STEP).map(move |at| chunk.slice(at..chunk.len().min(at + STEP)))
    }

    /// Hands what a chunk stands for to `take`, piece by piece, until that returns false.
    ///
    /// # Errors
    /// If the chunk is not gzip, where that was announced.
    pub(super) fn unpack(&mut self, chunk: &Bytes, mut take: impl FnMut(&Self, Bytes) -> bool) -> io::Result<()> {
        let Some(mut gzip) = self.gzip.take() else {
            self.received += chunk.len();
            self.unpacked += chunk.len();
            take(self, chunk.clone());
            return Ok(());
        };
        for step in chunk.chunks(STEP) {
            gzip.write_all(step)?;
            let piece = std::mem::take(gzip.get_mut());
            self.received += step.len();
            self.unpacked += piece.len();
            if !piece.is_empty() && !take(self, piece.into()) {
                break;
            }
        }
        self.gzip = Some(gzip);
        Ok(())
    }

    /// What is left once the last chunk has come.
    ///
    /// # Errors
    /// If the body was cut off.
    pub(super) fn finish(&mut self) -> io::Result<Bytes> {
        match self.gzip.take() {
            Some(gzip) if self.received > 0 => {
                let rest = gzip.finish()?;
                self.unpacked += rest.len();
                Ok(rest.into())
            }
            _ => Ok(Bytes::new()),
        }
    }

    fn is_out_of_proportion(&self) -> bool {
        self.unpacked > LONGEST_JSON && self.unpacked / HIGHEST_RATIO > self.received
    }
}

/// A body in memory, as it arrives.
pub(super) struct Gathered {
    decoder: Decoder,
    limit: Limit,
    body: BytesMut,
    /// Whether its rest was left out.
    pub is_cut: bool,
    /// Whether it is longer than may be.
    pub is_too_long: bool,
}

impl Gathered {
    pub(super) fn new(decoder: Decoder, limit: Limit) -> Self {
        Self { decoder, limit, body: BytesMut::new(), is_cut: false, is_too_long: false }
    }

    /// Whether more is wanted.
    pub(super) fn add(&mut self, chunk: &Bytes) -> io::Result<bool> {
        let Self { decoder, limit, body, is_cut, is_too_long } = self;
        decoder.unpack(chunk, |decoder, piece| {
            let most = match *limit {
                Limit::Refuse(most) | Limit::Cut(most) => most,
                Limit::Proportion if decoder.is_out_of_proportion() => 0,
                Limit::Proportion => usize::MAX,
            };
            let left = most.saturating_sub(body.len());
            body.extend_from_slice(&piece[..piece.len().min(left)]);
            if piece.len() > left {
                *is_cut = matches!(limit, Limit::Cut(_));
                *is_too_long = !*is_cut;
            }
            piece.len() <= left
        })?;
        Ok(!(self.is_cut || self.is_too_long))
    }

    /// How many bytes it has, unpacked.
    pub(super) fn length(&self) -> usize {
        self.decoder.unpacked
    }

    /// The body, and whether it was cut.
    ///
    /// # Errors
    /// If it was cut off on its way.
    pub(super) fn finish(mut self) -> io::Result<(Bytes, bool)> {
        if !self.is_cut {
            self.body.extend_from_slice(&self.decoder.finish()?);
        }
        Ok((self.body.freeze(), self.is_cut))
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(content: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap().into()
    }

    fn decoder(encoding: &'static str) -> io::Result<Decoder> {
        Decoder::new(&mut HeaderMap::from_iter([(CONTENT_ENCODING, http::HeaderValue::from_static(encoding))]))
    }

    /// Whether it is too long, how long it became, and the body.
    type Outcome = (bool, usize, io::Result<(Bytes, bool)>);

    fn gather(body: &Bytes, limit: Limit) -> io::Result<Outcome> {
        let mut gathered = Gathered::new(decoder("gzip")?, limit);
        for chunk in body.chunks(700) {
            if !gathered.add(&Bytes::copy_from_slice(chunk))? {
                break;
            }
        }
        Ok((gathered.is_too_long, gathered.length(), gathered.finish()))
    }

    #[test]
    fn a_body_is_unpacked_whole_or_is_an_error() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let body = packed(&content);
        let (_, _, whole) = gather(&body, Limit::Refuse(1 << 20)).unwrap();
        assert_eq!(whole.unwrap(), (content.into(), false));
        for cut in [1, 9, 20, body.len() / 2, body.len() - 1] {
            let outcome = gather(&body.slice(..cut), Limit::Proportion).and_then(|(_, _, whole)| whole);
            assert!(outcome.is_err(), "{cut} of {} bytes", body.len());
        }
        assert!(gather(&Bytes::from_static(b"<html>not gzip at all</html>"), Limit::Proportion).is_err());
        assert_eq!(gather(&Bytes::new(), Limit::Proportion).unwrap().2.unwrap(), (Bytes::new(), false));
        assert!(decoder("br").is_err());
    }

    #[test]
    fn a_bomb_is_noticed_while_it_is_unpacked() {
        let bomb = packed(&vec![b' '; 200 << 20]);
        assert!(bomb.len() < 300_000, "{}", bomb.len());
        for (limit, most) in [(Limit::Refuse(1 << 20), 3 << 20), (Limit::Proportion, LONGEST_JSON + (2 << 20))] {
            let (is_too_long, length, _) = gather(&bomb, limit).unwrap();
            assert!(is_too_long && length < most, "{limit:?}: {length}");
        }
        let (is_too_long, length, body) = gather(&bomb, Limit::Cut(1000)).unwrap();
        assert!(!is_too_long && length < 2 << 20, "{length}");
        assert_eq!(body.unwrap(), (vec![b' '; 1000].into(), true));
    }
}
