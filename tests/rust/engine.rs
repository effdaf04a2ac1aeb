//! The engine against servers that misbehave, byte for byte. None of them is ours: a script on a bare socket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use pythonanywhere_api::api::Reloaded;
use pythonanywhere_api::client::{Observer, Options, RateLimit, Request};
use pythonanywhere_api::error::{Error, ErrorKind, TimeoutPhase};
use pythonanywhere_api::{BaseUrl, Client, RemotePath, Token};

use crate::script::{Act, Script, answer, say};

const NOT_THERE: &str = r#"{"message": "File does not exist", "code": "not_found"}"#;
const LISTING: &str = r#"{"a": {"type": "file", "url": "x"}, "b": {"type": "directory", "new": 1}}"#;

fn listing() -> Act {
    Act::Say(answer(200, "Content-Type: application/json\r\n", LISTING))
}

fn content(body: &str) -> Act {
    Act::Say(answer(200, "Content-Type: application/octet-stream\r\n", body))
}

pub fn options() -> Options {
    Options { rate_limit: RateLimit::Off, ..Options::default() }
}

pub fn client_with(url: &str, options: Options) -> Client {
    Client::new(&BaseUrl::parse(url).unwrap(), "me", &Token::new("s3cret").unwrap(), options).unwrap()
}

pub fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

pub fn kind<T: std::fmt::Debug>(outcome: Result<T, Error>) -> ErrorKind {
    outcome.unwrap_err().kind()
}

#[tokio::test]
async fn a_get_is_repeated_after_a_gateway_error_and_a_lost_connection() {
    let server = Script::start([say(503, ""), Act::Close, listing()]).await;
    let client = client_with(&server.url, options());
    let entries = client.list_dir(&path("/home/me")).await.unwrap();
    assert_eq!(
        entries.iter().map(|entry| (entry.name.as_str(), entry.is_dir)).collect::<Vec<_>>(),
        [("a", false), ("b", true)]
    );
    assert_eq!((server.heads().len(), client.requests_sent()), (3, 3));
    assert!(server.heads()[0].starts_with("GET /api/v0/user/me/files/path/home/me/ HTTP/1.1"), "{}", server.heads()[0]);
    assert!(server.heads()[0].contains("authorization: Token s3cret"), "{}", server.heads()[0]);
}

