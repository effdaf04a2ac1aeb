//! A connection's byte stream, with faults that no HTTP library offers.
//!
//! A handler deep inside hyper requests the fault, and it is carried out here: a reset needs the socket, and garbage
//! has to bypass a library that only writes HTTP.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

const GARBAGE: &[u8] = b"\x00\x15\xff\xfe%PDF-not-http\x7f\x80\r\n\x01\x02 <nothing you know>\r\n\r\n";
const CUT_HEAD: &[u8] = b"HTTP/1.1 20";

const NONE: u8 = 0;
const RESET: u8 = 1;
const GARBLED: u8 = 2;
const CUT: u8 = 3;
const DONE: u8 = 4;

/// The fault to apply to a connection; shared by its handlers and its [`Wire`].
#[derive(Debug, Default)]
pub(crate) struct WireFault {
    mode: AtomicU8,
    reset: Notify,
}

impl WireFault {
    /// Resets the connection. The caller is dropped with it.
    pub(crate) async fn reset(&self) {
        self.mode.store(RESET, Ordering::SeqCst);
        self.reset.notify_one();
        std::future::pending::<()>().await;
    }

    /// Sends garbage next, and then closes the connection.
    pub(crate) fn garble(&self) {
        self.mode.store(GARBLED, Ordering::SeqCst);
    }

    /// Sends the beginning of a status line next, and then closes the connection.
    pub(crate) fn cut_head(&self) {
        self.mode.store(CUT, Ordering::SeqCst);
    }

    /// Waits until a reset is requested.
    pub(crate) async fn reset_requested(&self) {
        self.reset.notified().await;
    }
}

/// A connection, with or without TLS.
pub(crate) enum SocketStream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl SocketStream {
    /// A connection that was accepted; with an `acceptor`, the client starts TLS.
    pub(crate) async fn open(socket: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<Self> {
        Ok(match acceptor {
            Some(acceptor) => Self::Tls(Box::new(acceptor.accept(socket).await?)),
            None => Self::Plain(socket),
        })
    }
}

/// A connection to which a fault can be applied.
pub(crate) struct Wire {
    stream: SocketStream,
    wire_fault: Arc<WireFault>,
}

impl Wire {
    pub(crate) fn new(stream: SocketStream, wire_fault: Arc<WireFault>) -> Self {
        Self { stream, wire_fault }
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            SocketStream::Plain(stream) => stream,
            SocketStream::Tls(stream) => stream.get_ref().0,
        }
    }

    fn stream(self: Pin<&mut Self>) -> Pin<&mut (dyn Duplex + Unpin)> {
        match &mut self.get_mut().stream {
            SocketStream::Plain(stream) => Pin::new(stream),
            SocketStream::Tls(stream) => Pin::new(stream),
        }
    }
}

trait Duplex: AsyncRead + AsyncWrite {}
impl<T: AsyncRead + AsyncWrite> Duplex for T {}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.wire_fault.mode.load(Ordering::SeqCst) == RESET {
            // Closing with a linger time of zero sends RST. An error means that the peer has gone already.
            let _ = self.socket().set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let instead = match self.wire_fault.mode.load(Ordering::SeqCst) {
            NONE | RESET => return self.stream().poll_write(cx, buf),
            GARBLED => GARBAGE,
            CUT => CUT_HEAD,
            _ => &[],
        };
        if !instead.is_empty() {
            // So few bytes always fit into an idle connection's buffer.
            ready!(self.as_mut().stream().poll_write(cx, instead))?;
            self.wire_fault.mode.store(DONE, Ordering::SeqCst);
        }
        ready!(self.stream().poll_flush(cx))?;
        Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "closed by a fault")))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(cx)
    }
}
