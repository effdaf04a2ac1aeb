//! The emulator's web apps and consoles: real Python and real bash, driven by plain HTTP.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pythonanywhere_api::emulator::{AccountKind, Emulator, Settings, Undocumented};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::emulator_host::plain_client;

struct Host {
    emulator: Emulator,
    http: reqwest::Client,
}

impl Host {
    fn start(settings: Settings) -> Self {
        let emulator = Emulator::start(Settings { rate_limit: None, send_input_limit: None, ..settings }).unwrap();
        Self { emulator, http: plain_client().build().unwrap() }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("{}/api/v0/user/demo/{path}", self.emulator.url());
        let request =
            self.http.request(method, url).header("Authorization", format!("Token {}", self.emulator.token()));
        let answer = request.json(&body).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    async fn page(&self, path: &str) -> (StatusCode, String) {
        let answer = self.http.get(format!("{}{path}", self.emulator.site_url())).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    async fn create(&self) {
        let app = json!({"domain_name": DOMAIN, "python_version": "python311"});
        let (status, answer) = self.call(Method::POST, "webapps/", app).await;
        assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("OK")), "{answer}");
    }

    fn write_wsgi(&self, text: &str) {
        std::fs::write(self.emulator.root().join("var/www/demo_pythonanywhere_com_wsgi.py"), text).unwrap();
    }

    fn log(&self, kind: &str) -> String {
        std::fs::read_to_string(self.emulator.root().join(format!("var/log/{DOMAIN}.{kind}.log"))).unwrap()
    }

    async fn reload(&self) -> StatusCode {
        self.call(Method::POST, &format!("webapps/{DOMAIN}/reload/"), Value::Null).await.0
    }
}

const DOMAIN: &str = "demo.pythonanywhere.com";

fn saying(words: &str) -> String {
    format!(
        "from wsgiref.validate import validator\n\
         import os\n\
         @validator\n\
         def application(environ, start_response):\n\
         \x20   body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [({words}).encode() + body]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_serves_what_is_there_now_and_a_failure_is_told_in_the_log() {
    let host = Host::start(Settings::default());
    assert_eq!(host.page("/").await.0, StatusCode::NOT_FOUND);
    host.create().await;
    assert!(host.page("/").await.1.contains("Hello, World!"));

    host.write_wsgi(&saying("'one ' + environ['PATH_INFO'] + environ['QUERY_STRING']"));
    assert_eq!(host.reload().await, StatusCode::OK);
    assert_eq!(host.page("/a%20b?c=d").await, (StatusCode::OK, "one /a bc=d".to_owned()));
    let posted = host.http.post(host.emulator.site_url()).body("sent").send().await.unwrap().text().await.unwrap();
    assert_eq!(posted, "one /sent");

    host.write_wsgi("import nothing_of_this_name\n");
    assert_eq!(host.reload().await, StatusCode::OK, "a failing import is no failing reload");
    let (status, page) = host.page("/").await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.contains("Something went wrong"), "{page}");
    assert!(host.log("error").contains("No module named 'nothing_of_this_name'"), "{}", host.log("error"));
    let access = host.log("access");
    let last = access.lines().last().unwrap();
    let (start, rest) = last.split_once("] ").unwrap();
    assert!(start.starts_with("127.0.0.1 - - [") && start.ends_with(" +0000"), "{last}");
    assert!(rest.starts_with("\"GET / HTTP/1.1\" 500 ") && rest.contains(" \"-\" response-time=0."), "{last}");
    assert!(rest.split(' ').nth(4).unwrap().parse::<u64>().is_ok(), "no size: {last}");
    let server = host.log("server");
    let (spawned, reloads) = (server.matches("spawned worker 1 (pid: ").count(), server.matches("gracefully").count());
    assert!(reloads > 0 && spawned == reloads + 1, "one at the start and one for each reload:\n{server}");

    host.write_wsgi(&saying("'two'"));
    host.reload().await;
    assert_eq!(host.page("/").await.1, "two");
}

