//! What the emulator's web server does in front of a web app: static files, headers, passwords; and certificates.

use std::time::Duration;

use pythonanywhere_api::clock;
use pythonanywhere_api::emulator::{AccountKind, Settings, Undocumented};
use reqwest::Method;
use serde_json::{Value, json};

use crate::emulator_host::{Host, header, said, unlimited};
use crate::own_process::has_passed_in_its_own_process;

const DOMAIN: &str = "demo.pythonanywhere.com";

async fn with_webapp() -> Host {
    let host = Host::start(unlimited());
    let app = json!({"domain_name": DOMAIN, "python_version": "python311"});
    assert_eq!(host.call(Method::POST, "webapps/", app).await.0, 200);
    host
}

fn of_webapp(endpoint: &str) -> String {
    format!("webapps/{DOMAIN}/{endpoint}")
}

async fn reload(host: &Host) {
    assert_eq!(host.call(Method::POST, &of_webapp("reload/"), Value::Null).await.0, 200);
}

fn write(host: &Host, path: &str, text: &str) {
    std::fs::create_dir_all(host.home(path).parent().unwrap()).unwrap();
    std::fs::write(host.home(path), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn static_files_are_served_after_the_reload() {
    let host = with_webapp().await;
    write(&host, "assets/css/base.css", "body {}");
    write(&host, "assets/data.bin.unheardof", "?");
    write(&host, "secret.txt", "secret");
    let mapping = [("url", "/static/"), ("path", "/home/demo/assets")];
    let made = host.request(Method::POST, &of_webapp("static_files/")).form(&mapping).send().await.unwrap();
    let shown = json!({"id": 1, "url": "/static/", "path": "/home/demo/assets"});
    assert_eq!(said(made).await, (201, shown));
    assert_eq!(host.page(DOMAIN, "/static/css/base.css").await.0, 404, "the web app has no such page");

    reload(&host).await;
    let site = format!("{}/static/css/base.css", host.emulator.site_url());
    let answer = host.client().get(&site).send().await.unwrap();
    assert_eq!(header(&answer, "content-type"), Some("text/css; charset=utf-8"));
    let modified = header(&answer, "last-modified").unwrap().to_owned();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "body {}".to_owned()));
    let again = host.client().get(&site).header("If-Modified-Since", modified).send().await.unwrap();
    assert_eq!(again.status(), 304);
    let unknown = host.client().get(format!("{}/static/data.bin.unheardof", host.emulator.site_url()));
    assert_eq!(header(&unknown.send().await.unwrap(), "content-type"), None);
    assert!(host.page(DOMAIN, "/").await.1.contains("Hello, World!"), "the rest is the web app's");
    for path in
        ["/static/", "/static/css", "/static/missing.css", "/static/%2e%2e/secret.txt", "/static/..%2fsecret.txt"]
    {
        assert_eq!(host.page(DOMAIN, path).await, (404, "Page not found.".to_owned()), "{path}");
    }
    assert_eq!(host.client().post(&site).send().await.unwrap().status(), 404, "files are only read");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_no_site_of_the_account_gets_none() {
    let host = with_webapp().await;
    for name in ["127.0.0.1", "localhost", "[::1]:80", DOMAIN] {
        assert_eq!(host.page(name, "/").await.0, 200, "{name}");
    }
    assert_eq!(host.page("rebound.example.com", "/").await.0, 404, "any name can be made to lead to this machine");
}

#[tokio::test(flavor = "multi_thread")]
async fn mappings_are_tried_in_their_order_and_changed_by_their_ids() {
    let host = with_webapp().await;
    write(&host, "one/a.txt", "a of one");
    write(&host, "two/a.txt", "a of two");
    write(&host, "two/b.txt", "b of two");
    let files = of_webapp("static_files/");
    for folder in ["one", "two"] {
        let mapping = json!({"url": "/s", "path": format!("/home/demo/{folder}/")});
        assert_eq!(host.call(Method::POST, &files, mapping).await.0, 201);
    }
    reload(&host).await;
    assert_eq!(host.page(DOMAIN, "/s/a.txt").await.1, "a of one");
    assert_eq!(host.page(DOMAIN, "/s/b.txt").await.1, "b of two");

    let one = of_webapp("static_files/1/");
    let changed = json!({"id": 1, "url": "/only", "path": "/home/demo/one/"});
    assert_eq!(host.call(Method::PATCH, &one, json!({"url": "/only"})).await, (200, changed.clone()));
    assert_eq!(host.call(Method::GET, &one, Value::Null).await, (200, changed));
    let whole = json!({"url": "/file", "path": "/home/demo/one/a.txt"});
    assert_eq!(host.call(Method::PUT, &one, whole).await.0, 200);
    let missing = host.call(Method::PUT, &one, json!({"url": "/file"})).await;
    assert_eq!(missing, (400, json!({"path": ["This field is required."]})));
    assert_eq!(host.call(Method::DELETE, &of_webapp("static_files/2/"), Value::Null).await.0, 204);
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let gone = host.call(method, &of_webapp("static_files/2/"), json!({"url": "/x", "path": "/y"})).await;
        assert_eq!(gone, (404, json!({"detail": "Not found."})));
    }
    reload(&host).await;
    assert_eq!(host.page(DOMAIN, "/file").await.1, "a of one");
    assert_eq!(host.page(DOMAIN, "/file/anything/below").await.1, "a of one", "a file answers for all below");
    assert_eq!(host.page(DOMAIN, "/s/b.txt").await.0, 404);
    let (_, list) = host.call(Method::GET, &files, Value::Null).await;
    assert_eq!(list, json!([{"id": 1, "url": "/file", "path": "/home/demo/one/a.txt"}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_added_to_static_files() {
    let host = with_webapp().await;
    write(&host, "assets/a.txt", "a");
    let mapping = json!({"url": "/static/", "path": "/home/demo/assets"});
    host.call(Method::POST, &of_webapp("static_files/"), mapping).await;
    let headers = of_webapp("static_headers/");
    let added = json!({"url": "/static/", "name": "Cache-Control", "value": "max-age=60"});
    let shown = json!({"id": 1, "url": "/static/", "name": "Cache-Control", "value": "max-age=60"});
    assert_eq!(host.call(Method::POST, &headers, added).await, (201, shown));
    let bad = json!({"url": "/", "name": "not a name", "value": "line\nbreak"});
    let problem = json!(["Enter a valid value."]);
    assert_eq!(host.call(Method::POST, &headers, bad).await, (400, json!({"name": problem, "value": problem})));
    let elsewhere = json!({"url": "/other/", "name": "X-Other", "value": "1"});
    assert_eq!(host.call(Method::POST, &headers, elsewhere).await.1["id"], json!(2));
    reload(&host).await;
    let address = format!("{}/static/a.txt", host.emulator.site_url());
    let answer = host.client().get(&address).send().await.unwrap();
    assert_eq!((header(&answer, "cache-control"), header(&answer, "x-other")), (Some("max-age=60"), None));

    host.call(Method::PATCH, &of_webapp("static_headers/1/"), json!({"value": "no-store"})).await;
    let answer = host.client().get(&address).send().await.unwrap();
    assert_eq!(header(&answer, "cache-control"), Some("max-age=60"), "a change waits for the reload");
    reload(&host).await;
    let answer = host.client().get(&address).send().await.unwrap();
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert_eq!(host.delete(&of_webapp("static_headers/1/")).await.status(), 204);
    assert_eq!(host.call(Method::GET, &headers, Value::Null).await.1.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_after_the_reload() {
    let host = with_webapp().await;
    let protection = json!({
        "password_protection_enabled": true,
        "password_protection_username": "ada",
        "password_protection_password": "pass:word",
        "force_https": true,
    });
    let (status, shown) = host.call(Method::PATCH, &of_webapp(""), protection).await;
    assert_eq!(
        (status, &shown["password_protection_enabled"], &shown["force_https"]),
        (200, &json!(true), &json!(true))
    );
    assert!(shown.get("static_files").is_none(), "{shown}");
    assert_eq!(host.page(DOMAIN, "/").await.0, 200);
    reload(&host).await;
    let site = host.emulator.site_url();
    let answer = host.client().get(site).send().await.unwrap();
    assert!(header(&answer, "www-authenticate").unwrap().starts_with("Basic realm="));
    assert_eq!(answer.status(), 401);
    for (user, password, status) in [("ada", "wrong", 401), ("bob", "pass:word", 401), ("ada", "pass:word", 200)] {
        let answer = host.client().get(site).basic_auth(user, Some(password)).send().await.unwrap();
        assert_eq!(answer.status(), status, "{user}:{password}");
    }
}

#[tokio::test]
async fn certificates_are_checked_kept_told_and_deleted() {
    for compact_not_after in [true, false] {
        let undocumented = Undocumented { compact_not_after, ..Undocumented::default() };
        let host = Host::start(Settings { undocumented, ..unlimited() });
        let app = json!({"domain_name": "www.example.com", "python_version": "3.11"});
        host.call(Method::POST, "webapps/", app).await;
        let ssl = "webapps/www.example.com/ssl/";
        assert_eq!(host.call(Method::GET, ssl, Value::Null).await.0, 404);
        let mut params = rcgen::CertificateParams::new(vec!["www.example.com".into(), "example.com".into()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "www.example.com");
        params.not_after = rcgen::date_time_ymd(2038, 8, 24);
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap().pem();
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        for (body, field) in [
            (json!({"cert": cert}), "private_key"),
            (json!({"cert": "nonsense", "private_key": key.serialize_pem()}), "cert"),
            (json!({"cert": cert, "private_key": "nonsense"}), "private_key"),
            (json!({"cert": cert, "private_key": other}), "private_key"),
            (json!({"cert_type": "wildcard"}), "cert_type"),
        ] {
            let (status, problems) = host.call(Method::POST, ssl, body).await;
            assert_eq!((status, problems.as_object().unwrap().len()), (400, 1), "{problems}");
            assert!(problems.get(field).is_some(), "{problems}");
        }
        let both = json!({"cert": cert, "private_key": key.serialize_pem()});
        assert_eq!(host.call(Method::POST, ssl, both).await, (200, json!({"status": "OK"})));
        let told = json!({
            "not_after": if compact_not_after { "20380824T000000Z" } else { "2038-08-24T00:00:00+00:00" },
            "issuer_name": "www.example.com",
            "subject_name": "www.example.com",
            "subject_alternate_names": ["www.example.com", "example.com"],
        });
        assert_eq!(host.call(Method::GET, ssl, Value::Null).await, (200, told));
        assert_eq!(host.delete(ssl).await.status(), 200);
        assert_eq!(host.delete(ssl).await.status(), 404);
        assert_eq!(host.call(Method::GET, ssl, Value::Null).await.0, 404);

        let auto = json!({"cert_type": "letsencrypt-auto-renew"});
        assert_eq!(host.call(Method::POST, ssl, auto).await, (200, json!({"status": "OK"})));
        let (_, told) = host.call(Method::GET, ssl, Value::Null).await;
        assert_eq!(told["subject_alternate_names"], json!(["www.example.com"]));
        assert!(told["issuer_name"].as_str().unwrap().contains("Let's Encrypt"), "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mappings_and_certificates_outlive_the_emulator() {
    let root = tempfile::tempdir().unwrap();
    let settings = || Settings { root: Some(root.path().to_owned()), ..unlimited() };
    {
        let host = Host::start(settings());
        host.call(Method::POST, "webapps/", json!({"domain_name": DOMAIN, "python_version": "3.11"})).await;
        write(&host, "assets/a.txt", "a");
        let mapping = json!({"url": "/static/", "path": "/home/demo/assets"});
        host.call(Method::POST, &of_webapp("static_files/"), mapping).await;
        host.call(Method::POST, &of_webapp("ssl/"), json!({"cert_type": "letsencrypt-auto-renew"})).await;
    }
    let host = Host::start(settings());
    assert_eq!(host.page(DOMAIN, "/static/a.txt").await.1, "a");
    assert_eq!(host.call(Method::GET, &of_webapp("ssl/"), Value::Null).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_succeeds_without_the_virtualenv_and_visits_show_the_error() {
    let host = with_webapp().await;
    assert_eq!(host.page(DOMAIN, "/").await.0, 200);
    let there = json!({"virtualenv_path": "/home/demo/nothing-there"});
    assert_eq!(host.call(Method::PATCH, &of_webapp(""), there).await.0, 200);
    reload(&host).await;
    let (status, page) = host.page(DOMAIN, "/").await;
    assert_eq!(status, 502);
    assert!(page.contains("Something went wrong"), "{page}");
    let errors = host.log(&format!("{DOMAIN}.error.log"));
    assert!(errors.contains("nothing-there/bin/python"), "{errors}");
    assert_eq!(host.call(Method::PATCH, &of_webapp(""), json!({"virtualenv_path": ""})).await.0, 200);
    reload(&host).await;
    assert_eq!(host.page(DOMAIN, "/").await.0, 200);
}

#[tokio::test]
async fn what_is_neither_true_nor_false_is_refused_for_a_web_app() {
    let host = with_webapp().await;
    let invalid = json!(["Must be a valid boolean."]);
    let fields = json!({"force_https": "maybe", "password_protection_enabled": 7, "source_directory": "/home/demo/x"});
    let problems = json!({"force_https": invalid, "password_protection_enabled": invalid});
    assert_eq!(host.call(Method::PATCH, &of_webapp(""), fields).await, (400, problems));
    let (_, app) = host.call(Method::GET, &of_webapp(""), Value::Null).await;
    assert_eq!((&app["force_https"], &app["source_directory"]), (&json!(false), &json!("/home/demo/")));
}

#[tokio::test]
async fn a_second_web_app_at_the_same_domain_is_refused_in_one_of_two_ways() {
    for (taken_domain_400, expected) in [(false, 200), (true, 400)] {
        let undocumented = Undocumented { taken_domain_400, ..Undocumented::default() };
        let host = Host::start(Settings { undocumented, ..unlimited() });
        let app = json!({"domain_name": DOMAIN, "python_version": "python311"});
        assert_eq!(host.call(Method::POST, "webapps/", app.clone()).await.1["status"], "OK");
        let (status, answer) = host.call(Method::POST, "webapps/", app).await;
        assert_eq!(
            (status, &answer["status"], &answer["error_type"]),
            (expected, &json!("ERROR"), &json!("domain_taken"))
        );
    }
}

#[tokio::test]
async fn a_new_web_app_overwrites_the_wsgi_file_with_one_function() {
    let host = Host::start(unlimited());
    let wsgi = host.emulator.root().join("var/www/demo_pythonanywhere_com_wsgi.py");
    std::fs::write(&wsgi, "application = None  # survived\n").unwrap();
    let app = json!({"domain_name": DOMAIN, "python_version": "python311"});
    assert_eq!(host.call(Method::POST, "webapps/", app.clone()).await.0, 200);
    let placeholder = std::fs::read_to_string(&wsgi).unwrap();
    let code: Vec<&str> = placeholder.lines().filter(|line| line.starts_with(|first| !"# ".contains(first))).collect();
    assert_eq!(code, ["def application(environ, start_response):"], "all else is in it, or commented out");
    assert!(placeholder.contains("# application = get_wsgi_application()"), "{placeholder}");

    assert_eq!(host.delete(&of_webapp("")).await.status(), 204);
    std::fs::write(&wsgi, "application = None  # written afterwards\n").unwrap();
    assert_eq!(host.call(Method::POST, "webapps/", app).await.0, 200);
    assert_eq!(std::fs::read_to_string(&wsgi).unwrap(), placeholder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_web_app_expires() {
    if has_passed_in_its_own_process() {
        return;
    }
    let host = Host::start(Settings { webapp_days: 3, ..unlimited() });
    let app = json!({"domain_name": DOMAIN, "python_version": "python311"});
    assert_eq!(host.call(Method::POST, "webapps/", app).await.0, 200);
    let (_, shown) = host.call(Method::GET, &of_webapp(""), Value::Null).await;
    let expiry = shown["expiry"].as_str().unwrap();
    assert!(expiry.len() == 10 && expiry.split('-').all(|number| number.parse::<u16>().is_ok()), "{expiry}");
    assert_eq!(host.page(DOMAIN, "/").await.0, 200);

    clock::advance(Duration::from_secs(4 * 24 * 3600));
    assert_eq!(host.page(DOMAIN, "/").await.0, 404);
    assert_eq!(host.call(Method::POST, &of_webapp("reload/"), Value::Null).await.0, 500);
    assert_eq!(host.call(Method::POST, &of_webapp("enable/"), Value::Null).await.0, 200);
    assert_eq!(host.page(DOMAIN, "/").await.0, 404, "no call extends it");
}

#[tokio::test]
async fn a_paid_web_app_does_not_expire() {
    let host = Host::start(Settings { account: AccountKind::Paid, ..unlimited() });
    let app = json!({"domain_name": DOMAIN, "python_version": "python311"});
    assert_eq!(host.call(Method::POST, "webapps/", app).await.1["webapp"]["expiry"], Value::Null);
}
