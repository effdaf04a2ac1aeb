//! How much memory a large file takes on its way: next to none, for the client and for the emulator alike.
//!
//! The peak of a process' memory is told by the system for the whole process, so the client runs in one of its own:
//! this very test once more, which an environment variable tells where the emulator is.

use std::fs::File;
use std::process::Command;

use pythonanywhere_api::client::{FileContent, Options, RateLimit};
use pythonanywhere_api::emulator::{Emulator, Settings, Undocumented};
use pythonanywhere_api::{BaseUrl, Client, RemotePath, Token};

use crate::emulator_host::unlimited;

const LENGTH: u64 = 500_000_000;
const MOST: u64 = 16 << 20;
const HOST: &str = "TRANSFER_MEMORY_HOST";

/// The most memory that this process ever had, in bytes.
pub fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn up_and_down(client: &Client, length: u64) {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    File::create(&from).unwrap().set_len(length).unwrap();
    let path = RemotePath::parse("/home/demo/large").unwrap();
    client.upload_from(&path, FileContent::Path(from)).await.unwrap();
    assert_eq!(client.download(&path, &to).await.unwrap(), length);
}

async fn client_side(url: &str, token: &str) {
    let options = Options { rate_limit: RateLimit::Off, ..Options::default() };
    let client = Client::new(&BaseUrl::parse(url).unwrap(), "demo", &Token::new(token).unwrap(), options).unwrap();
    // What any first request takes is no matter of the file's size.
    up_and_down(&client, 1 << 20).await;
    let before = peak();
    up_and_down(&client, LENGTH).await;
    let grown = peak() - before;
    println!("the client's peak memory grew by {grown} bytes");
    assert!(grown < MOST, "{grown}");
}

#[tokio::test]
#[ignore = "moves 500 MB twice and measures whole processes, in which no other test may run"]
async fn a_file_of_500_mb_takes_less_than_16_mb_of_memory() {
    if let Ok(host) = std::env::var(HOST) {
        let (url, token) = host.split_once(' ').unwrap();
        return client_side(url, token).await;
    }
    let undocumented = Undocumented { upload_limit: None, ..Undocumented::default() };
    let emulator = Emulator::start(Settings { undocumented, disk_quota: Some(u64::MAX), ..unlimited() }).unwrap();
    let before = peak();
    let host = format!("{} {}", emulator.url(), emulator.token());
    let name = "transfer_memory::a_file_of_500_mb_takes_less_than_16_mb_of_memory";
    let mut client = Command::new(std::env::current_exe().unwrap());
    client.args(["--exact", name, "--ignored", "--nocapture"]).env(HOST, host);
    let ended = tokio::task::spawn_blocking(move || client.status()).await.unwrap().unwrap();
    assert!(ended.success());
    let grown = peak() - before;
    println!("the emulator's peak memory grew by {grown} bytes");
    assert!(grown < MOST, "{grown}");
}
