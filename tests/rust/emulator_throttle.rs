//! The emulator's rate limit, to the request and to the second, on a clock that the tests move.

use std::time::Duration;

use pythonanywhere_api::clock;
use pythonanywhere_api::emulator::{Settings, Undocumented};
use reqwest::Method;
use serde_json::json;

use crate::emulator_host::{Host, header, said};
use crate::own_process::has_passed_in_its_own_process;

async fn statuses(host: &Host, count: usize, endpoint: &str) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(host.get(endpoint).await.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn forty_pass_and_the_next_waits_for_the_first_to_turn_a_minute_old() {
    if has_passed_in_its_own_process() {
        return;
    }
    let host = Host::start(Settings::default());
    let home = "files/path/home/demo/";
    assert_eq!(statuses(&host, 1, home).await, [200]);
    clock::advance(Duration::from_secs(30));
    assert_eq!(statuses(&host, 39, home).await, [200; 39]);
    let refused = host.get(home).await;
    let wait: u64 = header(&refused, "retry-after").unwrap().parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
    let detail = format!("Request was throttled. Expected available in {wait} seconds.");
    assert_eq!(said(refused).await, (429, json!({"detail": detail})));
    // Refused requests leave no trace: however many there are, the first one's minute ends at the same time.
    assert_eq!(statuses(&host, 50, home).await, [429; 50]);
    clock::advance(Duration::from_secs(wait));
    assert_eq!(statuses(&host, 2, home).await, [200, 429]);
    clock::advance(Duration::from_secs(60));
    assert_eq!(statuses(&host, 41, home).await[39..], [200, 429]);
}

#[tokio::test]
async fn each_endpoint_has_its_own_log_and_all_methods_share_it() {
    let host = Host::start(Settings { rate_limit: Some(3), ..Settings::default() });
    assert_eq!(statuses(&host, 2, "files/path/home/demo/").await, [200; 2]);
    assert_eq!(host.delete("files/path/home/demo/none").await.status(), 404);
    assert_eq!(host.upload("/home/demo/x", "x").await, 429);
    assert!(!host.home("x").exists());
    assert_eq!(statuses(&host, 4, "files/tree/?path=/home/demo").await, [200, 200, 200, 429]);
    // What is refused for other reasons counts, except for a wrong token.
    assert_eq!(host.request(Method::PUT, "files/sharing/").send().await.unwrap().status(), 405);
    let anonymous = host.client().get(host.url("files/sharing/?path=/x"));
    assert_eq!(anonymous.send().await.unwrap().status(), 401);
    assert_eq!(statuses(&host, 3, "files/sharing/?path=/x").await, [404, 404, 429]);
}

#[tokio::test]
async fn the_undocumented_readings_can_be_chosen() {
    let undocumented = Undocumented { retry_after: false, bucket_per_method: true, ..Undocumented::default() };
    let host = Host::start(Settings { rate_limit: Some(1), undocumented, ..Settings::default() });
    assert_eq!(host.upload("/home/demo/x", "x").await, 201);
    assert_eq!(host.get("files/path/home/demo/x").await.status(), 200);
    let refused = host.get("files/path/home/demo/x").await;
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (429, None));
}

#[tokio::test]
async fn send_input_has_a_limit_of_its_own() {
    let host = Host::start(Settings { rate_limit: Some(1), send_input_limit: Some(3), ..Settings::default() });
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let request = host.request(Method::POST, "consoles/999/send_input/").form(&[("input", "x")]);
        statuses.push(request.send().await.unwrap().status().as_u16());
    }
    assert!(statuses[..3].iter().all(|status| *status != 429), "{statuses:?}");
    assert_eq!(statuses[3], 429);
    assert_eq!(Settings::default().send_input_limit, Some(120));
}

#[tokio::test]
async fn the_date_is_the_clocks() {
    if has_passed_in_its_own_process() {
        return;
    }
    let host = Host::start(Settings { rate_limit: None, ..Settings::default() });
    let date = async || {
        let answer = host.get("files/path/home/demo/").await;
        httpdate::parse_http_date(header(&answer, "date").unwrap()).unwrap()
    };
    let before = date().await;
    clock::advance(Duration::from_secs(3600));
    assert!(date().await.duration_since(before).unwrap() >= Duration::from_secs(3600));
}
