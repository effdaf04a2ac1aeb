//! Faults as switches, and the requests that they hold.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::json::{Body, done, gone, ok, read, refuse};
use crate::emulator::fault::spec::FaultSpec;
use crate::emulator::response::Answer;
use crate::emulator::state::{EmulatorState, SharedState};

/// All rules, those of tests too.
pub(super) fn all(state: &EmulatorState) -> Value {
    state.faults.all().into_iter().map(|(id, rule)| json!({ "id": id, "rule": FaultSpec::of(rule) })).collect()
}

pub(super) async fn add(State(state): SharedState, body: Body<FaultSpec>) -> Answer {
    let added = read(body)?.rule().and_then(|rule| state.faults.add(rule));
    let id = added.map_err(|error| refuse(StatusCode::BAD_REQUEST, &format!("No fault was added: {error}.")))?;
    Ok(ok(&json!({ "id": id })))
}

pub(super) async fn remove(State(state): SharedState, Path(id): Path<u64>) -> Answer {
    if state.faults.remove(id) { Ok(done()) } else { Err(gone("The fault")) }
}

/// Removes all rules and lets go what they hold.
pub(super) async fn clear(State(state): SharedState) -> Response {
    state.faults.clear();
    state.held.release_all();
    done()
}

pub(super) async fn release(State(state): SharedState, Path(number): Path<u64>) -> Answer {
    if state.held.release(number) { Ok(done()) } else { Err(gone("The request")) }
}

pub(super) async fn release_all(State(state): SharedState) -> Response {
    state.held.release_all();
    done()
}
