//! `schedule/`: creating, changing and deleting scheduled tasks. Free accounts have none.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::Fields;
use super::id::{PathId, UserAndId};
use super::validation::Validator;
use crate::emulator::auth::paid_only;
use crate::emulator::process::{Interval, ScheduledTask};
use crate::emulator::response::{self, Answer, not_found};
use crate::emulator::state::{EmulatorState, SharedState};

fn shown(state: &EmulatorState, task: &ScheduledTask) -> Value {
    let (user, id) = (state.account.user(), task.id);
    json!({
        "id": id,
        "url": format!("/api/v0/user/{user}/schedule/{id}/"),
        "user": user,
        "command": task.command,
        // Only tasks of free accounts used to expire.
        "expiry": null,
        "enabled": task.enabled,
        "logfile": format!("/user/{user}/files/var/log/{}", task.log_name()),
        "extend_url": format!("/user/{user}/schedule/task/{id}/extend"),
        "interval": task.interval,
        "hour": task.hour,
        "minute": task.minute,
        "printable_time": task.printable_time(),
        "can_enable": !task.enabled,
        "description": task.description,
    })
}

pub(crate) async fn list(State(state): SharedState) -> Answer {
    paid_only(&state)?;
    let tasks = state.processes.schedule.all().await;
    let tasks: Vec<Value> = tasks.iter().map(|task| shown(&state, task)).collect();
    Ok(response::json(StatusCode::OK, &tasks))
}

/// The task that results from the fields, based on `old` if there is one.
#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
fn read_task(mut validator: Validator<'_>, old: Option<&ScheduledTask>) -> Result<ScheduledTask, Response> {
    let command = validator.required("command").map(str::to_owned);
    let interval = read_interval(&mut validator, old);
    // Required unless the task has it; the framework checks that it is present before it checks the number.
    let minute = validator.required("minute").and_then(|_| validator.number("minute", 59));
    let hour = read_hour(&mut validator, interval, old);
    let enabled = validator.flag("enabled");
    let description = validator.optional("description").map(str::to_owned);
    validator.done()?;
    let kept = |new: Option<String>, old: Option<&String>| new.or_else(|| old.cloned()).unwrap_or_default();
    Ok(ScheduledTask {
        id: old.map_or(0, |task| task.id),
        command: kept(command, old.map(|task| &task.command)),
        description: kept(description, old.map(|task| &task.description)),
        enabled: enabled.or(old.map(|task| task.enabled)).unwrap_or(true),
        interval,
        hour,
        minute: minute.or(old.map(|task| task.minute)).unwrap_or_default(),
    })
}

fn read_interval(validator: &mut Validator<'_>, old: Option<&ScheduledTask>) -> Interval {
    match validator.choice("interval", &["daily", "hourly"]) {
        Some("hourly") => Interval::Hourly,
        Some(_) => Interval::Daily,
        None => old.map_or(Interval::Daily, |task| task.interval),
    }
}

fn read_hour(validator: &mut Validator<'_>, interval: Interval, old: Option<&ScheduledTask>) -> Option<u8> {
    let given = validator.number("hour", 23);
    if interval == Interval::Hourly {
        if given.is_some() {
            validator.refuse("hour", "Hourly tasks must not have an hour.");
        }
        return None;
    }
    let hour = given.or(old.and_then(|task| task.hour));
    if hour.is_none() {
        validator.refuse_if_valid("hour", "This field is required.");
    }
    hour
}

pub(crate) async fn create(State(state): SharedState, fields: Fields) -> Answer {
    paid_only(&state)?;
    let task = read_task(Validator::whole(&fields), None)?;
    let task = state.processes.schedule.create(task, &state.session()).await;
    Ok(response::json(StatusCode::CREATED, &shown(&state, &task)))
}

pub(crate) async fn read(State(state): SharedState, PathId((_, id)): UserAndId) -> Answer {
    paid_only(&state)?;
    let task = state.processes.schedule.get(id).await;
    Ok(task.map_or_else(not_found, |task| response::json(StatusCode::OK, &shown(&state, &task))))
}

pub(crate) async fn replace(State(state): SharedState, PathId((_, id)): UserAndId, fields: Fields) -> Answer {
    change(&state, id, Validator::whole(&fields)).await
}

pub(crate) async fn update(State(state): SharedState, PathId((_, id)): UserAndId, fields: Fields) -> Answer {
    change(&state, id, Validator::partial(&fields)).await
}

async fn change(state: &EmulatorState, id: u64, validator: Validator<'_>) -> Answer {
    paid_only(state)?;
    let Some(old) = state.processes.schedule.get(id).await else { return Ok(not_found()) };
    let task = read_task(validator, Some(&old))?;
    let answer = response::json(StatusCode::OK, &shown(state, &task));
    // It may have been deleted in the meantime.
    Ok(if state.processes.schedule.replace(task, &state.session()).await { answer } else { not_found() })
}

pub(crate) async fn delete(State(state): SharedState, PathId((_, id)): UserAndId) -> Answer {
    paid_only(&state)?;
    let deleted = state.processes.schedule.delete(id).await;
    Ok(if deleted { response::empty(StatusCode::NO_CONTENT) } else { not_found() })
}
