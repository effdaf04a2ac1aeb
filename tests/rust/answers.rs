//! What counts as an answer of the service, how much of it is taken, and what is quoted of it.

use bytes::Bytes;
use pythonanywhere_api::client::Request;
use pythonanywhere_api::error::{Error, ErrorKind, Result};
use pythonanywhere_api::{BaseUrl, Client, Token};

use crate::engine::{client_with, kind, options, path};
use crate::script::{Act, Script, answer, say};

const PAGE: &str = "<!doctype html><title>Please log in</title><form></form>";
const NOT_THERE: &str = r#"{"detail": "Not found."}"#;
const TOKEN: &str = "0123456789abcdef-secret_token.0123456789=";

fn page(status: u16) -> Act {
    Act::Say(answer(status, "Content-Type: text/html; charset=utf-8\r\n", PAGE))
}

async fn upload(client: &Client) -> Result<()> {
    client.upload_file(&path("/home/me/x"), Bytes::from_static(b"x")).await.map(drop)
}

async fn client_of(act: Act) -> (Client, Script) {
    let server = Script::start([act]).await;
    (client_with(&server.url, options()), server)
}

#[tokio::test]
async fn a_page_of_html_is_no_success() {
    for status in [200, 201, 204] {
        // A 204 has no body, whatever is announced.
        let act = if status == 204 { say(202, PAGE) } else { page(status) };
        let (client, _server) = client_of(act).await;
        let outcomes = [
            upload(&client).await,
            client.delete_path(&path("/home/me/x")).await,
            client.reload_webapp("a.b").await.map(drop),
            client.create_webapp("a.b", "python313").await.map(drop),
            client.send_console_input(1, "x").await,
            client.list_dir(&path("/home/me")).await.map(drop),
            client.read_file(&path("/home/me/x")).await.map(drop),
            client.list_webapps().await.map(drop),
        ];
        for (number, outcome) in outcomes.into_iter().enumerate() {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.is_ambiguous()), (ErrorKind::Decode, true), "{number}: {error}");
            assert!(error.to_string().contains("Please log in"), "{error}");
        }
        assert_eq!(client.requests_sent(), 8, "an answer that came is not asked for again");
    }
}

#[tokio::test]
async fn only_the_documented_statuses_are_success() {
    for (status, uploads, deletes, reloads) in [
        (200, true, false, true),
        (201, true, false, false),
        (202, false, false, false),
        (203, false, false, false),
        (204, false, true, false),
        (206, false, false, false),
    ] {
        let (client, _server) = client_of(say(status, "")).await;
        assert_eq!(upload(&client).await.is_ok(), uploads, "upload: {status}");
        assert_eq!(client.delete_path(&path("/home/me/x")).await.is_ok(), deletes, "delete: {status}");
        assert_eq!(client.reload_webapp("a.b").await.is_ok(), reloads, "reload: {status}");
    }
    let (client, _server) =
        client_of(Act::Say(answer(206, "Content-Type: application/octet-stream\r\n", "half"))).await;
    assert_eq!(kind(client.read_file(&path("/home/me/x")).await), ErrorKind::Decode);
}

#[tokio::test]
async fn another_body_with_the_documented_status_is_success() {
    for (headers, body) in [
        ("Content-Type: text/html\r\n", ""),
        ("Content-Type: text/plain\r\n", "ok"),
        ("", "\u{1}\u{2}"),
        ("Content-Type: application/json\r\n", r#"{"new": 1}"#),
    ] {
        let (client, _server) = client_of(Act::Say(answer(200, headers, body))).await;
        upload(&client).await.unwrap();
        client.reload_webapp("a.b").await.unwrap();
    }
}

#[tokio::test]
async fn a_404_that_is_not_the_services_does_not_say_not_there() {
    for body in [PAGE, "", "404 page not found", "[]", "{}", r#"{"message": "Not Found"}"#, r#"{"status": 404}"#] {
        let (client, _server) = client_of(say(404, body)).await;
        let outcomes = [
            client.list_dir(&path("/home/me")).await.map(drop),
            client.read_file(&path("/home/me/x")).await.map(drop),
            client.delete_path(&path("/home/me/x")).await,
            client.webapp("a.b").await.map(drop),
        ];
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.status()), (ErrorKind::OtherStatus, Some(404)), "{body}");
            assert!(error.to_string().contains("proxy"), "{error}");
        }
        // Nor does it say that a delete whose answer was lost did its work.
        let server = Script::start([Act::Close, say(404, body)]).await;
        let error = client_with(&server.url, options()).delete_path(&path("/home/me/x")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OtherStatus, "{body}");
    }
    for body in [
        NOT_THERE,
        r#"{"message": "File does not exist", "code": "not_found"}"#,
        r#"{"error": "no such thing"}"#,
        r#"{"error_type": "missing", "error_message": "no such thing"}"#,
    ] {
        let (client, _server) = client_of(say(404, body)).await;
        assert_eq!(kind(client.read_file(&path("/home/me/x")).await), ErrorKind::NotFound, "{body}");
    }
}

