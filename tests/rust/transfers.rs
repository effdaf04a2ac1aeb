//! Files that do not go through memory: up from disk and from sources, down to disk.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use pythonanywhere_api::api::Uploaded;
use pythonanywhere_api::client::{Chunks, ContentSource, FileContent, Observer, Options, RateLimit};
use pythonanywhere_api::emulator::{Emulator, FaultKind, FaultRule, Stage};
use pythonanywhere_api::error::{Error, ErrorKind, Result};
use pythonanywhere_api::{BaseUrl, Client, RemotePath, Token};
use tokio::sync::mpsc;

use crate::emulator_host::unlimited;
use crate::script::{Act, Script, answer, say};

fn client(url: &str, user: &str, token: &str) -> Client {
    let options = Options { rate_limit: RateLimit::Off, ..Options::default() };
    Client::new(&BaseUrl::parse(url).unwrap(), user, &Token::new(token).unwrap(), options).unwrap()
}

fn scripted(server: &Script) -> Client {
    client(&server.url, "me", "s3cret")
}

fn emulated(emulator: &Emulator) -> Client {
    client(emulator.url(), "demo", emulator.token())
}

fn remote(name: &str) -> RemotePath {
    RemotePath::parse(&format!("/home/demo/{name}")).unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    // A prime, so that no piece is like the one before it.
    let mut bytes = (0..=250u8).collect::<Vec<_>>().repeat(length / 251 + 1);
    bytes.truncate(length);
    bytes
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn octets(body: &str) -> String {
    answer(200, "Content-Type: application/octet-stream\r\n", body)
}

/// Chunks that a test made up.
struct Made {
    pieces: Vec<Bytes>,
    length: Option<u64>,
    repeatable: bool,
    fails: bool,
    opened: AtomicU32,
}

impl Made {
    fn of(content: &[u8]) -> Self {
        let pieces = content.chunks(50_000).map(Bytes::copy_from_slice).collect();
        Self { pieces, length: None, repeatable: true, fails: false, opened: AtomicU32::new(0) }
    }
}

impl ContentSource for Made {
    fn length(&self) -> Option<u64> {
        self.length
    }

    fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    fn open(&self) -> Result<Chunks> {
        self.opened.fetch_add(1, Ordering::Relaxed);
        let mut pieces: Vec<Result<Bytes>> = self.pieces.iter().cloned().map(Ok).collect();
        if self.fails {
            pieces.push(Err(Error::Callback("the caller's own".into())));
        }
        Ok(stream::iter(pieces).boxed())
    }
}

/// Chunks that a test hands out one by one while they are sent.
struct Handed {
    pieces: Mutex<Option<mpsc::Receiver<Bytes>>>,
    length: u64,
}

impl ContentSource for Handed {
    fn length(&self) -> Option<u64> {
        Some(self.length)
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn open(&self) -> Result<Chunks> {
        let pieces = self.pieces.lock().unwrap().take().unwrap();
        Ok(stream::unfold(pieces, |mut pieces| async move { Some((Ok(pieces.recv().await?), pieces)) }).boxed())
    }
}

#[tokio::test]
async fn an_upload_that_is_given_up_does_not_go_on_behind_the_callers_back() {
    let emulator = Emulator::start(unlimited()).unwrap();
    let (client, path, content) = (emulated(&emulator), remote("x"), pattern(1_000_000));
    client.upload_file(&path, "before".into()).await.unwrap();
    let (hand, pieces) = mpsc::channel(1);
    let source = Handed { pieces: Mutex::new(Some(pieces)), length: content.len() as u64 };
    let upload = tokio::spawn({
        let (client, path) = (client.clone(), path.clone());
        async move { client.upload_from(&path, FileContent::Source(Arc::new(source))).await }
    });
    let mut rest = content.chunks(250_000).map(Bytes::copy_from_slice);
    // The second waits until the first was taken.
    for piece in rest.by_ref().take(2) {
        hand.send(piece).await.unwrap();
    }
    upload.abort();
    assert!(upload.await.unwrap_err().is_cancelled());
    for piece in rest {
        // Nobody takes it any more, which is what this is about.
        let _ = hand.send(piece).await;
    }
    hand.closed().await;
    assert_eq!(client.read_file(&path).await.unwrap(), "before");
}

#[tokio::test]
async fn files_of_any_length_come_back_byte_for_byte() {
    let (emulator, folder) = (Emulator::start(unlimited()).unwrap(), tempfile::tempdir().unwrap());
    let client = emulated(&emulator);
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    for length in [0, (1 << 16) - 1, 1 << 16, (1 << 16) + 1] {
        let content = pattern(length);
        fs::write(&from, &content).unwrap();
        let (unknown, known) = (Made::of(&content), Made { length: Some(length as u64), ..Made::of(&content) });
        let contents: [(&str, FileContent); 4] = [
            ("bytes", Bytes::from(content.clone()).into()),
            ("path", FileContent::Path(from.clone())),
            ("unknown", FileContent::Source(Arc::new(unknown))),
            ("known", FileContent::Source(Arc::new(known))),
        ];
        for (name, kind) in contents {
            let path = remote(&format!("{name}-{length}"));
            assert_eq!(client.upload_from(&path, kind.clone()).await.unwrap(), Uploaded::Created, "{path}");
            assert_eq!(client.upload_from(&path, kind).await.unwrap(), Uploaded::Replaced, "{path}");
            assert_eq!(client.download(&path, &to).await.unwrap(), length as u64, "{path}");
            assert!(fs::read(&to).unwrap() == content, "{path}");
        }
    }
    assert_eq!(names(folder.path()), ["from", "to"]);
}

#[tokio::test]
async fn a_large_file_comes_back_byte_for_byte() {
    let (emulator, folder) = (Emulator::start(unlimited()).unwrap(), tempfile::tempdir().unwrap());
    let (client, content) = (emulated(&emulator), pattern(50 << 20));
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::write(&from, &content).unwrap();
    client.upload_from(&remote("x"), FileContent::Path(from)).await.unwrap();
    assert_eq!(client.download(&remote("x"), &to).await.unwrap(), 50 << 20);
    assert!(fs::read(&to).unwrap() == content);
}

/// What went out of a body.
#[derive(Default)]
struct Sent(Mutex<u64>);

impl Observer for Sent {
    fn bytes_sent(&self, _path: &str, count: u64) {
        *self.0.lock().unwrap() += count;
    }
}

#[tokio::test]
async fn a_streamed_upload_is_told_piece_by_piece_and_begun_anew_after_a_reset() {
    let (emulator, folder) = (Emulator::start(unlimited()).unwrap(), tempfile::tempdir().unwrap());
    let (from, content) = (folder.path().join("from"), pattern(1 << 20));
    fs::write(&from, &content).unwrap();
    let source = Arc::new(Made::of(&content));
    for (name, kind) in [("path", FileContent::Path(from)), ("source", FileContent::Source(source.clone()))] {
        let reset = FaultRule { times: Some(1), stage: Stage::After, ..FaultRule::new(FaultKind::Reset) };
        emulator.faults().add(reset).unwrap();
        let sent = Arc::new(Sent::default());
        let client = emulated(&emulator).with_observer(Arc::clone(&sent) as _);
        assert_eq!(client.upload_from(&remote(name), kind).await.unwrap(), Uploaded::Replaced);
        assert_eq!((client.requests_sent(), *sent.0.lock().unwrap()), (2, 2 << 20), "twice the whole");
        assert!(fs::read(emulator.root().join("home/demo").join(name)).unwrap() == content);
    }
    assert_eq!(source.opened.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_length_is_told_where_it_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    fs::write(&from, pattern(1 << 20)).unwrap();
    let server = Script::start([Act::Close, say(201, "")]).await;
    scripted(&server).upload_from(&remote("x"), FileContent::Path(from)).await.unwrap();
    assert_eq!(server.heads().len(), 2);
    for head in server.heads() {
        let head = head.to_ascii_lowercase();
        assert!(head.contains("content-length: ") && !head.contains("transfer-encoding"), "{head}");
    }
}

#[tokio::test]
async fn what_cannot_be_begun_anew_is_sent_once() {
    for act in [Act::Close, say(503, ""), Act::Say(answer(429, "Retry-After: 0\r\n", ""))] {
        let server = Script::start([act, say(201, "")]).await;
        let content = pattern(1000);
        let source = Arc::new(Made { repeatable: false, length: Some(1000), ..Made::of(&content) });
        scripted(&server).upload_from(&remote("x"), FileContent::Source(source.clone())).await.unwrap_err();
        assert_eq!((server.heads().len(), source.opened.load(Ordering::Relaxed)), (1, 1));
    }
}

#[tokio::test]
async fn a_source_that_fails_says_so_itself_and_leaves_the_file_as_it_was() {
    let emulator = Emulator::start(unlimited()).unwrap();
    let (client, content) = (emulated(&emulator), pattern(200_000));
    client.upload_file(&remote("x"), Bytes::from_static(b"old")).await.unwrap();
    let length = Some(content.len() as u64);
    let failing = Made { fails: true, ..Made::of(&content) };
    let long = Made { length: length.map(|length| length - 1), ..Made::of(&content) };
    let short = Made { length: length.map(|length| length + 1), ..Made::of(&content) };
    for (source, kind) in [(failing, ErrorKind::Callback), (long, ErrorKind::Config), (short, ErrorKind::Config)] {
        let source = Arc::new(source);
        let error = client.upload_from(&remote("x"), FileContent::Source(source.clone())).await.unwrap_err();
        assert_eq!((error.kind(), source.opened.load(Ordering::Relaxed)), (kind, 1), "{error}");
        assert_eq!(client.read_file(&remote("x")).await.unwrap(), "old");
    }
}

/// Changes the length of a file once the first piece of it went out.
struct Meddler {
    file: fs::File,
    to: u64,
}

impl Observer for Meddler {
    fn bytes_sent(&self, _path: &str, _count: u64) {
        self.file.set_len(self.to).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_grows_or_shrinks_while_it_is_sent_is_an_error() {
    let (emulator, folder) = (Emulator::start(unlimited()).unwrap(), tempfile::tempdir().unwrap());
    let from = folder.path().join("from");
    for (to, word) in [((8 << 20) + 1, "longer"), ((8 << 20) - 1, "shorter"), (0, "shorter")] {
        fs::write(&from, pattern(8 << 20)).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&from).unwrap();
        let client = emulated(&emulator).with_observer(Arc::new(Meddler { file, to }));
        let error = client.upload_from(&remote("x"), FileContent::Path(from.clone())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local);
        assert!(error.chain().contains(word), "{}", error.chain());
        assert_eq!((client.requests_sent(), names(&emulator.root().join("home/demo"))), (1, vec![]));
    }
}

#[tokio::test]
async fn what_is_no_regular_file_is_refused_before_anything_is_sent() {
    let (server, folder) = (Script::start([say(201, "")]).await, tempfile::tempdir().unwrap());
    let (client, pipe) = (scripted(&server), Path::new("/dev/null"));
    for path in [folder.path(), &folder.path().join("none"), pipe] {
        let sent = client.upload_from(&remote("x"), FileContent::Path(path.to_owned())).await;
        assert_eq!(sent.unwrap_err().kind(), ErrorKind::Local, "{}", path.display());
    }
    for path in [folder.path(), &folder.path().join("none/x"), pipe] {
        let error = client.download(&remote("x"), path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Local, "{}", path.display());
    }
    assert!(server.heads().is_empty());
}

#[tokio::test]
async fn a_download_that_breaks_off_is_asked_for_again_and_its_half_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    let whole = octets(&"x".repeat(600_000));
    let half = whole[..whole.len() / 2].to_owned();
    let server = Script::start([Act::SayAndClose(half.clone()), say(503, ""), Act::Say(whole)]).await;
    assert_eq!(scripted(&server).download(&remote("x"), &to).await.unwrap(), 600_000);
    assert_eq!((server.heads().len(), fs::metadata(&to).unwrap().len()), (3, 600_000));

    fs::write(&to, "old").unwrap();
    let server = Script::start([Act::SayAndClose(half)]).await;
    let options = Options { retries: 1, rate_limit: RateLimit::Off, ..Options::default() };
    let client = scripted(&server).with_options(options).unwrap();
    assert_eq!(client.download(&remote("x"), &to).await.unwrap_err().kind(), ErrorKind::Transport);
    assert_eq!((server.heads().len(), fs::read(&to).unwrap()), (2, b"old".to_vec()));
    assert_eq!(names(folder.path()), ["to"]);
}

#[tokio::test]
async fn what_is_no_file_is_no_download() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    fs::write(&to, "old").unwrap();
    let page = "<html><h1>Log in</h1></html>";
    for (act, kind) in [
        (Act::Say(answer(200, "Content-Type: application/json\r\n", "{}")), ErrorKind::WrongType),
        (Act::Say(answer(200, "Content-Type: text/html\r\n", page)), ErrorKind::Decode),
        (Act::Say(answer(404, "Content-Type: application/octet-stream\r\n", "gone")), ErrorKind::OtherStatus),
        (say(404, r#"{"detail": "Not found."}"#), ErrorKind::NotFound),
    ] {
        let server = Script::start([act]).await;
        assert_eq!(scripted(&server).download(&remote("x"), &to).await.unwrap_err().kind(), kind);
        assert_eq!((names(folder.path()), fs::read(&to).unwrap()), (vec!["to".to_owned()], b"old".to_vec()));
    }
}

#[tokio::test]
async fn a_download_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("to");
    let slow = Act::Drip(octets(&"x".repeat(5_000)), std::time::Duration::from_millis(5));
    let server = Script::start([slow]).await;
    let (client, place) = (scripted(&server), to.clone());
    let task = tokio::spawn(async move { client.download(&remote("x"), &place).await });
    crate::emulator_host::eventually(async || (!names(folder.path()).is_empty()).then_some(())).await;
    assert!(names(folder.path()).iter().all(|name| name.starts_with(".download-")), "{:?}", names(folder.path()));
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    // The file may be made on another thread just then, which drops it once it sees that nobody waits.
    crate::emulator_host::eventually(async || names(folder.path()).is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_download_keeps_the_mode_of_a_file_and_follows_links() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real"), folder.path().join("link"));
    let mut old = fs::File::create(&real).unwrap();
    old.write_all(b"#!/bin/sh").unwrap();
    let usual = old.metadata().unwrap().permissions().mode();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o750)).unwrap();
    symlink("real", &link).unwrap();
    let server = Script::start([Act::Say(octets("new"))]).await;
    let client = scripted(&server);
    client.download(&remote("x"), &link).await.unwrap();
    assert!(link.is_symlink());
    assert_eq!(fs::read(&real).unwrap(), b"new");
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o7777, 0o750);
    let fresh = folder.path().join("fresh");
    client.download(&remote("x"), &fresh).await.unwrap();
    assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode(), usual, "that of any new file");
}
