//! `webapps/`: creating, changing, reloading and deleting web apps.

use std::fs;
use std::io;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{StatusCode, header};
use serde_json::{Value, json};

use super::fields::Fields;
use super::validation::{Validator, is_domain};
use crate::clock;
use crate::emulator::calendar;
use crate::emulator::process::{WebApp, wsgi_path};
use crate::emulator::response::{self, Answer, not_found};
use crate::emulator::settings::AccountKind;
use crate::emulator::state::{EmulatorState, SharedState};

/// What a new web app serves: one function, as on the service, below and above examples that are commented out. The
/// service's own text is its own; tools know the file by this function.
const PLACEHOLDER: &str = include_str!("placeholder_wsgi.py");

/// The code for a second web app at the same domain.
const TAKEN: &str = "domain_taken";

const DAY: Duration = Duration::from_secs(24 * 3600);

const TOO_MANY: &str = "You have reached your maximum number of web apps";

/// A web app as the service returns it.
fn shown(app: &WebApp) -> Value {
    let mut value = serde_json::to_value(app).unwrap_or_default();
    for (name, text) in [("virtualenv_path", &app.virtualenv_path), ("expiry", &app.expiry)] {
        if text.is_empty() {
            value[name] = Value::Null;
        }
    }
    // These have their own endpoints.
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| name != "static_files" && name != "static_headers");
    }
    value
}

pub(crate) async fn list(State(state): SharedState) -> Response {
    let apps: Vec<Value> = state.processes.webapps.all().iter().map(shown).collect();
    response::json(StatusCode::OK, &apps)
}

pub(crate) async fn read(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    match state.processes.webapps.get(&domain) {
        Some(app) => response::json(StatusCode::OK, &shown(&app)),
        None => not_found(),
    }
}

