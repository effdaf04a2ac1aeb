//! Whatever arrives is read without a panic and ends in a value or in an error with a kind: answers of the service,
//! and our own files in the account, which anyone with access to it can write.
//!
//! Plain functions that proptest calls, so that they run with every test; `PROPTEST_CASES` sets how often.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use pythonanywhere_api::api::calls::CALLS;
use pythonanywhere_api::client::{Options, RateLimit, Request, Response};
use pythonanywhere_api::deploy::intent::Intent;
use pythonanywhere_api::deploy::{FileState, Files, Manifest};
use pythonanywhere_api::error::{Error, ErrorKind};
use pythonanywhere_api::host::Receipt;
use pythonanywhere_api::parameters::Kind;
use pythonanywhere_api::{BaseUrl, Client, RemotePath, Token};
use serde_json::{Value, json};

use crate::script::{Act, Script, answer};

/// What a message may hold of what the service said: a quotation, not a copy.
const MAX_MESSAGE: usize = 4000;

/// JSON of any shape, with the names that the service uses more often than chance would.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        prop::sample::select(vec!["detail", "message", "code", "error", "error_type", "error_message", "type", "url"])
            .prop_map(str::to_owned),
        ".{0,12}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,300}".prop_map(Value::from),
        prop::sample::select(vec!["file", "directory", "no such file", "cname_error"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// `text` with some of its bytes changed, repeated or lost; deep nesting and bare noise as well.
fn damaged(text: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = text.len();
    let whole = text.clone();
    let cut = (0..length).prop_map(move |end| whole[..end].to_vec());
    let changes = prop::collection::vec((0..length, 0..8usize, prop::collection::vec(any::<u8>(), 0..8)), 1..4);
    let spliced = changes.prop_map(move |changes| {
        let mut text = text.clone();
        for (at, lost, instead) in changes {
            let at = at.min(text.len());
            let end = (at + lost).min(text.len());
            text.splice(at..end, instead);
        }
        text
    });
    let nested = (1..20_000usize).prop_map(|depth| "[".repeat(depth).into_bytes());
    prop_oneof![4 => spliced, 2 => cut, 1 => prop::collection::vec(any::<u8>(), 0..200), 1 => nested]
}

/// A document of ours with one of its values replaced by any other.
fn twisted(document: &Value) -> impl Strategy<Value = Vec<u8>> + use<> {
    let fields: Vec<String> = document.as_object().unwrap().keys().cloned().collect();
    let document = document.clone();
    (prop::sample::select(fields), any_json()).prop_map(move |(field, value)| {
        let mut document = document.clone();
        document[field] = value;
        serde_json::to_vec(&document).unwrap()
    })
}

fn any_form_of(document: &Value) -> impl Strategy<Value = Vec<u8>> + use<> {
    prop_oneof![damaged(serde_json::to_vec(document).unwrap()), twisted(document)]
}

fn place() -> RemotePath {
    RemotePath::parse("/home/me/.pya/0/some.json").unwrap()
}

fn root() -> RemotePath {
    RemotePath::parse("/home/me/site").unwrap()
}

fn manifest() -> Value {
    let state = FileState { sha256: Some("0".repeat(64)), size: Some(3), mode: Some(0o644), origin: None };
    let files: Files = [("manage.py".to_owned(), state)].into();
    serde_json::from_slice(&Manifest::new(7, "0123", &root(), files).to_text()).unwrap()
}

fn intent() -> Value {
    let mut intent = Intent::new(Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)));
    intent.pending.insert("manage.py".to_owned());
    intent.deletes.insert("old.py".to_owned());
    serde_json::from_slice(&intent.to_text()).unwrap()
}

fn receipt() -> Value {
    json!({
        "format": 1, "id": "0123", "operation": "apply", "state": "done", "exit_status": 0, "steps": 2,
        "output": "text", "truncated": false, "error": {"kind": "space", "message": "no space"},
        "result": {"written": 1, "deleted": ["a"], "not_deleted": {"b": "why"}, "kept_for_rollback": true},
    })
}

fn run<F: Future>(work: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn client(server: &Script, options: Options) -> Client {
    Client::new(&BaseUrl::parse(&server.url).unwrap(), "me", &Token::new("s3cret").unwrap(), options).unwrap()
}

fn once() -> Options {
    Options { rate_limit: RateLimit::Off, retries: 0, max_wait: Some(Duration::ZERO), ..Options::default() }
}

/// The response to one request, over a real connection.
async fn response(status: u16, headers: &str, body: &str) -> Result<Response, Error> {
    let server = Script::start([Act::Say(answer(status, headers, body))]).await;
    client(&server, once()).send(Request::get("cpu/")).await
}

fn assert_readable(error: &Error) {
    let message = error.to_string();
    assert!(!message.trim().is_empty());
    assert!(message.len() <= MAX_MESSAGE, "a message of {} bytes", message.len());
}

fn media_type() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["application/json", "text/html", "text/plain", "text/json", "", ";;;"])
}