#[tokio::test]
async fn what_creates_is_never_repeated_and_a_file_upload_is() {
    let server = Script::start([Act::Close]).await;
    let client = client_with(&server.url, options());
    assert_eq!(kind(client.create_webapp("a.b", "python313").await), ErrorKind::Transport);
    assert_eq!(kind(client.reload_webapp("a.b").await), ErrorKind::Transport);
    assert_eq!(server.heads().len(), 2);

    let server = Script::start([Act::Close, say(502, ""), say(201, "")]).await;
    client_with(&server.url, options()).upload_file(&path("/home/me/x"), Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(server.heads().len(), 3);
}

#[tokio::test]
async fn a_delete_that_finds_nothing_is_success_only_as_a_repetition() {
    let server = Script::start([Act::Close, say(404, NOT_THERE)]).await;
    client_with(&server.url, options()).delete_path(&path("/home/me/x")).await.unwrap();

    let server = Script::start([say(404, NOT_THERE)]).await;
    let error = client_with(&server.url, options()).delete_path(&path("/home/me/x")).await.unwrap_err();
    assert_eq!((error.kind(), server.heads().len()), (ErrorKind::NotFound, 1));
    assert!(error.to_string().ends_with("404 File does not exist"), "{error}");
}

#[tokio::test]
async fn a_cname_error_is_a_reload_with_a_warning() {
    for body in [r#"{"error": "cname_error"}"#, r#"{"code": "cname_error", "message": "CNAME is missing"}"#] {
        let server = Script::start([say(409, body)]).await;
        let reloaded = client_with(&server.url, options()).reload_webapp("www.example.com").await.unwrap();
        assert!(matches!(reloaded, Reloaded::CnameWarning(_)), "{body}");
    }
    for body in ["", "<html>", r#"{"error": "other"}"#, "[]"] {
        let server = Script::start([say(409, body)]).await;
        assert_eq!(kind(client_with(&server.url, options()).reload_webapp("a.b").await), ErrorKind::Conflict, "{body}");
    }
}

#[tokio::test]
async fn retries_end_after_the_allowed_number() {
    let server = Script::start([say(503, "<html><h1>Down</h1></html>")]).await;
    let client = client_with(&server.url, Options { retries: 1, ..options() });
    let error = client.list_dir(&path("/home/me")).await.unwrap_err();
    assert_eq!((error.status(), server.heads().len()), (Some(503), 2));
    assert!(error.to_string().contains("Down"), "{error}");
}

#[tokio::test]
async fn a_429_is_obeyed_and_then_the_request_goes_through() {
    for throttle in [
        answer(429, "Retry-After: 1\r\n", ""),
        answer(429, "", r#"{"detail": "Request was throttled. Expected available in 1 second."}"#),
    ] {
        for rate_limit in [RateLimit::Off, RateLimit::PerMinute(40)] {
            let server = Script::start([Act::Say(throttle.clone()), listing()]).await;
            let client = client_with(&server.url, Options { rate_limit, ..options() });
            let start = std::time::Instant::now();
            client.list_dir(&path("/home/me")).await.unwrap();
            assert!(start.elapsed() >= Duration::from_secs(1), "it did not wait as it was told");
            assert_eq!(server.heads().len(), 2);
        }
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_max_wait_for_a_429() {
    for rate_limit in [RateLimit::Off, RateLimit::PerMinute(40)] {
        let server = Script::start([Act::Say(answer(429, "Retry-After: 30\r\n", "")), listing()]).await;
        let options = Options { rate_limit, max_wait: Some(Duration::from_secs(29)), ..options() };
        let error = client_with(&server.url, options).list_dir(&path("/home/me")).await.unwrap_err();
        assert!(matches!(error, Error::Budget { .. }), "{error}");
        assert_eq!(server.heads().len(), 1);
    }
}

#[tokio::test]
async fn too_many_consoles_is_no_throttle() {
    let server = Script::start([say(429, "<html><body>Console limit reached</body></html>")]).await;
    let client = client_with(&server.url, options());
    let error = client.send(Request::post("consoles/")).await.unwrap().error_for_status().unwrap_err();
    assert_eq!((error.kind(), server.heads().len()), (ErrorKind::RateLimited, 1));
    assert!(error.to_string().contains("Console limit reached"), "{error}");
}

#[tokio::test]
async fn truncated_and_garbage_answers_are_transport_errors() {
    let whole = answer(200, "Content-Type: application/json\r\n", LISTING);
    for act in [
        Act::SayAndClose(whole[..whole.len() - 5].to_owned()),
        Act::SayAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab".to_owned()),
        Act::SayAndClose("\u{1}\u{2}\u{3} this is no HTTP\r\n\r\n".to_owned()),
    ] {
        let server = Script::start([act]).await;
        let client = client_with(&server.url, Options { retries: 0, ..options() });
        assert_eq!(kind(client.list_dir(&path("/home/me")).await), ErrorKind::Transport);
    }
}

#[tokio::test]
async fn a_listing_that_is_none_is_never_an_empty_folder() {
    for (content_type, body) in [
        ("application/json", "[]"),
        ("application/json", "{\"a\": "),
        ("application/json", "{\"a\": 3}"),
        ("application/json", "{\"../a\": {\"type\": \"file\"}}"),
        ("application/json", ""),
        ("text/html", "<html>please log in</html>"),
        ("text/plain", "Bad gateway"),
    ] {
        let server = Script::start([Act::Say(answer(200, &format!("Content-Type: {content_type}\r\n"), body))]).await;
        let outcome = client_with(&server.url, options()).list_dir(&path("/home/me")).await;
        assert_eq!(kind(outcome), ErrorKind::Decode, "{content_type} {body}");
    }
    let server = Script::start([content(LISTING)]).await;
    assert_eq!(kind(client_with(&server.url, options()).list_dir(&path("/home/me")).await), ErrorKind::WrongType);
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_files_content() {
    let server =
        Script::start([Act::Say(answer(200, "Content-Type: text/html\r\n", "<html>please log in</html>"))]).await;
    assert_eq!(kind(client_with(&server.url, options()).read_file(&path("/home/me/x")).await), ErrorKind::Decode);
}

#[tokio::test]
async fn a_request_with_a_time_of_its_own_has_it_for_the_first_byte() {
    let server = Script::start([Act::Drip(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        Duration::from_millis(10),
    )])
    .await;
    let impatient = Options { retries: 0, read_timeout: Duration::from_millis(1), ..options() };
    let request = Request::get("cpu/").timeout(Duration::from_secs(20));
    assert!(client_with(&server.url, impatient).send(request).await.unwrap().status.is_success());
}

#[tokio::test]
async fn a_folder_is_never_read_as_a_file() {
    let server = Script::start([listing()]).await;
    assert_eq!(kind(client_with(&server.url, options()).read_file(&path("/home/me")).await), ErrorKind::WrongType);
    // A file of JSON comes as bytes, with a charset in its content type or without.
    let with_charset = "Content-Type: application/octet-stream; charset=utf-8\r\n";
    let server = Script::start([Act::Say(answer(200, with_charset, LISTING))]).await;
    let content = client_with(&server.url, options()).read_file(&path("/home/me/x.json")).await.unwrap();
    assert_eq!(content, LISTING);
}

#[tokio::test]
async fn silence_and_dripping_end_in_time_outs() {
    let server = Script::start([Act::Silence]).await;
    let quick = Options { retries: 0, read_timeout: Duration::from_millis(100), ..options() };
    let error = client_with(&server.url, quick).list_dir(&path("/home/me")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Read, .. }), "{error:?}");

    let server = Script::start([Act::Drip(answer(200, "", &"x".repeat(1000)), Duration::from_millis(20))]).await;
    let quick = Options { retries: 0, total_timeout: Duration::from_millis(200), ..options() };
    let error = client_with(&server.url, quick).read_file(&path("/home/me/x")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: TimeoutPhase::Total, .. }), "{error:?}");
}

#[tokio::test]
async fn a_slow_but_steady_upload_is_no_time_out() {
    let server = Script::start([Act::ReadSlowly(Duration::from_millis(5))]).await;
    let patient = Options { retries: 0, read_timeout: Duration::from_millis(500), ..options() };
    let content = Bytes::from(vec![7; 16 << 20]);
    client_with(&server.url, patient).upload_file(&path("/home/me/x"), content).await.unwrap();
}

/// What went out of a body, as it went.
#[derive(Default)]
struct Sent(std::sync::Mutex<Vec<u64>>);

impl Observer for Sent {
    fn bytes_sent(&self, _path: &str, count: u64) {
        self.0.lock().unwrap().push(count);
    }
}

#[tokio::test]
async fn a_large_body_of_any_kind_goes_out_in_pieces_of_a_known_total() {
    let length = 1 << 20;
    let plain = Request::post("x/").raw(vec![7; length]);
    let multipart = Request::post("files/path/x").file("content", "content", vec![7; length]);
    for request in [plain, multipart] {
        let server = Script::start([say(200, "")]).await;
        let sent = Arc::new(Sent::default());
        let client = client_with(&server.url, options()).with_observer(Arc::clone(&sent) as _);
        client.send(request).await.unwrap().error_for_status().unwrap();
        let pieces = sent.0.lock().unwrap().clone();
        assert_eq!((pieces.len(), pieces.iter().sum()), (16, length as u64));
        let head = server.heads()[0].to_ascii_lowercase();
        assert!(head.contains("content-length: ") && !head.contains("transfer-encoding"), "{head}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Script::start([listing()]).await;
    let server = Script::start([Act::Say(answer(302, &format!("Location: {}/x\r\n", elsewhere.url), ""))]).await;
    assert_eq!(kind(client_with(&server.url, options()).list_dir(&path("/home/me")).await), ErrorKind::OtherStatus);
    assert!(elsewhere.heads().is_empty(), "the token went to another host");
}

#[tokio::test]
async fn all_clients_of_the_process_share_one_budget() {
    let server = Script::start([listing()]).await;
    let limited =
        Options { rate_limit: RateLimit::PerMinute(5), max_wait: Some(Duration::from_millis(50)), ..options() };
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let client = client_with(&server.url, limited);
        tasks.spawn(async move { client.list_dir(&path("/home/me")).await.map(drop) });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    assert!(outcomes.into_iter().filter_map(Result::err).all(|error| matches!(error, Error::Budget { .. })));
    assert_eq!(server.heads().len(), 5);
}

#[tokio::test]
async fn no_error_shows_the_token() {
    let server = Script::start([say(401, r#"{"detail": "Invalid token."}"#)]).await;
    let client = client_with(&server.url, options());
    let error = client.list_dir(&path("/home/me")).await.unwrap_err();
    for text in [format!("{error:?}"), error.chain(), format!("{client:?}")] {
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn a_path_that_climbs_sends_nothing() {
    let server = Script::start([listing()]).await;
    let client = client_with(&server.url, options());
    for bad in ["files/path/home/me/../you/x", "files/path/%2e%2e/x"] {
        assert_eq!(kind(client.send(Request::get(bad)).await), ErrorKind::Config);
    }
    assert!(server.heads().is_empty());
}
