//! How much memory an answer may take: a megabyte of gzip can stand for a gigabyte.
//!
//! The system tells the peak of a whole process, so the client runs in one of its own: this test once more, which an
//! environment variable tells where the server is.

use std::io::Write;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use pythonanywhere_api::client::Options;
use pythonanywhere_api::error::ErrorKind;

use crate::engine::{client_with, options, path};
use crate::script::{Act, Script};
use crate::transfer_memory::peak;

const SERVER: &str = "ANSWER_MEMORY_SERVER";
const UNPACKED: usize = 1 << 30;
/// The limit of 64 MiB, twice while a buffer grows, and room for what any first request takes.
const MOST: u64 = 200 << 20;

/// An answer of 1 GiB that is sent as 1 MiB.
fn bomb(status: u16, content_type: &str) -> Act {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b' '; 16 << 20]).unwrap();
    // Gzip may consist of several parts, which stand for one text.
    let body = encoder.finish().unwrap().repeat(UNPACKED >> 24);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    Act::SayBytes([head.into_bytes(), body].concat())
}

async fn client_side(url: &str) {
    let client = client_with(url, Options { retries: 0, ..options() });
    let before = peak();
    let file = path("/home/me/x");
    let mut seen = Vec::new();
    for outcome in [client.list_dir(&file).await.map(drop), client.read_file(&file).await.map(drop)] {
        seen.push(outcome.unwrap_err().kind());
    }
    seen.push(client.list_webapps().await.unwrap_err().kind());
    assert_eq!(seen, [ErrorKind::Decode, ErrorKind::Decode, ErrorKind::Server]);
    let grown = peak() - before;
    println!("the peak of memory grew by {} MiB", grown >> 20);
    assert!(grown < MOST, "{grown}");
}

#[tokio::test]
async fn a_gigabyte_that_is_sent_as_a_megabyte_is_never_unpacked() {
    if let Ok(url) = std::env::var(SERVER) {
        return client_side(&url).await;
    }
    let server =
        Script::start([bomb(200, "application/json"), bomb(200, "application/octet-stream"), bomb(500, "text/html")])
            .await;
    let name = "answer_memory::a_gigabyte_that_is_sent_as_a_megabyte_is_never_unpacked";
    let mut client = Command::new(std::env::current_exe().unwrap());
    client.args(["--exact", name, "--nocapture"]).env(SERVER, &server.url);
    assert!(tokio::task::spawn_blocking(move || client.status()).await.unwrap().unwrap().success());
}
