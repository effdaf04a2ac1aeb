//! The emulator's websites: commands that listen on the socket they are given.

use std::sync::Arc;

use pythonanywhere_api::emulator::{AccountKind, Settings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::emulator_host::{Host, eventually, is_there, unlimited};

const DOMAIN: &str = "site.example.com";
const SITES: &str = "/api/v1/user/demo/websites/";
const SITE: &str = "/api/v1/user/demo/websites/site.example.com/";
const RELOAD: &str = "/api/v1/user/demo/websites/site.example.com/reload/";
const SSL: &str = "/api/v1/user/demo/domains/site.example.com/ssl/";

/// Serves on a socket: its process, the request and what `word.txt` said when it started.
const SERVER: &str = r#"
import os, socketserver, subprocess, sys, time
from http.server import BaseHTTPRequestHandler

word = open(os.path.expanduser("~/word.txt")).read()
child = subprocess.Popen(["sleep", "300"])

class Handler(BaseHTTPRequestHandler):
    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "?" in self.path:
            open(os.path.expanduser("~/asked"), "w").close()
            time.sleep(float(self.path.partition("?")[2]))
        text = f"{os.getpid()} {child.pid} {word} {self.command} {self.path} {self.headers['Host']} ".encode() + body
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        print("served", self.path, flush=True)

class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass

print("starting", file=sys.stderr)
Server(sys.argv[1], Handler).serve_forever()
"#;

/// An account whose website answers with `word`.
async fn with_website(account: AccountKind, word: &str) -> Host {
    let host = Host::start(Settings { account, ..unlimited() });
    std::fs::write(host.home("server.py"), SERVER).unwrap();
    std::fs::write(host.home("word.txt"), word).unwrap();
    let site = json!({
        "domain_name": DOMAIN, "enabled": true, "webapp": {"command": "python3 server.py ${DOMAIN_SOCKET}"},
    });
    let (status, made) = host.call(Method::POST, SITES, site).await;
    let shown = json!({
        "id": 1,
        "user": "demo",
        "domain_name": DOMAIN,
        "enabled": true,
        "webapp": {
            "id": 1,
            "command": "python3 server.py ${DOMAIN_SOCKET}",
            "domains": [{"domain_name": DOMAIN, "enabled": true}],
        },
        "logfiles": {
            "access": "/var/log/site.example.com.access.log",
            "error": "/var/log/site.example.com.error.log",
            "server": "/var/log/site.example.com.server.log",
        },
        "cname": "webapp-1.pythonanywhere.com",
    });
    assert_eq!((status, &made), (201, &shown));
    assert_eq!(host.call(Method::GET, SITES, Value::Null).await, (200, json!([shown])));
    assert_eq!(host.call(Method::GET, SITE, Value::Null).await, (200, shown));
    host
}

/// The two processes that a page tells of, and the rest of it.
fn split(page: &str) -> (Vec<i32>, String) {
    let mut words = page.splitn(3, ' ');
    let processes = words.by_ref().take(2).map(|word| word.parse().unwrap()).collect();
    (processes, words.next().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_serves_its_domain_and_writes_the_logs() {
    let host = with_website(AccountKind::Free, "one").await;
    let (status, page) = host.page(DOMAIN, "/a%20b?0").await;
    assert_eq!((status, split(&page).1), (200, format!("one GET /a%20b?0 {DOMAIN} ")));
    let posted = host.client().post(host.emulator.site_url()).header("Host", DOMAIN).body("sent").send().await.unwrap();
    assert!(posted.text().await.unwrap().ends_with(" sent"));
    eventually(async || host.log("site.example.com.server.log").contains("served /a%20b").then_some(())).await;
    assert!(host.log("site.example.com.error.log").contains("starting"));
    assert!(host.log("site.example.com.access.log").contains("/a%20b?0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_starts_the_command_anew_and_answers_those_who_wait() {
    let host = Arc::new(with_website(AccountKind::Paid, "one").await);
    let (old, _) = split(&host.page(DOMAIN, "/").await.1);
    let waiting = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.page(DOMAIN, "/?0.5").await }
    });
    eventually(async || host.home("asked").exists().then_some(())).await;
    std::fs::write(host.home("word.txt"), "two").unwrap();
    assert_eq!(host.call(Method::POST, RELOAD, Value::Null).await, (200, json!({"status": "OK"})));
    let bare = RELOAD.trim_end_matches('/');
    assert_eq!(host.call(Method::POST, bare, Value::Null).await, (200, json!({"status": "OK"})), "as in the examples");
    let (new, rest) = split(&host.page(DOMAIN, "/").await.1);
    assert!(rest.starts_with("two "), "{rest}");
    assert_ne!(new, old);
    let (status, page) = waiting.await.unwrap();
    assert_eq!((status, split(&page).0), (200, old.clone()));
    eventually(async || old.iter().all(|process| !is_there(*process)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_website_is_disabled_enabled_deleted_and_does_not_outlive_the_emulator() {
    let host = with_website(AccountKind::Paid, "one").await;
    let (first, _) = split(&host.page(DOMAIN, "/").await.1);
    let (status, shown) = host.call(Method::PATCH, SITE, json!({"enabled": false})).await;
    assert_eq!((status, &shown["enabled"]), (200, &json!(false)));
    eventually(async || first.iter().all(|process| !is_there(*process)).then_some(())).await;
    assert!(host.page(DOMAIN, "/").await.1.contains("disabled"));
    host.call(Method::PATCH, SITE, json!({"enabled": true})).await;
    let (second, _) = split(&host.page(DOMAIN, "/").await.1);
    assert_eq!(host.call(Method::DELETE, SITE, Value::Null).await.0, 204);
    eventually(async || second.iter().all(|process| !is_there(*process)).then_some(())).await;
    for (method, path) in [(Method::GET, SITE), (Method::PATCH, SITE), (Method::DELETE, SITE), (Method::POST, RELOAD)] {
        assert_eq!(host.call(method, path, json!({"enabled": true})).await.0, 404);
    }
    assert_eq!(host.page(DOMAIN, "/").await.0, 404);

    let host = with_website(AccountKind::Paid, "one").await;
    let (processes, _) = split(&host.page(DOMAIN, "/").await.1);
    assert!(processes.iter().all(|process| is_there(*process)), "{processes:?}");
    host.emulator.stop();
    assert!(processes.iter().all(|process| !is_there(*process)), "{processes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_is_told_in_the_log_and_on_the_page() {
    let host = Host::start(unlimited());
    let site = json!({"domain_name": DOMAIN, "webapp": {"command": "python3 missing.py"}});
    assert_eq!(host.call(Method::POST, SITES, site).await.0, 201);
    let (status, page) = host.page(DOMAIN, "/").await;
    assert_eq!(status, 502, "{page}");
    assert!(host.log("site.example.com.error.log").contains("missing.py"));
}

#[tokio::test]
async fn websites_are_refused_field_by_field() {
    let host = Host::start(unlimited());
    let required = json!(["This field is required."]);
    for (body, problems) in [
        (json!({}), json!({"domain_name": required, "webapp": {"command": required}})),
        (
            json!({"domain_name": "../x", "webapp": {"command": "true"}}),
            json!({"domain_name": ["Enter a valid domain name."]}),
        ),
    ] {
        assert_eq!(host.call(Method::POST, SITES, body).await, (400, problems));
    }
    let app = json!({"domain_name": DOMAIN, "python_version": "3.11"});
    assert_eq!(host.call(Method::POST, "webapps/", app).await.0, 200);
    let site = json!({"domain_name": DOMAIN, "webapp": {"command": "true"}});
    let taken = json!({"domain_name": ["domain with this domain name already exists."]});
    assert_eq!(host.call(Method::POST, SITES, site).await, (400, taken));
    let second = json!({"domain_name": "b.example.com", "webapp": {"command": "true"}});
    assert_eq!(host.call(Method::POST, SITES, second).await.0, 403, "a free account has one site");
}

#[tokio::test]
async fn a_domain_gets_a_certificate() {
    let host = Host::start(unlimited());
    assert_eq!(host.call(Method::GET, SSL, Value::Null).await.0, 404);
    assert_eq!(host.call(Method::POST, SSL, json!({"cert_type": "letsencrypt-auto-renew"})).await.0, 404);
    let site = json!({"domain_name": DOMAIN, "enabled": false, "webapp": {"command": "true"}});
    host.call(Method::POST, SITES, site).await;
    let asked = host.call(Method::POST, SSL, json!({"cert_type": "letsencrypt-auto-renew"})).await;
    assert_eq!(asked, (200, json!({"status": "OK"})));
    let (status, told) = host.call(Method::GET, SSL, Value::Null).await;
    assert_eq!((status, &told["subject_name"]), (200, &json!(DOMAIN)));
}