#[tokio::test(flavor = "multi_thread")]
async fn touching_the_wsgi_file_reloads_a_later_second() {
    let host = Host::start(Settings::default());
    host.create().await;
    assert!(host.page("/").await.1.contains("Hello"));
    host.write_wsgi(&saying("'touched'"));
    let path = host.emulator.root().join("var/www/demo_pythonanywhere_com_wsgi.py");
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
    assert_eq!(host.page("/").await.1, "touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_see_the_account_and_its_token_in_both_modes() {
    for private_paths in [true, false] {
        let host = Host::start(Settings { private_paths, ..Settings::default() });
        host.create().await;
        host.write_wsgi(&saying(
            "'|'.join([__file__, os.path.expanduser('~'), os.environ['API_TOKEN'], os.environ['PYTHONANYWHERE_SITE']])",
        ));
        host.reload().await;
        let root =
            if host.emulator.paths() == "host" { String::new() } else { host.emulator.root().display().to_string() };
        let expected = [
            format!("{root}/var/www/demo_pythonanywhere_com_wsgi.py"),
            format!("{root}/home/demo"),
            host.emulator.token().to_owned(),
            host.emulator.url().to_owned(),
        ];
        assert_eq!(host.page("/").await.1, expected.join("|"));
        assert!(private_paths || host.emulator.paths() == "root");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn web_apps_are_listed_changed_refused_disabled_and_deleted() {
    let host = Host::start(Settings { account: AccountKind::Free, ..Settings::default() });
    host.create().await;
    let one = format!("webapps/{DOMAIN}/");
    let (_, list) = host.call(Method::GET, "webapps/", Value::Null).await;
    assert_eq!((list[0]["domain_name"].as_str(), list[0]["python_version"].as_str()), (Some(DOMAIN), Some("3.11")));

    let (status, refused) =
        host.call(Method::POST, "webapps/", json!({"domain_name": "b.example.com", "python_version": "3.13"})).await;
    assert_eq!((status, &refused["status"]), (StatusCode::OK, &json!("ERROR")));
    for bad in [
        json!({"domain_name": "../x.y", "python_version": "3.13"}),
        json!({"domain_name": "b.c", "python_version": "2"}),
        json!({}),
    ] {
        assert_eq!(host.call(Method::POST, "webapps/", bad).await.0, StatusCode::BAD_REQUEST);
    }

    let (status, changed) =
        host.call(Method::PATCH, &one, json!({"force_https": true, "source_directory": "/home/demo/x"})).await;
    assert_eq!(
        (status, &changed["force_https"], &changed["source_directory"]),
        (StatusCode::OK, &json!(true), &json!("/home/demo/x"))
    );

    assert_eq!(host.call(Method::POST, &format!("{one}disable/"), Value::Null).await.0, StatusCode::OK);
    assert!(host.page("/").await.1.contains("disabled"));
    assert_eq!(host.reload().await, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(host.call(Method::POST, &format!("{one}enable/"), Value::Null).await.0, StatusCode::OK);
    assert!(host.page("/").await.1.contains("Hello"));

    assert_eq!(host.call(Method::DELETE, &one, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(host.call(Method::GET, &one, Value::Null).await.0, StatusCode::NOT_FOUND);
    assert!(host.emulator.root().join("var/www/demo_pythonanywhere_com_wsgi.py.bak").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_starts_when_its_page_is_opened_and_runs_real_bash() {
    let host = Host::start(Settings::default());
    let (status, console) = host.call(Method::POST, "consoles/", json!({"executable": "bash"})).await;
    assert_eq!(status, StatusCode::CREATED);
    let one = format!("consoles/{}/", console["id"]);
    let (status, answer) = host.call(Method::GET, &format!("{one}get_latest_output/"), Value::Null).await;
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    assert!(answer["error"].as_str().unwrap().starts_with("Console not yet started."), "{answer}");
    let typed = host.call(Method::POST, &format!("{one}send_input/"), json!({"input": "x"})).await;
    assert_eq!(typed.0, StatusCode::PRECONDITION_FAILED);

    let page = format!("{}{}", host.emulator.url(), console["console_url"].as_str().unwrap());
    assert_eq!(host.http.get(page).send().await.unwrap().status(), StatusCode::OK);
    host.call(Method::POST, &format!("{one}send_input/"), json!({"input": "echo $((6 * 7))-$USER-$(tty)\n"})).await;
    let output = wait_for(&host, &one, "42-demo-/dev/").await;
    assert!(output.contains(" ~ $ "), "the prompt is the host's: {output:?}");

    host.call(Method::POST, "consoles/", json!({"executable": "bash"})).await;
    assert_eq!(
        host.call(Method::POST, "consoles/", json!({"executable": "bash"})).await.0,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(host.call(Method::DELETE, &one, Value::Null).await.0, StatusCode::NO_CONTENT);
    assert_eq!(host.call(Method::GET, &one, Value::Null).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_starts_in_its_folder_or_at_home_if_there_is_none() {
    let host = Host::start(Settings::default());
    std::fs::create_dir(host.emulator.root().join("home/demo/work")).unwrap();
    for (folder, shown) in [("/home/demo/work", "work $ "), ("/home/demo/gone", "~ $ ")] {
        let wanted = json!({"executable": "bash", "working_directory": folder});
        let (_, console) = host.call(Method::POST, "consoles/", wanted).await;
        assert_eq!(console["working_directory"], folder);
        let page = format!("{}{}", host.emulator.url(), console["console_url"].as_str().unwrap());
        assert_eq!(host.http.get(page).send().await.unwrap().status(), StatusCode::OK);
        wait_for(&host, &format!("consoles/{}/", console["id"]), shown).await;
    }
}

async fn wait_for(host: &Host, console: &str, words: &str) -> String {
    let start = Instant::now();
    loop {
        let (_, answer) = host.call(Method::GET, &format!("{console}get_latest_output/"), Value::Null).await;
        let output = answer["output"].as_str().unwrap_or_default().to_owned();
        if output.contains(words) {
            return output;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{words:?} did not come: {output:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_the_emulator() {
    for private_paths in [true, false] {
        let host = Host::start(Settings { private_paths, ..Settings::default() });
        host.create().await;
        let job = "__import__('subprocess').Popen(['sleep', '300']).pid";
        host.write_wsgi(&saying(&format!("str(os.getpid()) + ' ' + str({job})")));
        host.reload().await;
        let mut processes: Vec<i32> = host.page("/").await.1.split(' ').map(|pid| pid.parse().unwrap()).collect();

        let (_, console) = host.call(Method::POST, "consoles/", json!({"executable": "bash"})).await;
        let page = format!("{}{}", host.emulator.url(), console["console_url"].as_str().unwrap());
        host.http.get(page).send().await.unwrap();
        let one = format!("consoles/{}/", console["id"]);
        let command = json!({"input": "sleep 300 & echo p'id'=$$=$!.\n"});
        host.call(Method::POST, &format!("{one}send_input/"), command).await;
        let output = wait_for(&host, &one, "pid=").await;
        let told = output.rsplit("pid=").next().unwrap().split('.').next().unwrap();
        processes.extend(told.split('=').map(|pid| pid.parse::<i32>().unwrap()));

        assert_eq!(processes.len(), 4);
        assert!(processes.iter().all(|process| is_there(*process)), "{processes:?}");
        host.emulator.stop();
        assert!(processes.iter().all(|process| !is_there(*process)), "of {processes:?} some are still there");
    }
}

/// Whether a process runs; one that is dead and not yet waited for does not.
fn is_there(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// A web app that takes its time where it is asked to.
fn sleeping() -> String {
    saying(
        "str(os.getpid()) if not environ['QUERY_STRING'] else str(__import__('time').sleep(float(environ['QUERY_STRING'])))",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_answers_those_who_wait() {
    let host = Arc::new(Host::start(Settings::default()));
    host.create().await;
    host.write_wsgi(&sleeping());
    host.reload().await;
    let old = host.page("/").await.1;
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let host = Arc::clone(&host);
            tokio::spawn(async move { host.page("/?0.2").await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(host.reload().await, StatusCode::OK);
    assert_ne!(host.page("/").await.1, old, "the new process serves at once");
    for page in waiting {
        assert_eq!(page.await.unwrap(), (StatusCode::OK, "None".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_hangs_is_killed_and_replaced() {
    let host = Host::start(Settings { request_limit: Duration::from_millis(300), ..Settings::default() });
    host.create().await;
    host.write_wsgi(&sleeping());
    host.reload().await;
    let old = host.page("/").await.1;
    assert_eq!(host.page("/?60").await.0, StatusCode::BAD_GATEWAY);
    let (status, new) = host.page("/").await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(new, old);
    assert!(!is_there(old.parse().unwrap()));
}

/// An application that sends a line of its body each 100 ms, as many as the query says.
const SLOW_BODY: &str = "\
import os, time
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    for number in range(int(environ['QUERY_STRING'] or 1)):
        yield b'%d\\n' % os.getpid()
        time.sleep(0.1)
";

#[tokio::test(flavor = "multi_thread")]
async fn the_request_limit_holds_to_the_last_byte_of_an_answer() {
    let host = Host::start(Settings { request_limit: Duration::from_millis(500), ..Settings::default() });
    host.create().await;
    host.write_wsgi(SLOW_BODY);
    host.reload().await;
    let old: i32 = host.page("/?1").await.1.trim().parse().unwrap();
    let answer = host.http.get(format!("{}/?600", host.emulator.site_url())).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "it has begun to answer");
    assert!(answer.text().await.is_err(), "and is cut off");
    let new: i32 = host.page("/?1").await.1.trim().parse().unwrap();
    assert_ne!(new, old);
    assert!(!is_there(old));
    assert!(host.log("server").contains("HARAKIRI ON WORKER 1"), "{}", host.log("server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_request_limit_ends_a_process_that_a_reload_has_replaced() {
    let host = Arc::new(Host::start(Settings { request_limit: Duration::from_millis(700), ..Settings::default() }));
    host.create().await;
    host.write_wsgi(&sleeping());
    host.reload().await;
    let old: i32 = host.page("/").await.1.parse().unwrap();
    let waiting = {
        let host = Arc::clone(&host);
        tokio::spawn(async move { host.page("/?60").await.0 })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(host.reload().await, StatusCode::OK);
    assert_eq!(waiting.await.unwrap(), StatusCode::BAD_GATEWAY);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while is_there(old) {
        assert!(std::time::Instant::now() < deadline, "the old process still runs");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_meet_in_a_web_app_only_where_it_has_threads() {
    for webapp_threads in [true, false] {
        let undocumented = Undocumented { webapp_threads, ..Undocumented::default() };
        let host = Arc::new(Host::start(Settings { undocumented, ..Settings::default() }));
        host.create().await;
        let patience = if webapp_threads { 20.0 } else { 0.2 };
        let barrier = format!("import threading\nboth = threading.Barrier(2, timeout={patience})\n");
        host.write_wsgi(&format!("{barrier}{}", saying("str(environ['wsgi.multithread'] and both.wait() >= 0)")));
        host.reload().await;
        let pages: Vec<_> = (0..2)
            .map(|_| {
                let host = Arc::clone(&host);
                tokio::spawn(async move { host.page("/").await.1 })
            })
            .collect();
        for page in pages {
            assert_eq!(page.await.unwrap(), if webapp_threads { "True" } else { "False" });
        }
    }
}

#[tokio::test]
async fn a_console_that_does_not_read_keeps_nobody_waiting() {
    let host = Host::start(Settings { account: AccountKind::Paid, ..Settings::default() });
    let (_, console) = host.call(Method::POST, "consoles/", json!({"executable": "bash"})).await;
    let page = format!("{}{}", host.emulator.url(), console["console_url"].as_str().unwrap());
    host.http.get(page).send().await.unwrap();
    let one = format!("consoles/{}/", console["id"]);
    let deaf = json!({"input": "stty raw -echo; echo de''af; sleep 1000\n"});
    host.call(Method::POST, &format!("{one}send_input/"), deaf).await;
    wait_for(&host, &one, "deaf").await;
    let much = json!({"input": "x".repeat(100_000)});
    let endpoint = format!("{one}send_input/");
    let mut refused = false;
    // One is being typed, some wait, and the next is refused.
    for _ in 0..100 {
        let typing = host.call(Method::POST, &endpoint, much.clone());
        let (status, _) = tokio::time::timeout(Duration::from_secs(20), typing).await.unwrap();
        refused |= status == StatusCode::INTERNAL_SERVER_ERROR;
    }
    assert!(refused);
    assert_eq!(host.call(Method::GET, &one, Value::Null).await.0, StatusCode::OK);
    assert_eq!(host.call(Method::DELETE, &one, Value::Null).await.0, StatusCode::NO_CONTENT);
}
