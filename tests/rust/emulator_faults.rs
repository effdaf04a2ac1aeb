//! What an emulator does when it is told to fail, seen from plain clients and bare sockets.

use std::error::Error;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pythonanywhere_api::emulator::{FaultKind, FaultRule, Settings, Stage};
use serde_json::json;

use crate::emulator_host::{Host, file, header, said, unlimited};

const HOME: &str = "files/path/home/demo/";

fn host() -> Host {
    Host::start(unlimited())
}

fn once(kind: FaultKind) -> FaultRule {
    FaultRule { times: Some(1), ..FaultRule::new(kind) }
}

fn after(kind: FaultKind) -> FaultRule {
    FaultRule { stage: Stage::After, ..once(kind) }
}

async fn failure(host: &Host, endpoint: &str) -> String {
    let outcome = match host.request(reqwest::Method::GET, endpoint).send().await {
        Ok(response) => response.bytes().await.map(|_| ()),
        Err(error) => Err(error),
    };
    let error = outcome.unwrap_err();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn a_status_comes_instead_of_the_answer_with_or_without_the_effect() {
    let host = host();
    let kind = FaultKind::Status { code: 503, body: "[1]".into(), content_type: "application/json".into() };
    host.emulator.faults().add(once(kind.clone())).unwrap();
    assert_eq!(host.upload("/home/demo/x", "x").await, 503);
    assert!(!host.home("x").exists());
    host.emulator.faults().add(after(kind)).unwrap();
    assert_eq!(host.upload("/home/demo/x", "x").await, 503);
    assert!(host.home("x").exists());
    assert_eq!(host.upload("/home/demo/x", "x").await, 200);
    host.emulator.faults().add(once(FaultKind::Html { code: 502 })).unwrap();
    let page = host.get(HOME).await;
    assert_eq!((page.status().as_u16(), header(&page, "content-type")), (502, Some("text/html; charset=utf-8")));
    assert!(page.text().await.unwrap().contains("<h1>502 Bad Gateway</h1>"));
}

#[tokio::test]
async fn rules_pick_by_method_and_path_and_can_be_removed() {
    let host = host();
    let rule = FaultRule {
        method: Some("GET".into()),
        path_glob: Some("*/files/path/home/demo/bad/*".into()),
        ..FaultRule::new(FaultKind::Html { code: 500 })
    };
    let id = host.emulator.faults().add(rule).unwrap();
    host.upload("/home/demo/bad/deep/x", "x").await;
    assert_eq!(host.get("files/path/home/demo/bad/deep/x").await.status(), 500);
    assert_eq!(host.get(HOME).await.status(), 200);
    assert!(host.emulator.faults().remove(id));
    assert!(!host.emulator.faults().remove(id));
    assert_eq!(host.get("files/path/home/demo/bad/deep/x").await.status(), 200);
}

#[tokio::test]
async fn a_reset_is_one_on_the_socket() {
    let host = host();
    host.emulator.faults().add(once(FaultKind::Reset)).unwrap();
    let mut socket = TcpStream::connect(host.emulator.url().trim_start_matches("http://")).unwrap();
    socket.write_all(b"GET /api/v0/user/demo/cpu/ HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let error = socket.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // The effect may come first all the same.
    host.emulator.faults().add(after(FaultKind::Reset)).unwrap();
    let form =
        reqwest::multipart::Form::new().part("content", reqwest::multipart::Part::bytes(b"x".to_vec()).file_name("x"));
    let request = host.request(reqwest::Method::POST, &file("/home/demo/x")).multipart(form);
    assert!(request.send().await.is_err());
    assert_eq!(fs::read_to_string(host.home("x")).unwrap(), "x");
    let statuses: Vec<_> = host.emulator.requests().iter().map(|request| request.status).collect();
    assert_eq!(statuses, [None, None]);
}

#[tokio::test]
async fn a_truncated_answer_is_shorter_than_it_says() {
    let host = host();
    host.upload("/home/demo/x", "0123456789").await;
    let target = "/api/v0/user/demo/files/path/home/demo/x";
    for (bytes, body) in [(4, "0123"), (0, ""), (99, "012345678")] {
        host.emulator.faults().add(after(FaultKind::Truncate { bytes })).unwrap();
        let answer = host.raw_request("GET", target);
        let (head, sent) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 10"), "{head}");
        assert_eq!(sent, body);
    }
    host.emulator.faults().add(once(FaultKind::Truncate { bytes: 7 })).unwrap();
    let text = failure(&host, "files/path/home/demo/x").await;
    assert!(text.contains("end of file") || text.contains("closed"), "{text}");
    // An answer without a body loses a part of its head.
    host.emulator.faults().add(after(FaultKind::Truncate { bytes: 7 })).unwrap();
    assert_eq!(host.raw_request("DELETE", target), "HTTP/1.1 20");
    assert!(!host.home("x").exists());
}

#[tokio::test]
async fn garbage_is_no_http() {
    let host = host();
    host.emulator.faults().add(once(FaultKind::Garbage)).unwrap();
    assert!(!host.raw_request("GET", "/api/v0/user/demo/cpu/").starts_with("HTTP"));
    host.emulator.faults().add(once(FaultKind::Garbage)).unwrap();
    assert!(!failure(&host, HOME).await.is_empty());
    assert_eq!(host.get(HOME).await.status(), 200);
}

#[tokio::test]
async fn a_throttle_without_its_header_says_the_time_in_its_body() {
    let host = host();
    host.emulator.faults().add(once(FaultKind::ThrottledWithoutHeader)).unwrap();
    let answer = host.get(HOME).await;
    assert_eq!(header(&answer, "retry-after"), None);
    let detail = json!({"detail": "Request was throttled. Expected available in 30 seconds."});
    assert_eq!(said(answer).await, (429, detail));
}

#[tokio::test]
async fn a_slow_answer_comes_whole_and_in_drops() {
    let host = host();
    let content = "0123456789".repeat(5);
    host.upload("/home/demo/x", content.clone()).await;
    let kind = FaultKind::Slow { delay: Duration::from_millis(20), bytes_per_second: Some(500) };
    host.emulator.faults().add(once(kind)).unwrap();
    let mut answer = host.get("files/path/home/demo/x").await;
    let (mut drops, mut whole) = (0, Vec::new());
    while let Some(drop) = answer.chunk().await.unwrap() {
        drops += 1;
        whole.extend_from_slice(&drop);
    }
    assert_eq!(whole, content.as_bytes());
    // On a busy machine two drops may arrive as one.
    assert!(drops > 1, "{drops}");
}

#[tokio::test(flavor = "multi_thread")]
async fn held_requests_wait_for_their_release_and_show_in_the_log() {
    let host = Arc::new(host());
    let id = host.emulator.faults().add(FaultRule::new(FaultKind::Hold)).unwrap();
    let uploads = ["a", "b"].map(|name| {
        let host = Arc::clone(&host);
        tokio::spawn(async move { host.upload(format!("/home/demo/{name}"), name).await })
    });
    assert!(wait_held(&host, 2).await);
    let held = host.emulator.held();
    assert!(held.iter().all(|request| request.method == "POST"), "{held:?}");
    assert!(!host.home("a").exists() && !host.home("b").exists());
    assert!(host.emulator.requests().iter().all(|request| request.status.is_none() && request.finished.is_none()));
    host.emulator.faults().remove(id);

    let b = held.iter().find(|request| request.path.ends_with("/b")).unwrap();
    assert!(host.emulator.release(b.number));
    assert!(!host.emulator.release(b.number));
    let [a_upload, b_upload] = uploads;
    assert_eq!(b_upload.await.unwrap(), 201);
    assert!(host.home("b").exists() && !host.home("a").exists());
    host.emulator.release_all();
    assert_eq!(a_upload.await.unwrap(), 201);
    assert!(host.emulator.held().is_empty());
}

async fn wait_held(host: &Arc<Host>, count: usize) -> bool {
    let host = Arc::clone(host);
    tokio::task::spawn_blocking(move || host.emulator.wait_held(count, Duration::from_secs(20))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_is_no_longer_held() {
    let host = Arc::new(host());
    host.emulator.faults().add(FaultRule::new(FaultKind::Hold)).unwrap();
    let waiting = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.get(HOME).await.status() }
    });
    assert!(wait_held(&host, 1).await);
    waiting.abort();
    let deadline = Instant::now() + Duration::from_secs(10);
    while host.emulator.requests()[0].finished.is_none() {
        assert!(Instant::now() < deadline, "the log never learned that the client left");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(host.emulator.held().is_empty());
    assert_eq!(host.emulator.requests()[0].status, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_with_held_requests_stops_and_removes_its_root() {
    let host = Arc::new(host());
    let root = host.emulator.root().to_owned();
    host.emulator.faults().add(FaultRule::new(FaultKind::Hold)).unwrap();
    let waiting = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.request(reqwest::Method::GET, HOME).send().await.is_err() }
    });
    assert!(wait_held(&host, 1).await);
    host.emulator.stop();
    host.emulator.stop();
    assert!(waiting.await.unwrap(), "its client sees the connection close");
    assert!(!root.exists());
}

#[tokio::test]
async fn a_given_root_stays_and_keeps_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Host::start(Settings { root: Some(folder.path().join("account")), ..unlimited() });
    start().upload("/home/demo/x", "kept").await;
    assert_eq!(start().get("files/path/home/demo/x").await.text().await.unwrap(), "kept");
}

