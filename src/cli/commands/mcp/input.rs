//! Standard input, which tells when it ends.
//!
//! The crate lets calls that are at work finish after the end of the input, for some seconds. But whoever closed it waits
//! for no answer any more, and a deploy must not go on without anybody who could stop it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

/// An input whose end cancels `ended`.
pub struct Input<R> {
    pub source: R,
    pub ended: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for Input<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.source).poll_read(context, buffer);
        let is_over = match &read {
            Poll::Ready(Ok(())) => buffer.filled().len() == before && buffer.remaining() > 0,
            Poll::Ready(Err(_)) => true,
            Poll::Pending => false,
        };
        if is_over {
            self.ended.cancel();
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn the_end_is_told_once_all_was_read() {
        let ended = CancellationToken::new();
        let mut input = Input { source: &b"two"[..], ended: ended.clone() };
        let mut bytes = [0; 3];
        input.read_exact(&mut bytes).await.unwrap();
        assert!(!ended.is_cancelled());
        assert_eq!(input.read(&mut bytes).await.unwrap(), 0);
        assert!(ended.is_cancelled());
    }
}
