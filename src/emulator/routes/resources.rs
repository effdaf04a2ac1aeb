//! What belongs to the account itself: CPU seconds, databases, Python versions, students, the system image.

use std::sync::Arc;

use axum::extract::{Path, State as Shared};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::Fields;
use super::validation::Checked;
use crate::emulator::auth::paid_only;
use crate::emulator::preferences::{Preferences, Setting};
use crate::emulator::response::{self, not_found};
use crate::emulator::state::State;

type Emulator = Shared<Arc<State>>;

pub(crate) async fn cpu(Shared(state): Emulator) -> Response {
    let (used, next_reset) = state.processes.cpu_used_today();
    let value = json!({
        "daily_cpu_limit_seconds": state.settings.account.cpu_seconds(),
        "next_reset_time": next_reset,
        "daily_cpu_total_usage_seconds": used.as_secs_f64(),
    });
    response::json(StatusCode::OK, &value)
}

pub(crate) async fn mysql_databases(Shared(state): Emulator) -> Result<Response, Response> {
    paid_only(&state)?;
    let databases: Vec<Value> = state.settings.mysql_databases.iter().map(|name| json!({ "name": name })).collect();
    Ok(response::json(StatusCode::OK, &databases))
}

pub(crate) async fn students(Shared(state): Emulator) -> Response {
    let students: Vec<Value> =
        state.preferences.lock().students.iter().map(|name| json!({ "username": name })).collect();
    response::json(StatusCode::OK, &json!({ "students": students }))
}

/// The student's account stays; it is no longer a student of this one.
pub(crate) async fn delete_student(Shared(state): Emulator, Path((_, student)): Path<(String, String)>) -> Response {
    let students = &mut state.preferences.lock().students;
    let before = students.len();
    students.retain(|name| *name != student);
    if students.len() < before { response::empty(StatusCode::NO_CONTENT) } else { not_found() }
}

fn shown(preferences: &Preferences, setting: Setting) -> Response {
    let value = json!({
        setting.name(): preferences.get(setting),
        setting.name_of_choices(): preferences.choices(setting),
    });
    response::json(StatusCode::OK, &value)
}

#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
fn set(state: &State, setting: Setting, fields: &Fields) -> Result<Response, Response> {
    let mut preferences = state.preferences.lock();
    let mut checked = Checked::whole(fields);
    let chosen = checked.choice(setting.name(), preferences.choices(setting));
    checked.done()?;
    preferences.set(setting, chosen.unwrap_or_default());
    Ok(shown(&preferences, setting))
}

/// A pair of handlers for each setting: the service names them apart.
macro_rules! settings {
    ($($get:ident, $set:ident => $setting:ident),+ $(,)?) => {$(
        pub(crate) async fn $get(Shared(state): Emulator) -> Response {
            shown(&state.preferences.lock(), Setting::$setting)
        }

        pub(crate) async fn $set(Shared(state): Emulator, fields: Fields) -> Result<Response, Response> {
            set(&state, Setting::$setting, &fields)
        }
    )+};
}

settings! {
    default_python3_version, set_default_python3_version => Python3,
    default_python_version, set_default_python_version => Python,
    default_save_and_run_python_version, set_default_save_and_run_python_version => SaveAndRun,
    system_image, set_system_image => SystemImage,
}