#[tokio::test]
async fn bad_settings_are_errors() {
    let start = |settings: Settings| pythonanywhere_api::emulator::Emulator::start(settings).map(|_| ());
    for user in ["", "..", "a/b", "a b"] {
        assert!(start(Settings { user: user.into(), ..unlimited() }).is_err(), "{user:?}");
    }
    let taken = host();
    let port = taken.emulator.url().rsplit(':').next().unwrap().parse().unwrap();
    let error = start(Settings { port, ..unlimited() }).unwrap_err();
    assert!(error.to_string().contains(&format!("cannot listen on 127.0.0.1:{port}")), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(start(Settings { root: Some(file.path().to_owned()), ..unlimited() }).is_err());
}

#[tokio::test]
async fn the_log_tells_what_came_and_went() {
    let host = host();
    host.upload("/home/demo/a b", "12345").await;
    host.get("files/tree/?path=/home/demo").await;
    let requests = host.emulator.requests();
    assert_eq!(requests.iter().map(|request| request.number).collect::<Vec<_>>(), [1, 2]);
    let upload = &requests[0];
    assert_eq!((upload.method.as_str(), upload.status), ("POST", Some(201)));
    assert_eq!(upload.path, "/api/v0/user/demo/files/path/home/demo/a b");
    assert!(upload.raw_path.ends_with("/a%20b"));
    assert!(upload.bytes_in > 5 && upload.bytes_out == 0 && upload.finished >= Some(upload.started));
    assert_eq!((requests[1].endpoint, requests[1].query.as_str()), (Some("files/tree/"), "path=/home/demo"));
    assert!(requests[1].bytes_out > 0);
    host.emulator.clear_requests();
    host.get(HOME).await;
    assert_eq!(host.emulator.requests().iter().map(|request| request.number).collect::<Vec<_>>(), [3]);
}
