//! A server that answers each request with the next line of a script, byte for byte: what no honest server would send.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the server treats one request.
#[derive(Clone)]
pub enum Act {
    /// Sends these bytes and keeps the connection open.
    Say(String),
    /// As `Say`, with bytes that are not text.
    SayBytes(Vec<u8>),
    /// Sends these bytes and closes the connection.
    SayAndClose(String),
    /// Closes the connection without a word.
    Close,
    /// Keeps silent until the test ends.
    Silence,
    /// Sends the bytes one at a time with a pause after each.
    Drip(String, Duration),
    /// Reads the request's body in gulps of 64 KiB with a pause after each, then answers 201.
    ReadSlowly(Duration),
}

/// An answer with this status, extra header lines and body.
pub fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// A shorthand for [`Act::Say`] with [`answer`].
pub fn say(status: u16, body: &str) -> Act {
    Act::Say(answer(status, "", body))
}

/// The server. What it received is in [`Script::heads`].
pub struct Script {
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Script {
    /// Starts a server that follows `acts`, and repeats the last one.
    pub async fn start(acts: impl IntoIterator<Item = Act>) -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").await.unwrap(), acts)
    }

    /// As [`start`](Self::start), at a port that is open already.
    pub fn listen(listener: TcpListener, acts: impl IntoIterator<Item = Act>) -> Self {
        let acts: Vec<Act> = acts.into_iter().collect();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&heads);
        let connections = Arc::new(AtomicUsize::new(0));
        let accepted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(converse(stream, acts.clone(), Arc::clone(&received)));
            }
        });
        Self { url, heads, connections }
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The heads of the requests received, in order.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn converse(mut stream: TcpStream, acts: Vec<Act>, heads: Arc<Mutex<Vec<String>>>) {
    while let Some((head, rest)) = read_head(&mut stream).await {
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let body_left = length.unwrap_or(0usize) - rest;
        let act = {
            let mut heads = heads.lock().unwrap();
            heads.push(head);
            acts[(heads.len() - 1).min(acts.len() - 1)].clone()
        };
        let pause = if let Act::ReadSlowly(pause) = act { pause } else { Duration::ZERO };
        if !read_body(&mut stream, body_left, pause).await {
            return;
        }
        let sent = match act {
            Act::Say(text) => stream.write_all(text.as_bytes()).await,
            Act::SayBytes(bytes) => stream.write_all(&bytes).await,
            Act::SayAndClose(text) => return stream.write_all(text.as_bytes()).await.unwrap_or_default(),
            Act::Close => return,
            Act::Silence => return tokio::time::sleep(Duration::from_secs(60)).await,
            Act::ReadSlowly(_) => stream.write_all(answer(201, "", "").as_bytes()).await,
            Act::Drip(text, pause) => drip(&mut stream, &text, pause).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

async fn drip(stream: &mut TcpStream, text: &str, pause: Duration) -> std::io::Result<()> {
    for byte in text.as_bytes() {
        stream.write_all(&[*byte]).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(())
}

/// The head, and how many bytes of the body came with it.
async fn read_head(stream: &mut TcpStream) -> Option<(String, usize)> {
    let mut bytes = Vec::new();
    let mut gulp = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            return Some((head, bytes.len() - end - 4));
        }
        match stream.read(&mut gulp).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&gulp[..count]),
        }
    }
}

async fn read_body(stream: &mut TcpStream, mut left: usize, pause: Duration) -> bool {
    let mut gulp = vec![0; 64 * 1024];
    while left > 0 {
        match stream.read(&mut gulp).await {
            Ok(0) | Err(_) => return false,
            Ok(count) => left -= count.min(left),
        }
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    true
}