/// How the service refuses a new web app: with an error in the body, and with status 200 or 400.
fn refused(state: &EmulatorState, kind: &str, text: &str) -> Response {
    let is_bad = kind == TAKEN && state.settings.undocumented.taken_domain_400;
    let status = if is_bad { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    text_json(status, &json!({"status": "ERROR", "error_type": kind, "error_message": text}))
}

fn text_json(status: StatusCode, value: &Value) -> Response {
    response::with_header(response::json(status, value), header::CONTENT_TYPE, "text/json")
}

pub(crate) async fn create(State(state): SharedState, fields: Fields) -> Response {
    if let Err(missing) = fields.require(&["domain_name", "python_version"]) {
        return *missing;
    }
    let domain = fields.get("domain_name").unwrap_or_default().to_lowercase();
    let Some(python_version) = dotted_version(fields.get("python_version").unwrap_or_default()) else {
        return response::json(StatusCode::BAD_REQUEST, &json!({"python_version": ["Select a valid choice."]}));
    };
    if !is_domain(&domain) {
        return response::json(StatusCode::BAD_REQUEST, &json!({"domain_name": ["Enter a valid domain name."]}));
    }
    if let Err((kind, text)) = check_beside_websites(&state, &domain).await {
        return refused(&state, kind, &text);
    }
    match make(&state, &domain, &python_version) {
        Ok(Ok(app)) => text_json(StatusCode::OK, &json!({"status": "OK", "webapp": shown(&app)})),
        Ok(Err((kind, text))) => refused(&state, kind, &text),
        Err(error) => response::internal(&error),
    }
}

/// Why a web app was not created: the service's code and message.
type Refusal = (&'static str, String);

fn taken(domain: &str) -> Refusal {
    (TAKEN, format!("You already have a web app at {domain}"))
}

/// Whether the account may have another site beside so many.
fn check_room(state: &EmulatorState, sites: usize) -> Result<(), Refusal> {
    if state.account.kind() == AccountKind::Free && sites > 0 {
        return Err(("too_many_webapps", TOO_MANY.to_owned()));
    }
    Ok(())
}

/// Whether a web app may be created beside the account's websites.
async fn check_beside_websites(state: &EmulatorState, domain: &str) -> Result<(), Refusal> {
    if state.processes.websites.get(domain).await.is_some() {
        return Err(taken(domain));
    }
    check_room(state, state.processes.websites.all().await.len())
}

/// The same beside its other web apps.
fn check_beside(state: &EmulatorState, apps: &[WebApp], domain: &str) -> Result<(), Refusal> {
    if apps.iter().any(|app| app.domain_name == domain) {
        return Err(taken(domain));
    }
    check_room(state, apps.len())
}

/// A web app as the service's manual configuration makes it.
fn new_app(state: &EmulatorState, id: u64, domain: &str, python_version: &str) -> WebApp {
    let home = format!("/home/{}/", state.account.user());
    let expiry = match state.account.kind() {
        AccountKind::Free => calendar::day(clock::wall() + DAY * state.settings.webapp_days),
        AccountKind::Paid => String::new(),
    };
    WebApp {
        id,
        user: state.account.user().to_owned(),
        domain_name: domain.to_owned(),
        python_version: python_version.to_owned(),
        source_directory: home.clone(),
        working_directory: home,
        virtualenv_path: String::new(),
        expiry,
        force_https: false,
        password_protection_enabled: false,
        password_protection_username: String::new(),
        password_protection_password: String::new(),
        enabled: true,
        static_files: Vec::new(),
        static_headers: Vec::new(),
    }
}

/// Creates a web app, its WSGI file and its logs, as the service's manual configuration does.
fn make(state: &EmulatorState, domain: &str, python_version: &str) -> io::Result<Result<WebApp, Refusal>> {
    let made = state.processes.webapps.change(|apps| {
        check_beside(state, apps, domain)?;
        let id = apps.iter().map(|app| app.id).max().unwrap_or(0) + 1;
        let app = new_app(state, id, domain, python_version);
        apps.push(app.clone());
        Ok(app)
    })?;
    if let Ok(app) = &made {
        state.processes.webapps.load(app);
        fs::write(state.account.root().join(wsgi_path(domain).trim_start_matches('/')), PLACEHOLDER)?;
        state.processes.logs.create_for(domain)?;
    }
    Ok(made)
}

pub(crate) async fn update(
    State(state): SharedState,
    Path((_, domain)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    if state.processes.webapps.get(&domain).is_none() {
        return Ok(not_found());
    }
    let mut validator = Validator::partial(&fields);
    let changes = Changes::read(&fields, &mut validator);
    validator.done()?;
    let updated = state.processes.webapps.change(|apps| {
        let app = apps.iter_mut().find(|app| app.domain_name.eq_ignore_ascii_case(&domain))?;
        apply(app, &fields);
        changes.apply(app);
        Some(app.clone())
    });
    Ok(response::found(updated, |app| response::json(StatusCode::OK, &shown(&app))))
}

/// The changes of what is no text.
struct Changes {
    python_version: Option<String>,
    force_https: Option<bool>,
    password_protection: Option<bool>,
}

impl Changes {
    fn read(fields: &Fields, validator: &mut Validator<'_>) -> Self {
        let python_version = fields.get("python_version").map(dotted_version);
        if python_version == Some(None) {
            validator.refuse("python_version", "Select a valid choice.");
        }
        let force_https = validator.flag("force_https");
        let password_protection = validator.flag("password_protection_enabled");
        Self { python_version: python_version.flatten(), force_https, password_protection }
    }

    fn apply(self, app: &mut WebApp) {
        app.python_version = self.python_version.unwrap_or_else(|| app.python_version.clone());
        app.force_https = self.force_https.unwrap_or(app.force_https);
        app.password_protection_enabled = self.password_protection.unwrap_or(app.password_protection_enabled);
    }
}

/// Sets the texts among the fields.
fn apply(app: &mut WebApp, fields: &Fields) {
    let set = |target: &mut String, name: &str| {
        if let Some(value) = fields.get(name) {
            value.clone_into(target);
        }
    };
    set(&mut app.source_directory, "source_directory");
    set(&mut app.working_directory, "working_directory");
    set(&mut app.virtualenv_path, "virtualenv_path");
    set(&mut app.password_protection_username, "password_protection_username");
    set(&mut app.password_protection_password, "password_protection_password");
}

/// Takes the site offline. The code remains, and the WSGI file is kept under another name.
pub(crate) async fn delete(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    let removed = state.processes.webapps.change(|apps| {
        let index = apps.iter().position(|app| app.domain_name.eq_ignore_ascii_case(&domain))?;
        Some(apps.remove(index))
    });
    match removed {
        Ok(Some(app)) => {
            state.processes.webapps.unload(&app.domain_name);
            state.processes.workers.retire(&app.domain_name).await;
            let wsgi = state.account.root().join(wsgi_path(&app.domain_name).trim_start_matches('/'));
            match fs::rename(&wsgi, wsgi.with_extension("py.bak")) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => response::internal(&error),
                _ => response::empty(StatusCode::NO_CONTENT),
            }
        }
        Ok(None) => not_found(),
        Err(error) => response::internal(&error),
    }
}

pub(crate) async fn reload(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    let Some(app) = state.processes.webapps.get(&domain) else { return not_found() };
    if !app.is_served(clock::wall()) {
        return response::html(StatusCode::INTERNAL_SERVER_ERROR, "<h1>Server Error (500)</h1>");
    }
    let reloaded = state.processes.workers.reload(&app, &state.session()).await;
    if reloaded.is_ok() {
        state.processes.webapps.load(&app);
    }
    match reloaded {
        Ok(()) if state.settings.undocumented.cname_error => {
            response::json(StatusCode::CONFLICT, &json!({"status": "ERROR", "error": "cname_error"}))
        }
        Ok(()) => response::json(StatusCode::OK, &json!({"status": "OK"})),
        Err(error) => response::internal(&error),
    }
}

pub(crate) async fn enable(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    switch(&state, &domain, true).await
}

pub(crate) async fn disable(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    switch(&state, &domain, false).await
}

async fn switch(state: &EmulatorState, domain: &str, enabled: bool) -> Response {
    let switched = state.processes.webapps.change(|apps| {
        let app = apps.iter_mut().find(|app| app.domain_name.eq_ignore_ascii_case(domain))?;
        app.enabled = enabled;
        Some(app.domain_name.clone())
    });
    match switched {
        Ok(Some(domain)) => {
            if !enabled {
                state.processes.workers.retire(&domain).await;
            }
            response::json(StatusCode::OK, &json!({"status": "OK"}))
        }
        Ok(None) => not_found(),
        Err(error) => response::internal(&error),
    }
}

/// Returns `python313` or `3.13` as `3.13`; `None` for a version that the service does not have.
fn dotted_version(text: &str) -> Option<String> {
    let digits = text.strip_prefix("python").unwrap_or(text);
    let minor: u32 = digits.strip_prefix("3.").or_else(|| digits.strip_prefix('3'))?.parse().ok()?;
    (6..=14).contains(&minor).then(|| format!("3.{minor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_in_two_spellings() {
        assert_eq!(dotted_version("python313"), Some("3.13".to_owned()));
        assert_eq!(dotted_version("3.10"), Some("3.10".to_owned()));
        for bad in ["", "python27", "3", "python3", "python399", "ruby"] {
            assert_eq!(dotted_version(bad), None, "{bad}");
        }
    }
}
