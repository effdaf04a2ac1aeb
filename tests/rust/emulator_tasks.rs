//! The emulator's always-on and scheduled tasks: real processes, started, started again and ended.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pythonanywhere_api::clock;
use pythonanywhere_api::emulator::{AccountKind, Settings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::emulator_host::{Host, eventually, is_there, said, unlimited};
use crate::own_process::has_passed_in_its_own_process;

fn paid() -> Host {
    Host::start(Settings { account: AccountKind::Paid, ..unlimited() })
}

/// A command that tells its process and one it leaves in another session, and runs on.
const TELLING: &str = "setsid sleep 300 & echo pid=$$= pid=$!=; sleep 300";

/// The processes that a log tells of, once there are `count`.
async fn told(host: &Host, log: &str, count: usize) -> Vec<i32> {
    eventually(async || {
        let text = host.log(log);
        let pids: Vec<i32> =
            text.split("pid=").skip(1).filter_map(|rest| rest.split('=').next()?.parse().ok()).collect();
        (pids.len() >= count && text.ends_with('\n')).then_some(pids)
    })
    .await
}

#[tokio::test]
async fn what_has_no_number_is_not_there() {
    let host = paid();
    for path in ["always_on/abc/", "schedule/1x/", "consoles/-1/", "consoles/abc/get_latest_output/"] {
        assert_eq!(said(host.get(path).await).await, (404, json!({"detail": "Not found."})), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_always_on_task_runs_until_it_is_disabled_or_deleted() {
    let host = paid();
    let fields = [("command", TELLING), ("description", "two"), ("enabled", "true")];
    let created = host.request(Method::POST, "always_on/").form(&fields).send().await.unwrap();
    let (status, task) = said(created).await;
    assert_eq!((status, &task["id"], &task["description"]), (201, &json!(1), &json!("two")));
    assert_eq!(task["logfile"], json!("/user/demo/files/var/log/alwayson-log-1.log"));
    let first = told(&host, "alwayson-log-1.log", 2).await;
    let (_, shown) = host.call(Method::GET, "always_on/1/", Value::Null).await;
    assert_eq!((&shown["state"], &shown["command"]), (&json!("Running"), &json!(TELLING)));
    assert_eq!(host.call(Method::GET, "always_on/", Value::Null).await.1, json!([shown]));

    let (status, shown) = host.call(Method::PATCH, "always_on/1/", json!({"description": "new"})).await;
    assert_eq!((status, &shown["description"]), (200, &json!("new")));
    assert!(first.iter().all(|pid| is_there(*pid)), "another description disturbs nothing");

    let (_, shown) = host.call(Method::PATCH, "always_on/1/", json!({"enabled": false})).await;
    assert_eq!((&shown["enabled"], &shown["command"]), (&json!(false), &json!(TELLING)));
    assert!(first.iter().all(|pid| !is_there(*pid)), "{first:?}");
    let whole = json!({"command": TELLING, "description": "", "enabled": true});
    assert_eq!(host.call(Method::PUT, "always_on/1/", whole).await.0, 200);
    let second = told(&host, "alwayson-log-1.log", 4).await[2..].to_vec();
    assert_eq!(host.call(Method::POST, "always_on/1/restart/", Value::Null).await.0, 200);
    assert!(second.iter().all(|pid| !is_there(*pid)), "{second:?}");
    let third = told(&host, "alwayson-log-1.log", 6).await[4..].to_vec();
    assert!(third.iter().all(|pid| is_there(*pid)), "{third:?}");

    assert_eq!(host.delete("always_on/1/").await.status(), 204);
    assert!(third.iter().all(|pid| !is_there(*pid)), "{third:?}");
    for (method, path) in [(Method::GET, "always_on/1/"), (Method::POST, "always_on/1/restart/")] {
        assert_eq!(host.call(method, path, Value::Null).await, (404, json!({"detail": "Not found."})));
    }
    assert!(!host.log("alwayson-log-1.log").is_empty(), "the log stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_always_on_task_that_ends_is_started_again() {
    let host = paid();
    let command = "echo out; echo $API_TOKEN $(pwd) >&2; exit 3";
    host.call(Method::POST, "always_on/", json!({"command": command})).await;
    let log =
        eventually(async || Some(host.log("alwayson-log-1.log")).filter(|log| log.matches("out\n").count() > 1)).await;
    let home = if host.emulator.paths() == "host" { "/home/demo".into() } else { host.home("").display().to_string() };
    assert!(log.contains(&format!("{} {}", host.emulator.token(), home.trim_end_matches('/'))), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_task_outlives_the_emulator() {
    for private_paths in [true, false] {
        let host = Host::start(Settings { account: AccountKind::Paid, private_paths, ..unlimited() });
        let command = if private_paths { TELLING } else { "sleep 300 & echo pid=$$= pid=$!=; sleep 300" };
        host.call(Method::POST, "always_on/", json!({"command": command})).await;
        let pids = told(&host, "alwayson-log-1.log", 2).await;
        assert!(pids.iter().all(|pid| is_there(*pid)), "{pids:?}");
        host.emulator.stop();
        assert!(pids.iter().all(|pid| !is_there(*pid)), "{pids:?}");
    }
}

#[tokio::test]
async fn tasks_are_refused_field_by_field() {
    let host = paid();
    let required = "This field is required.";
    for (path, body, problems) in [
        ("always_on/", json!({}), json!({"command": [required]})),
        (
            "always_on/",
            json!({"command": " ", "enabled": "maybe"}),
            json!({"command": ["This field may not be blank."], "enabled": ["Must be a valid boolean."]}),
        ),
        (
            "schedule/",
            json!({}),
            json!({"command": [required], "interval": [required], "minute": [required], "hour": [required]}),
        ),
        (
            "schedule/",
            json!({"command": "x", "interval": "weekly", "minute": 60, "hour": "noon"}),
            json!({
                "interval": ["\"weekly\" is not a valid choice."],
                "minute": ["Ensure this value is less than or equal to 59."],
                "hour": ["A valid integer is required."],
            }),
        ),
    ] {
        assert_eq!(host.call(Method::POST, path, body).await, (400, problems), "{path}");
    }
    let with_hour = json!({"command": "x", "interval": "hourly", "hour": 3, "minute": 5});
    let refused = json!({"hour": ["Hourly tasks must not have an hour."]});
    assert_eq!(host.call(Method::POST, "schedule/", with_hour).await, (400, refused.clone()));
    let hourly = json!({"command": "x", "interval": "hourly", "minute": 5});
    assert_eq!(host.call(Method::POST, "schedule/", hourly).await.0, 201);
    let daily = host.call(Method::PATCH, "schedule/1/", json!({"interval": "daily"})).await;
    assert_eq!(daily, (400, json!({"hour": [required]})), "an hour comes with the day");
    assert_eq!(host.call(Method::PATCH, "schedule/1/", json!({"hour": 3})).await, (400, refused));
}

#[tokio::test]
async fn free_accounts_have_no_tasks() {
    let host = Host::start(unlimited());
    for (method, path) in [
        (Method::GET, "always_on/"),
        (Method::POST, "always_on/"),
        (Method::POST, "always_on/1/restart/"),
        (Method::GET, "schedule/"),
        (Method::POST, "schedule/"),
        (Method::PATCH, "schedule/1/"),
        (Method::DELETE, "schedule/1/"),
    ] {
        assert_eq!(host.call(method, path, json!({"command": "true"})).await.0, 403, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_task_runs_at_its_time_and_not_before() {
    if has_passed_in_its_own_process() {
        return;
    }
    let host = paid();
    let (hour, minute) = in_two_hours();
    let fields = json!({
        "command": "echo it ran; exit 3", "enabled": true, "interval": "daily", "hour": hour, "minute": minute,
    });
    let (status, task) = host.call(Method::POST, "schedule/", fields).await;
    let log = format!("tasklog-1-daily-at-{hour:02}{minute:02}-echo_it_ran__exit_3.log");
    let shown = json!({
        "id": 1,
        "url": "/api/v0/user/demo/schedule/1/",
        "user": "demo",
        "command": "echo it ran; exit 3",
        "expiry": null,
        "enabled": true,
        "logfile": format!("/user/demo/files/var/log/{log}"),
        "extend_url": "/user/demo/schedule/task/1/extend",
        "interval": "daily",
        "hour": hour,
        "minute": minute,
        "printable_time": format!("{hour:02}:{minute:02}"),
        "can_enable": false,
        "description": "",
    });
    assert_eq!((status, task), (201, shown.clone()));
    assert_eq!(host.call(Method::GET, "schedule/", Value::Null).await, (200, json!([shown])));

    clock::advance(Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(host.log(&log).is_empty(), "an hour is left");
    for runs in 1..=2 {
        clock::advance(if runs == 1 { Duration::from_secs(3600) } else { Duration::from_secs(24 * 3600) });
        let text =
            eventually(async || Some(host.log(&log)).filter(|log| log.matches("return code was 3.\n").count() >= runs))
                .await;
        assert_eq!(text.matches("it ran\n").count(), runs, "{text}");
    }
}

/// The hour and minute in two hours by the emulator's clock.
fn in_two_hours() -> (u64, u64) {
    let now = clock::wall().duration_since(UNIX_EPOCH).unwrap().as_secs();
    ((now / 3600 + 2) % 24, now / 60 % 60)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_task_does_not_run_and_a_deleted_one_is_ended() {
    if has_passed_in_its_own_process() {
        return;
    }
    let host = paid();
    let minute = clock::wall().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 60 % 60;
    let fields = json!({"command": TELLING, "interval": "hourly", "minute": minute, "enabled": false});
    let (_, task) = host.call(Method::POST, "schedule/", fields).await;
    let name = task["logfile"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    assert!(name.starts_with(&format!("tasklog-1-hourly-at-{minute:02}-setsid_sleep_300")), "{name}");
    assert_eq!((&task["hour"], &task["can_enable"]), (&Value::Null, &json!(true)));
    clock::advance(Duration::from_secs(3600));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(host.log(&name).is_empty());

    assert_eq!(host.call(Method::PATCH, "schedule/1/", json!({"enabled": true})).await.0, 200);
    clock::advance(Duration::from_secs(3600));
    let pids = told(&host, &name, 2).await;
    assert_eq!(host.call(Method::PATCH, "schedule/1/", json!({"description": "new"})).await.0, 200);
    assert!(pids.iter().all(|pid| is_there(*pid)), "another description disturbs nothing");
    assert_eq!(host.delete("schedule/1/").await.status(), 204);
    assert!(pids.iter().all(|pid| !is_there(*pid)), "{pids:?}");
    assert_eq!(host.delete("schedule/1/").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn cpu_seconds_are_those_of_consoles_and_tasks_and_start_anew_each_day() {
    if has_passed_in_its_own_process() {
        return;
    }
    let host = paid();
    let used = async || {
        let (status, told) = host.call(Method::GET, "cpu/", Value::Null).await;
        assert_eq!((status, &told["daily_cpu_limit_seconds"]), (200, &json!(2000)));
        assert!(told["next_reset_time"].as_str().unwrap().ends_with("T00:00:00"), "{told}");
        told["daily_cpu_total_usage_seconds"].as_f64().unwrap()
    };
    assert!(used().await < f64::EPSILON);
    host.call(Method::POST, "consoles/", json!({"executable": "bash"})).await;
    let page = format!("{}/user/demo/consoles/1/", host.emulator.url());
    host.client().get(page).send().await.unwrap();
    host.call(Method::POST, "consoles/1/send_input/", json!({"input": "while :; do :; done\n"})).await;
    let in_console = eventually(async || Some(used().await).filter(|used| *used >= 0.05)).await;
    assert_eq!(host.delete("consoles/1/").await.status(), 204);
    assert!(used().await >= in_console);

    host.call(Method::POST, "always_on/", json!({"command": "while :; do :; done"})).await;
    let running = eventually(async || Some(used().await).filter(|used| *used >= in_console + 0.05)).await;
    host.call(Method::PATCH, "always_on/1/", json!({"enabled": false})).await;
    let ended = used().await;
    assert!(ended >= running, "{ended} after {running}");
    clock::advance(Duration::from_secs(24 * 3600));
    assert!(used().await < ended);
}
