//! Every method and path of the service is served: the emulator's table against the list of all endpoints.

use std::collections::{BTreeMap, BTreeSet};

use pythonanywhere_api::emulator::{AccountKind, Settings, Undocumented};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::emulator_host::{Host, header, unlimited};

const DOMAIN: &str = "demo.pythonanywhere.com";
const WEBSITE: &str = "site.example.com";

/// All pairs of a method and a path.
fn pairs() -> Vec<(Method, String)> {
    let list: Value = serde_json::from_str(include_str!("../data/endpoints.json")).unwrap();
    let pairs = list["endpoints"].as_array().unwrap().iter().map(|endpoint| {
        let method = endpoint["http"].as_str().unwrap().parse().unwrap();
        (method, endpoint["path"].as_str().unwrap().to_owned())
    });
    pairs.collect()
}

/// A path with what the account has in the place of each name in braces.
fn filled(path: &str) -> String {
    let domain = if path.starts_with("/api/v1/") { WEBSITE } else { DOMAIN };
    path.replace("{username}", "demo")
        .replace("{domain_name}", domain)
        .replace("{id}", "1")
        .replace("{student}", "ada")
        .replace("files/path{path}", "files/path/home/demo/file.txt")
        .replace("files/tree/?path={path}", "files/tree/?path=/home/demo")
        .replace("{path}", "/home/demo/file.txt")
}

/// What a request needs to get past the check of its fields.
fn body(path: &str) -> Value {
    match path.split("{username}/").nth(1).unwrap() {
        "files/sharing/" => json!({"path": "/home/demo/file.txt"}),
        "webapps/" => json!({"domain_name": "b.example.com", "python_version": "3.11"}),
        "consoles/" => json!({"executable": "bash"}),
        "consoles/{id}/send_input/" => json!({"input": "\n"}),
        "schedule/" | "schedule/{id}/" => json!({"command": "true", "interval": "hourly", "minute": 1}),
        "system_image/" => json!({"system_image": "innit"}),
        "websites/" => json!({"domain_name": "c.example.com", "webapp": {"command": "true"}, "enabled": false}),
        "websites/{domain_name}/" => json!({"enabled": true}),
        rest if rest.ends_with("ssl/") => json!({"cert_type": "letsencrypt-auto-renew"}),
        rest if rest.contains("static_files/") => json!({"url": "/static/", "path": "/home/demo"}),
        rest if rest.contains("static_headers/") => json!({"url": "/static/", "name": "X-A", "value": "1"}),
        rest if rest.starts_with("default_") => json!({rest.trim_end_matches('/'): "3.11"}),
        _ => json!({"command": "true"}),
    }
}

/// A paid account that has one of everything.
async fn furnished() -> Host {
    let host = Host::start(Settings { account: AccountKind::Paid, students: vec!["ada".into()], ..unlimited() });
    std::fs::write(host.home("file.txt"), "text").unwrap();
    let app = json!({"domain_name": DOMAIN, "python_version": "3.11"});
    host.call(Method::POST, "webapps/", app).await;
    let site = json!({"domain_name": WEBSITE, "webapp": {"command": "true"}, "enabled": false});
    host.call(Method::POST, "/api/v1/user/demo/websites/", site).await;
    for path in [
        "files/sharing/",
        "consoles/",
        "always_on/",
        "schedule/",
        "webapps/{domain_name}/ssl/",
        "webapps/{domain_name}/static_files/",
        "webapps/{domain_name}/static_headers/",
    ] {
        let path = format!("/api/v0/user/{{username}}/{path}");
        let (status, answer) = host.call(Method::POST, &filled(&path), body(&path)).await;
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
    }
    let page = format!("{}/user/demo/consoles/1/", host.emulator.url());
    assert_eq!(host.client().get(page).send().await.unwrap().status(), 200);
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_of_the_service_is_served_to_a_paid_account() {
    let host = furnished().await;
    let mut pairs = pairs();
    assert!(pairs.len() >= 70);
    // What is deleted is missing afterwards, and what a request makes is there for the next.
    pairs.sort_by_key(|(method, path)| (*method == Method::DELETE, *method != Method::POST, path.len()));
    let mut deleted = BTreeSet::new();
    for (method, path) in pairs {
        if method == Method::DELETE {
            // The longer a path, the sooner; what contained it may be deleted then.
            deleted.insert((std::cmp::Reverse(path.len()), path));
            continue;
        }
        let request = host.request(method.clone(), &filled(&path));
        let request = if path.ends_with("path{path}") && method == Method::POST {
            request.multipart(Form::new().part("content", Part::bytes(b"text".to_vec()).file_name("x")))
        } else {
            request.json(&body(&path))
        };
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{method} {path}: {} {:?}", answer.status(), answer.text().await);
    }
    for (_, path) in deleted {
        let answer = host.request(Method::DELETE, &filled(&path)).send().await.unwrap();
        assert_eq!(answer.status(), if path.ends_with("ssl/") { 200 } else { 204 }, "DELETE {path}");
    }
}

#[tokio::test]
async fn no_path_takes_a_method_that_the_service_has_not() {
    let host = Host::start(Settings { account: AccountKind::Paid, ..unlimited() });
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (method, path) in pairs() {
        let path = filled(&path).split('?').next().unwrap().to_owned();
        methods.entry(path).or_default().insert(method.to_string());
    }
    for (path, methods) in methods {
        let answer = host.request(Method::OPTIONS, &path).send().await.unwrap();
        let allowed = header(&answer, "allow").unwrap().split(", ").map(str::to_owned).collect();
        assert_eq!((answer.status().as_u16(), methods), (405, allowed), "{path}");
    }
}

#[tokio::test]
async fn slashes_that_follow_each_other_count_as_one_unless_told_otherwise() {
    for (merge_slashes, status) in [(true, "200"), (false, "404")] {
        let undocumented = Undocumented { merge_slashes, ..Undocumented::default() };
        let host = Host::start(Settings { undocumented, ..unlimited() });
        for target in ["/api/v0/user/demo/consoles//", "//api/v0/user/demo/files///tree/?path=//home//demo"] {
            let answer = host.raw_request("GET", target);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{target}: {answer}");
        }
        let logged = &host.emulator.requests()[0];
        assert_eq!(logged.raw_path, "/api/v0/user/demo/consoles//");
        assert_eq!(logged.endpoint, merge_slashes.then_some("consoles/"));
    }
}
