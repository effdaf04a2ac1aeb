//! The account's own resources: CPU seconds, databases, Python versions, students, the system image.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::Fields;
use super::validation::Validator;
use crate::emulator::auth::paid_only;
use crate::emulator::preferences::{Preference, Preferences};
use crate::emulator::response::{self, Answer, not_found};
use crate::emulator::state::{EmulatorState, SharedState};

pub(crate) async fn cpu(State(state): SharedState) -> Response {
    let (used, next_reset) = state.processes.cpu_used_today();
    let value = json!({
        "daily_cpu_limit_seconds": state.account.kind().cpu_seconds(),
        "next_reset_time": next_reset,
        "daily_cpu_total_usage_seconds": used.as_secs_f64(),
    });
    response::json(StatusCode::OK, &value)
}

pub(crate) async fn mysql_databases(State(state): SharedState) -> Answer {
    paid_only(&state)?;
    let databases: Vec<Value> = state.settings.mysql_databases.iter().map(|name| json!({ "name": name })).collect();
    Ok(response::json(StatusCode::OK, &databases))
}

pub(crate) async fn students(State(state): SharedState) -> Response {
    let students: Vec<Value> =
        state.preferences.lock().students.iter().map(|name| json!({ "username": name })).collect();
    response::json(StatusCode::OK, &json!({ "students": students }))
}

/// The student's account remains; it only stops being a student of this one.
pub(crate) async fn delete_student(State(state): SharedState, Path((_, student)): Path<(String, String)>) -> Response {
    let students = &mut state.preferences.lock().students;
    let before = students.len();
    students.retain(|name| *name != student);
    if students.len() < before { response::empty(StatusCode::NO_CONTENT) } else { not_found() }
}

fn shown(preferences: &Preferences, preference: Preference) -> Response {
    let value = json!({
        preference.name(): preferences.get(preference),
        preference.name_of_choices(): preferences.choices(preference),
    });
    response::json(StatusCode::OK, &value)
}

#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
fn set(state: &EmulatorState, preference: Preference, fields: &Fields) -> Answer {
    let mut preferences = state.preferences.lock();
    let mut validator = Validator::whole(fields);
    let chosen = validator.choice(preference.name(), preferences.choices(preference));
    validator.done()?;
    preferences.set(preference, chosen.unwrap_or_default());
    Ok(shown(&preferences, preference))
}

/// A pair of handlers for each preference, since the service has an endpoint for each.
macro_rules! settings {
    ($($get:ident, $set:ident => $preference:ident),+ $(,)?) => {$(
        pub(crate) async fn $get(State(state): SharedState) -> Response {
            shown(&state.preferences.lock(), Preference::$preference)
        }

        pub(crate) async fn $set(State(state): SharedState, fields: Fields) -> Answer {
            set(&state, Preference::$preference, &fields)
        }
    )+};
}

settings! {
    default_python3_version, set_default_python3_version => Python3,
    default_python_version, set_default_python_version => Python,
    default_save_and_run_python_version, set_default_save_and_run_python_version => SaveAndRun,
    system_image, set_system_image => SystemImage,
}
