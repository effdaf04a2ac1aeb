//! Listening on loopback, and the accept loop that the API and the sites share.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

/// Binds loopback only: the account's processes run on this machine, and only the token protects them.
pub(crate) fn bind(port: u16) -> io::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = StdListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Why a connection ended.
pub(crate) type ConnectionError = Box<dyn std::error::Error + Send + Sync>;

async fn log_end(served: impl Future<Output = Result<(), ConnectionError>>) {
    if let Err(error) = served.await {
        log::debug!("a connection to the emulator ended: {error}");
    }
}

/// Accepts connections until it is dropped, and serves each in its own task.
pub(crate) async fn accept_all<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = Result<(), ConnectionError>> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                if let Err(error) = socket.set_nodelay(true) {
                    log::debug!("cannot disable delays (TCP_NODELAY) on a connection to the emulator: {error}");
                }
                tokio::spawn(log_end(serve(socket)));
            }
            Err(error) => {
                // Out of descriptors, or the client has left already: others may still be served.
                log::warn!("the emulator cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
