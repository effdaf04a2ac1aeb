//! Sharing, authentication and the answers to what the emulator does not know.

use std::fs;

use reqwest::Method;
use serde_json::json;

use crate::emulator_host::{Host, header, said, unlimited};

#[tokio::test]
async fn a_shared_file_is_served_to_everybody_until_it_is_not() {
    let host = Host::start(unlimited());
    host.upload("/home/demo/ü #.txt", "shared").await;
    let endpoint = "files/sharing/?path=/home/demo/%C3%BC%20%23.txt";
    assert_eq!(host.get(endpoint).await.status(), 404);
    let share = || host.request(Method::POST, "files/sharing/");
    let (status, first) = said(share().form(&[("path", "/home/demo/ü #.txt")]).send().await.unwrap()).await;
    assert_eq!(status, 201);
    let (status, again) = said(share().json(&json!({"path": "/home/demo/ü #.txt"})).send().await.unwrap()).await;
    assert_eq!((status, &again), (200, &first));
    assert_eq!(said(host.get(endpoint).await).await, (200, first.clone()));

    let address = format!("{}{}", host.emulator.url(), first["url"].as_str().unwrap());
    let open = || host.client().get(&address).send();
    assert_eq!(open().await.unwrap().text().await.unwrap(), "shared");
    fs::write(host.home("ü #.txt"), "newer").unwrap();
    assert_eq!(open().await.unwrap().text().await.unwrap(), "newer");
    assert_eq!(host.delete(endpoint).await.status(), 204);
    assert_eq!(open().await.unwrap().status(), 404);
    assert_eq!(host.get(endpoint).await.status(), 404);
}

#[tokio::test]
async fn only_files_can_be_shared() {
    let host = Host::start(unlimited());
    for (path, status) in [("/home/demo", 400), ("/home/demo/none", 404), ("/home/../etc", 400), ("", 400)] {
        let request = host.request(Method::POST, "files/sharing/").json(&json!({"path": path}));
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
    }
    assert_eq!(host.request(Method::POST, "files/sharing/").body("{").send().await.unwrap().status(), 400);
    assert_eq!(host.get("files/sharing/").await.status(), 400);
}

#[tokio::test]
async fn authentication_answers_in_the_frameworks_words() {
    let host = Host::start(unlimited());
    let url = host.url("files/path/home/demo/");
    let token = host.emulator.token().to_owned();
    assert!(token.len() == 40 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    for (authorization, detail) in [
        (None, "Authentication credentials were not provided."),
        (Some(format!("Bearer {token}")), "Authentication credentials were not provided."),
        (Some("Token".into()), "Invalid token header. No credentials provided."),
        (Some(format!("Token {token} x")), "Invalid token header. Token string should not contain spaces."),
        (Some("Token wrong".into()), "Invalid token."),
    ] {
        let mut request = host.client().get(&url);
        if let Some(authorization) = authorization {
            request = request.header("Authorization", authorization);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(header(&answer, "www-authenticate"), Some("Token"));
        assert_eq!(said(answer).await, (401, json!({"detail": detail})));
    }
    let other = url.replace("/user/demo/", "/user/other/");
    let request = host.client().get(other).header("Authorization", format!("token {token}"));
    let denied = json!({"detail": "You do not have permission to perform this action."});
    assert_eq!(said(request.send().await.unwrap()).await, (403, denied));
}

#[tokio::test]
async fn what_does_not_exist_is_told_from_what_a_method_cannot_do() {
    let host = Host::start(unlimited());
    let missing = (404, json!({"detail": "Not found."}));
    assert_eq!(said(host.get("nonsense/").await).await, missing);
    assert_eq!(said(host.get("nonsense").await).await, missing);
    for endpoint in ["files/path/home/demo/x", "files/tree/"] {
        let answer = host.request(Method::PUT, endpoint).send().await.unwrap();
        assert!(header(&answer, "allow").unwrap().contains("GET"));
        assert_eq!(said(answer).await, (405, json!({"detail": "Method \"PUT\" not allowed."})), "{endpoint}");
    }
    let answer = host.get("files/tree?path=/home/demo").await;
    assert_eq!(answer.status(), 301);
    assert_eq!(header(&answer, "location"), Some("/api/v0/user/demo/files/tree/?path=/home/demo"));
}