#[tokio::test]
async fn an_error_with_status_200_does_not_read_like_a_success() {
    let body = r#"{"status": "ERROR", "error_type": "limit", "error_message": "You already have a web app"}"#;
    let (client, _server) = client_of(say(200, body)).await;
    let error = client.create_webapp("a.b", "python313").await.unwrap_err();
    assert_eq!(error.to_string(), "POST /api/v0/user/me/webapps/: refused: You already have a web app");
    let error = client.send_console_input(1, "x").await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_403_says_whose_token_it_may_be() {
    let (client, _server) = client_of(say(403, r#"{"detail": "Forbidden."}"#)).await;
    let error = client.list_webapps().await.unwrap_err().to_string();
    assert!(error.contains("403 Forbidden. (the API token may belong to another account than \"me\""), "{error}");
}

/// All that an error shows.
fn shown(error: &Error) -> String {
    format!("{error} {error:?} {}", error.chain())
}

#[tokio::test]
async fn what_the_server_repeats_of_the_token_is_masked() {
    let percent = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let json = TOKEN.bytes().map(|byte| format!("\\u{byte:04x}")).collect::<Vec<_>>().concat();
    for said in [TOKEN, &TOKEN.replace('=', "%3d"), &percent, &json] {
        // The second one begins where quotes end, so that it would be cut in two.
        let text = format!("Token {said} {} {said}", "x".repeat(130));
        let server = Script::start([
            say(403, &format!("<pre>Authorization: {text}</pre>")),
            say(400, &format!(r#"{{"detail": "{text}", "code": "{said}"}}"#)),
            say(400, &format!(r#"{{"command": ["{text}"]}}"#)),
            Act::Say(answer(200, "Content-Type: text/html\r\n", &text)),
            say(200, &text),
            say(500, &format!("{}{text}", " ".repeat((64 << 10) - 80))),
        ])
        .await;
        let options = pythonanywhere_api::client::Options { retries: 0, ..options() };
        let client =
            Client::new(&BaseUrl::parse(&server.url).unwrap(), "me", &Token::new(TOKEN).unwrap(), options).unwrap();
        for number in 0..6 {
            let error = shown(&client.list_dir(&path("/home/me")).await.unwrap_err());
            assert!(error.contains("***"), "{number}: {error}");
            for part in [said, &said[..said.len() / 2], &TOKEN[..8], &TOKEN[16..24]] {
                assert!(!error.contains(part), "{number}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn a_password_is_masked_and_a_short_one_forbids_quotes() {
    for (password, words) in [("correct horse", "because of *** there"), ("horse", "may repeat the password")] {
        let (client, _server) = client_of(say(400, &format!("because of {password} there"))).await;
        let fields = [("password_protection_password", password)];
        let error = shown(&client.update_webapp("a.b", &fields).await.unwrap_err());
        assert!(error.contains(words) && !error.contains(password), "{error}");
        let basic = Request::get("x/").header("Authorization", &format!("Basic {}", base64_of(password))).unwrap();
        let error = shown(&client.send(basic).await.unwrap().error_for_status().unwrap_err());
        assert!(error.contains(words) && !error.contains(password), "{error}");
    }
}

fn base64_of(password: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(format!("me:{password}"))
}

#[tokio::test]
async fn contents_that_were_asked_for_stay_untouched() {
    let content = format!("API_TOKEN={TOKEN}");
    let (client, _server) =
        client_of(Act::Say(answer(200, "Content-Type: application/octet-stream\r\n", &content))).await;
    let token = Token::new(TOKEN).unwrap();
    let client = Client::new(client.host(), "me", &token, options()).unwrap();
    assert_eq!(client.read_file(&path("/home/me/.env")).await.unwrap(), content);
}

#[tokio::test]
async fn an_error_page_of_any_length_is_cut() {
    let page = format!("<h1>Sorry</h1>{}", "<p>".repeat(1 << 20));
    let (client, _server) = client_of(say(403, &page)).await;
    let response = client.send(Request::get("cpu/")).await.unwrap();
    assert_eq!(response.body.len(), 64 << 10);
    assert!(response.to_error().to_string().contains("Sorry"));
}
