//! The account, and the switches for its kind, the latency and the clock.

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json::{Body, done, epoch, ok, read, refuse};
use crate::clock;
use crate::emulator::response::Answer;
use crate::emulator::settings::AccountKind;
use crate::emulator::state::{EmulatorState, SharedState};

/// The speeds that clients of an emulator in another process follow.
const SPEEDS: std::ops::RangeInclusive<f64> = 1.0..=100_000.0;

const LONGEST_LATENCY: u64 = 60_000;

pub(super) fn account(state: &EmulatorState) -> Value {
    let (used, _) = state.processes.cpu_used_today();
    let kind = state.account.kind();
    json!({
        "user": state.account.user(),
        "kind": kind,
        "url": state.url,
        "site_url": state.site_url,
        "root": state.account.root().to_string_lossy(),
        "paths": state.processes.paths(),
        "python": state.processes.python_version(),
        "cpu_used": used.as_secs(),
        "cpu_limit": kind.cpu_seconds(),
        "disk_quota": state.account.quota(),
        "latency": state.latency.get().as_millis(),
    })
}

/// The emulator's clock: the ticks by which requests are timed, and the time of day.
pub(super) fn clock() -> Value {
    json!({
        "now": clock::now().since_start().as_secs_f64(),
        "wall": epoch(clock::wall()),
        "speed": clock::speed(),
    })
}

#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    kind: AccountKind,
}

pub(super) async fn set_kind(State(state): SharedState, body: Body<Kind>) -> Answer {
    state.account.set_kind(read(body)?.kind);
    Ok(done())
}

#[derive(Debug, Deserialize)]
pub(super) struct Milliseconds {
    latency: u64,
}

pub(super) async fn set_latency(State(state): SharedState, body: Body<Milliseconds>) -> Answer {
    let latency = read(body)?.latency;
    if latency > LONGEST_LATENCY {
        return Err(refuse(StatusCode::BAD_REQUEST, "A latency is at most a minute."));
    }
    state.latency.set(Duration::from_millis(latency));
    Ok(done())
}

/// How to move the clock. All emulators of a process share it, with the clients in that process.
#[derive(Debug, Deserialize)]
pub(super) struct ClockChange {
    speed: Option<f64>,
    /// Seconds.
    advance: Option<u32>,
}

pub(super) async fn set_clock(body: Body<ClockChange>) -> Answer {
    let change = read(body)?;
    if let Some(speed) = change.speed {
        if !SPEEDS.contains(&speed) {
            return Err(refuse(StatusCode::BAD_REQUEST, "The clock runs 1 to 100000 times as fast as real time."));
        }
        clock::set_speed(speed);
    }
    if let Some(seconds) = change.advance {
        clock::advance(Duration::from_secs(seconds.into()));
    }
    Ok(ok(&clock()))
}

/// The lines for a shell that let clients use this account. They hold the API's token, so they are sent when asked for
/// only, and never shown.
pub(super) async fn environment(State(state): SharedState) -> Response {
    let authority = state.settings.tls.as_ref().map(|folder| folder.join("ca.pem"));
    let mut lines = vec![
        format!("export PYTHONANYWHERE_USERNAME={}", state.account.user()),
        format!("export PYTHONANYWHERE_SITE={}", state.url),
        format!("export API_TOKEN={}", state.token),
    ];
    if let Some(authority) = authority {
        lines.push(format!("export SSL_CERT_FILE={}", super::curl::quoted(&authority.to_string_lossy())));
    }
    ok(&json!({ "lines": lines }))
}
