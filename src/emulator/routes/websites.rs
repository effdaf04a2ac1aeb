//! Version 1's `websites/`: sites that are served by a command (<https://help.pythonanywhere.com/pages/ASGIAPI/>).

use std::io;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::fields::Fields;
use super::validation::{Validator, is_domain};
use crate::emulator::process::Website;
use crate::emulator::response::{self, Answer, forbidden, not_found};
use crate::emulator::settings::AccountKind;
use crate::emulator::state::{EmulatorState, SharedState};

/// The domain whose subdomains need no CNAME record.
const OWN_DOMAIN: &str = ".pythonanywhere.com";

const TAKEN: &str = "domain with this domain name already exists.";

fn shown(state: &EmulatorState, site: &Website) -> Value {
    let (id, domain) = (site.id, &site.domain_name);
    let log = |kind| format!("/var/log/{}", site.log_name(kind));
    let mut value = json!({
        "id": id,
        "user": state.account.user(),
        "domain_name": domain,
        "enabled": site.enabled,
        "webapp": {
            "id": id,
            "command": site.command,
            "domains": [{ "domain_name": domain, "enabled": site.enabled }],
        },
        "logfiles": { "access": log("access"), "error": log("error"), "server": log("server") },
    });
    if !domain.ends_with(OWN_DOMAIN) {
        value["cname"] = format!("webapp-{id}{OWN_DOMAIN}").into();
    }
    value
}

pub(crate) async fn list(State(state): SharedState) -> Response {
    let sites: Vec<Value> = state.processes.websites.all().await.iter().map(|site| shown(&state, site)).collect();
    response::json(StatusCode::OK, &sites)
}

/// The command in `webapp`, which is an object in JSON, and a field `webapp.command` in a form.
fn command(fields: &Fields) -> Option<String> {
    let nested = fields.get("webapp").and_then(|text| serde_json::from_str::<Value>(text).ok());
    let nested = nested.and_then(|webapp| webapp.get("command")?.as_str().map(str::to_owned));
    nested.or_else(|| fields.get("webapp.command").map(str::to_owned))
}

pub(crate) async fn create(State(state): SharedState, fields: Fields) -> Answer {
    let mut validator = Validator::whole(&fields);
    let domain = validator.required("domain_name").unwrap_or_default();
    check_domain(&state, &mut validator, domain).await;
    let command = command(&fields).filter(|command| !command.trim().is_empty()).unwrap_or_default();
    if command.is_empty() {
        validator.refuse_inside("webapp", "command", "This field is required.");
    }
    let enabled = validator.flag("enabled").unwrap_or(true);
    validator.done()?;
    if state.has_any_site().await && state.account.kind() == AccountKind::Free {
        return Err(forbidden());
    }
    let made = state.processes.websites.create(domain, &command, enabled, &state.session()).await;
    let site = match made {
        Ok(Some(site)) => site,
        Ok(None) => {
            // Another request was faster.
            validator.refuse("domain_name", TAKEN);
            return validator.done().map(|()| not_found());
        }
        Err(error) => return Ok(response::internal(&error)),
    };
    if let Err(error) = state.processes.logs.create_for(&site.domain_name) {
        return Ok(response::internal(&error));
    }
    Ok(response::json(StatusCode::CREATED, &shown(&state, &site)))
}

async fn check_domain(state: &EmulatorState, validator: &mut Validator<'_>, domain: &str) {
    if !domain.is_empty() && !is_domain(domain) {
        validator.refuse("domain_name", "Enter a valid domain name.");
    }
    if state.has_site(domain).await {
        validator.refuse("domain_name", TAKEN);
    }
}

fn found(state: &EmulatorState, site: io::Result<Option<Website>>) -> Response {
    response::found(site, |site| response::json(StatusCode::OK, &shown(state, &site)))
}

pub(crate) async fn read(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    found(&state, Ok(state.processes.websites.get(&domain).await))
}

/// Only `enabled` can be changed.
pub(crate) async fn update(
    State(state): SharedState,
    Path((_, domain)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    let mut validator = Validator::partial(&fields);
    let enabled = validator.flag("enabled");
    validator.done()?;
    let site = match enabled {
        Some(enabled) => state.processes.websites.enable(&domain, enabled, &state.session()).await,
        None => Ok(state.processes.websites.get(&domain).await),
    };
    Ok(found(&state, site))
}

pub(crate) async fn delete(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    if state.processes.websites.delete(&domain).await { response::empty(StatusCode::NO_CONTENT) } else { not_found() }
}

pub(crate) async fn reload(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    let reloaded = state.processes.websites.reload(&domain, &state.session()).await;
    response::found(reloaded, |_| response::json(StatusCode::OK, &json!({"status": "OK"})))
}
