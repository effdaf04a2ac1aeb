//! `always_on/`: creating, changing, restarting and deleting always-on tasks. Free accounts have none.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::Fields;
use super::id::{PathId, UserAndId};
use super::validation::Validator;
use crate::emulator::auth::paid_only;
use crate::emulator::process::AlwaysOnTask;
use crate::emulator::response::{self, Answer, not_found};
use crate::emulator::state::{EmulatorState, SharedState};

fn shown(state: &EmulatorState, task: &AlwaysOnTask) -> Value {
    let user = state.account.user();
    json!({
        "id": task.id,
        "user": user,
        "url": format!("/api/v0/user/{user}/always_on/{}/", task.id),
        "command": task.command,
        "description": task.description,
        "enabled": task.enabled,
        "state": match task {
            AlwaysOnTask { enabled: false, .. } => "Paused",
            AlwaysOnTask { running: true, .. } => "Running",
            AlwaysOnTask { running: false, .. } => "Starting",
        },
        "logfile": format!("/user/{user}/files/var/log/{}", task.log_name()),
    })
}

fn found(state: &EmulatorState, task: Option<AlwaysOnTask>) -> Response {
    task.map_or_else(not_found, |task| response::json(StatusCode::OK, &shown(state, &task)))
}

pub(crate) async fn list(State(state): SharedState) -> Answer {
    paid_only(&state)?;
    let tasks = state.processes.always_on.all().await;
    let tasks: Vec<Value> = tasks.iter().map(|task| shown(&state, task)).collect();
    Ok(response::json(StatusCode::OK, &tasks))
}

pub(crate) async fn create(State(state): SharedState, fields: Fields) -> Answer {
    paid_only(&state)?;
    let mut validator = Validator::whole(&fields);
    let command = validator.required("command").unwrap_or_default();
    let description = validator.optional("description").unwrap_or_default();
    let enabled = validator.flag("enabled").unwrap_or(true);
    validator.done()?;
    let task = state.processes.always_on.create(command, description, enabled, &state.session()).await;
    Ok(response::json(StatusCode::CREATED, &shown(&state, &task)))
}

pub(crate) async fn read(State(state): SharedState, PathId((_, id)): UserAndId) -> Answer {
    paid_only(&state)?;
    Ok(found(&state, state.processes.always_on.get(id).await))
}

pub(crate) async fn replace(State(state): SharedState, PathId((_, id)): UserAndId, fields: Fields) -> Answer {
    change(&state, id, Validator::whole(&fields)).await
}

pub(crate) async fn update(State(state): SharedState, PathId((_, id)): UserAndId, fields: Fields) -> Answer {
    change(&state, id, Validator::partial(&fields)).await
}

async fn change(state: &EmulatorState, id: u64, mut validator: Validator<'_>) -> Answer {
    paid_only(state)?;
    if state.processes.always_on.get(id).await.is_none() {
        return Ok(not_found());
    }
    let command = validator.required("command");
    let description = validator.optional("description");
    let enabled = validator.flag("enabled");
    validator.done()?;
    let change = |task: &mut AlwaysOnTask| {
        task.command = command.map_or_else(|| std::mem::take(&mut task.command), str::to_owned);
        task.description = description.map_or_else(|| std::mem::take(&mut task.description), str::to_owned);
        task.enabled = enabled.unwrap_or(task.enabled);
    };
    let changed = state.processes.always_on.change(id, &state.session(), change).await;
    Ok(found(state, changed))
}

pub(crate) async fn delete(State(state): SharedState, PathId((_, id)): UserAndId) -> Answer {
    paid_only(&state)?;
    let deleted = state.processes.always_on.delete(id).await;
    Ok(if deleted { response::empty(StatusCode::NO_CONTENT) } else { not_found() })
}

pub(crate) async fn restart(State(state): SharedState, PathId((_, id)): UserAndId) -> Answer {
    paid_only(&state)?;
    let restarted = state.processes.always_on.restart(id, &state.session()).await;
    Ok(found(&state, restarted))
}
