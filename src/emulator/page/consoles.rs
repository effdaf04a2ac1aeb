//! Consoles on the page: open, type, look, close.

use std::collections::HashMap;

use axum::extract::{Path, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json::{Body, done, gone, ok, read, refuse};
use crate::emulator::process::Console;
use crate::emulator::response::Answer;
use crate::emulator::state::{EmulatorState, SharedState};

/// What the page offers; the API takes more.
const EXECUTABLES: [&str; 2] = ["bash", "python3"];

pub(super) fn all(state: &EmulatorState) -> Value {
    let shown = |console: Console| {
        json!({
            "id": console.id,
            "executable": console.executable,
            "arguments": console.arguments,
            "working_directory": console.working_directory,
            "started": state.processes.consoles.is_started(console.id),
        })
    };
    state.processes.consoles.all().into_iter().map(shown).collect()
}

/// The screens that changed since the states that are known, which are brought up to date.
pub(super) fn screens(state: &EmulatorState, known: &mut HashMap<u64, u64>) -> Vec<Value> {
    let consoles = state.processes.consoles.all();
    known.retain(|id, _| consoles.iter().any(|console| console.id == *id));
    let mut changed = Vec::new();
    for Console { id, .. } in consoles {
        if let Some((version, content)) = state.processes.consoles.screen(id, known.get(&id).copied()) {
            known.insert(id, version);
            changed.push(json!({ "id": id, "content": content }));
        }
    }
    changed
}

#[derive(Debug, Deserialize)]
pub(super) struct NewConsole {
    executable: String,
}

/// Makes a console and opens it.
pub(super) async fn create(State(state): SharedState, body: Body<NewConsole>) -> Answer {
    let executable = read(body)?.executable;
    if !EXECUTABLES.contains(&executable.as_str()) {
        return Err(refuse(StatusCode::BAD_REQUEST, "The page opens bash and python3."));
    }
    let (consoles, most) = (&state.processes.consoles, state.account.kind().consoles());
    let Some(console) = consoles.create(state.account.user(), &executable, "", None, most) else {
        let text = format!("This kind of account has at most {most} consoles: close one first.");
        return Err(refuse(StatusCode::CONFLICT, &text));
    };
    start(&state, console.id)?;
    Ok(ok(&json!({ "id": console.id })))
}

/// Opens a console, as its page in a browser does.
pub(super) async fn open(State(state): SharedState, Path(id): Path<u64>) -> Answer {
    start(&state, id)?;
    Ok(done())
}

#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
fn start(state: &EmulatorState, id: u64) -> Result<(), axum::response::Response> {
    let opened = state.processes.consoles.open(id, &state.session()).ok_or_else(|| gone("The console"))?;
    opened.map_err(|error| refuse(StatusCode::INTERNAL_SERVER_ERROR, &format!("The console does not start: {error}.")))
}

#[derive(Debug, Deserialize)]
pub(super) struct Input {
    text: String,
}

pub(super) async fn enter(State(state): SharedState, Path(id): Path<u64>, body: Body<Input>) -> Answer {
    let text = read(body)?.text;
    let entered = state.processes.consoles.send_input(id, &text).ok_or_else(|| gone("The console"))?;
    entered.map_err(|error| refuse(StatusCode::CONFLICT, &format!("Nothing was typed: {error}.")))?;
    Ok(done())
}

pub(super) async fn close(State(state): SharedState, Path(id): Path<u64>) -> Answer {
    // It waits until the console's processes have ended.
    let killed = tokio::task::spawn_blocking(move || state.processes.consoles.kill(id)).await;
    if killed.unwrap_or(false) { Ok(done()) } else { Err(gone("The console")) }
}