proptest! {
    #[test]
    fn an_error_body_of_any_form_keeps_the_status(
        status in 400u16..600,
        media_type in media_type(),
        body in prop_oneof![any_json().prop_map(|json| json.to_string().into_bytes()),
                            damaged(b"<html><head><title>502</title></head><body>Bad gateway</body></html>".to_vec())],
    ) {
        prop_assume!(status != 429);
        let body = String::from_utf8_lossy(&body);
        let response = run(response(status, &format!("Content-Type: {media_type}\r\n"), &body)).unwrap();
        let error = response.to_error();
        assert_eq!(error.status(), Some(status));
        assert_readable(&error);
        assert_readable(&response.unexpected("anything"));
    }

    #[test]
    fn a_retry_after_of_any_form_is_a_time_or_nothing(
        header in prop_oneof![
            "[0-9]{0,30}".prop_map(String::into_bytes),
            "[-+]?[0-9]{1,5}\\.[0-9]{0,5}".prop_map(String::into_bytes),
            damaged(b"Sat, 28 Nov 2026 12:00:30 GMT".to_vec()),
            "[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT".prop_map(String::into_bytes),
        ],
        number in "[0-9]{0,30}",
        throttled in any::<bool>(),
    ) {
        // Only what can stand in a header's line.
        let header: String = String::from_utf8_lossy(&header).chars().filter(|letter| !letter.is_control()).collect();
        let headers = format!("Retry-After: {header}\r\nDate: Sat, 28 Nov 2026 12:00:00 GMT\r\n");
        let body = format!(r#"{{"detail": "Request was throttled. Expected available in {number} seconds."}}"#);
        let wait = match run(response(if throttled { 429 } else { 503 }, &headers, &body)) {
            Ok(response) => response.retry_after(),
            Err(Error::Budget { wait, .. }) => Some(wait),
            Err(error) => panic!("{error:?}"),
        };
        // To wait for it may be refused, but adding it to the present must not overflow.
        assert!(wait.is_none_or(|wait| SystemTime::now().checked_add(wait).is_some()), "{wait:?}");
    }

    #[test]
    fn a_manifest_of_any_form_is_read_or_refused(content in any_form_of(&manifest())) {
        match Manifest::parse(&content, &place(), &root()) {
            Ok(manifest) => {
                let again = Manifest::parse(&manifest.to_text(), &place(), &root()).unwrap();
                assert_eq!(again, manifest);
                for path in manifest.files.keys() {
                    assert!(!path.starts_with('/') && !path.split('/').any(|segment| segment == ".."), "{path:?}");
                }
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Decode | ErrorKind::Config), "{error:?}");
                assert_readable(&error);
            }
        }
    }

    #[test]
    fn an_intent_of_any_form_is_read_or_refused(content in any_form_of(&intent()), now in any::<Option<u32>>()) {
        match Intent::parse(&content, &place()) {
            Ok(intent) => {
                let now = now.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()));
                let _ = intent.standing(now);
                assert!(!intent.describe().is_empty());
                assert_eq!(Intent::parse(&intent.to_text(), &place()).unwrap(), intent);
            }
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::Decode | ErrorKind::Config), "{error:?}");
                assert_readable(&error);
            }
        }
    }

    #[test]
    fn a_receipt_of_any_form_is_read_or_refused(content in any_form_of(&receipt())) {
        if let Ok(receipt) = serde_json::from_slice::<Receipt>(&content) {
            assert!(receipt.is_over() || !receipt.is_ok());
            let _ = (receipt.is_busy(), receipt.applied(), receipt.reason(), receipt.to_error().kind());
        }
    }
}

/// An argument that every call accepts for this parameter.
fn argument(name: &str, kind: Kind) -> Value {
    match (name, kind) {
        ("path", _) => json!("/home/me/a"),
        (_, Kind::Integer | Kind::Number) => json!(1),
        (_, Kind::Flag) => json!(true),
        (_, Kind::Fields) => json!({}),
        (_, Kind::List | Kind::Rest) => json!([]),
        _ => json!("x"),
    }
}

/// Makes every call, each of which gets the same answer, and returns how many requests were sent.
async fn call_all(body: &str, status: u16, media_type: &str) -> usize {
    let head = format!("Content-Type: {media_type}\r\n");
    let server = Script::start([Act::Say(answer(status, &head, body))]).await;
    let client = client(&server, once());
    for call in CALLS {
        let arguments: Vec<_> = call.parameters.iter().map(|each| Some(argument(each.name, each.kind))).collect();
        if let Err(error) = client.call(call, &arguments).await {
            assert_readable(&error);
            assert_ne!(error.kind(), ErrorKind::Transport, "{}: {error}", call.name);
        }
    }
    let _ = client.list_dir(&RemotePath::parse("/home/me").unwrap()).await.map_err(|error| assert_readable(&error));
    server.heads().len()
}

#[test]
fn an_error_body_of_many_megabytes_is_quoted_and_not_copied() {
    for letter in ["a", "<", "\"", "\\", "\u{1F600}"] {
        let text = letter.repeat(1 << 20);
        for body in [json!({"detail": text, "code": text}).to_string(), json!({"error": [text]}).to_string(), text] {
            assert_readable(&run(response(500, "Content-Type: application/json\r\n", &body)).unwrap().to_error());
        }
    }
}

proptest! {
    // Each case makes some seventy requests.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 16, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_of_any_form_is_a_value_or_an_error(
        body in any_json(),
        status in prop::sample::select(vec![200u16, 201, 204, 400, 404, 409, 412, 500]),
        media_type in media_type(),
    ) {
        let body = if status == 204 { String::new() } else { body.to_string() };
        let sent = run(call_all(&body, status, media_type));
        assert!(sent > 60, "only {sent} requests were sent");
    }
}
