//! `webapps/{domain}/static_files/` and `…/static_headers/`: a web app's static file mappings and their headers.
//!
//! Both are lists of small records that differ only in their fields, so each handler is written once for both. A change
//! takes effect when the web app is reloaded.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::fields::Fields;
use super::id::PathId;
use super::validation::Validator;
use crate::emulator::process::{StaticFile, StaticHeader, WebApp};
use crate::emulator::response::{self, Answer, not_found};
use crate::emulator::state::{EmulatorState, SharedState};

type Item = PathId<(String, String, u64)>;

/// A record in one of a web app's lists.
pub(crate) trait Mapping: Serialize + Clone + Default + Send {
    /// The list that contains it.
    fn list(app: &mut WebApp) -> &mut Vec<Self>;

    /// Its id.
    fn id(&mut self) -> &mut u64;

    /// Sets the fields that are given.
    fn fill(&mut self, validator: &mut Validator<'_>);
}

fn fill(target: &mut String, validator: &mut Validator<'_>, name: &str) {
    if let Some(value) = validator.required(name) {
        value.clone_into(target);
    }
}

impl Mapping for StaticFile {
    fn list(app: &mut WebApp) -> &mut Vec<Self> {
        &mut app.static_files
    }

    fn id(&mut self) -> &mut u64 {
        &mut self.id
    }

    fn fill(&mut self, validator: &mut Validator<'_>) {
        fill(&mut self.url, validator, "url");
        fill(&mut self.path, validator, "path");
    }
}

impl Mapping for StaticHeader {
    fn list(app: &mut WebApp) -> &mut Vec<Self> {
        &mut app.static_headers
    }

    fn id(&mut self) -> &mut u64 {
        &mut self.id
    }

    fn fill(&mut self, validator: &mut Validator<'_>) {
        fill(&mut self.url, validator, "url");
        fill(&mut self.name, validator, "name");
        fill(&mut self.value, validator, "value");
        // A header that cannot be sent would be dropped silently.
        if !self.name.is_empty() && HeaderName::try_from(&self.name).is_err() {
            validator.refuse("name", "Enter a valid value.");
        }
        if HeaderValue::try_from(&self.value).is_err() {
            validator.refuse("value", "Enter a valid value.");
        }
    }
}

pub(crate) async fn list<T: Mapping>(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    match state.processes.webapps.get(&domain) {
        Some(mut app) => response::json(StatusCode::OK, T::list(&mut app)),
        None => not_found(),
    }
}

pub(crate) async fn create<T: Mapping>(
    State(state): SharedState,
    Path((_, domain)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    if state.processes.webapps.get(&domain).is_none() {
        return Ok(not_found());
    }
    let mut made = T::default();
    let mut validator = Validator::whole(&fields);
    made.fill(&mut validator);
    validator.done()?;
    Ok(change(&state, &domain, StatusCode::CREATED, |apps, index| {
        let ids = apps.iter_mut().flat_map(|app| T::list(app).iter_mut().map(|item| *item.id()));
        *made.id() = ids.max().unwrap_or(0) + 1;
        T::list(&mut apps[index]).push(made.clone());
        Some(made)
    }))
}

pub(crate) async fn read<T: Mapping>(State(state): SharedState, PathId((_, domain, id)): Item) -> Response {
    match find::<T>(&state, &domain, id) {
        Some(item) => response::json(StatusCode::OK, &item),
        None => not_found(),
    }
}

pub(crate) async fn replace<T: Mapping>(
    State(state): SharedState,
    PathId((_, domain, id)): Item,
    fields: Fields,
) -> Answer {
    put(&state, &domain, id, Validator::whole(&fields), T::default())
}

pub(crate) async fn update<T: Mapping>(
    State(state): SharedState,
    PathId((_, domain, id)): Item,
    fields: Fields,
) -> Answer {
    let Some(old) = find::<T>(&state, &domain, id) else { return Ok(not_found()) };
    put(&state, &domain, id, Validator::partial(&fields), old)
}

#[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
fn put<T: Mapping>(state: &EmulatorState, domain: &str, id: u64, mut validator: Validator<'_>, mut item: T) -> Answer {
    if find::<T>(state, domain, id).is_none() {
        return Ok(not_found());
    }
    item.fill(&mut validator);
    validator.done()?;
    *item.id() = id;
    Ok(change(state, domain, StatusCode::OK, |apps, index| {
        let place = T::list(&mut apps[index]).iter_mut().find_map(|item| (*item.id() == id).then_some(item))?;
        place.clone_from(&item);
        Some(item)
    }))
}

pub(crate) async fn delete<T: Mapping>(State(state): SharedState, PathId((_, domain, id)): Item) -> Response {
    if find::<T>(&state, &domain, id).is_none() {
        return not_found();
    }
    let deleted = state.processes.webapps.change(|apps| {
        for app in apps.iter_mut().filter(|app| app.domain_name.eq_ignore_ascii_case(&domain)) {
            T::list(app).retain_mut(|item| *item.id() != id);
        }
    });
    match deleted {
        Ok(()) => response::empty(StatusCode::NO_CONTENT),
        Err(error) => response::internal(&error),
    }
}

fn find<T: Mapping>(state: &EmulatorState, domain: &str, id: u64) -> Option<T> {
    let mut app = state.processes.webapps.get(domain)?;
    T::list(&mut app).iter_mut().find_map(|item| (*item.id() == id).then(|| item.clone()))
}

/// Changes the web app at `domain`, and responds with what the change returns.
fn change<T: Mapping>(
    state: &EmulatorState,
    domain: &str,
    status: StatusCode,
    change: impl FnOnce(&mut Vec<WebApp>, usize) -> Option<T>,
) -> Response {
    let changed = state.processes.webapps.change(|apps| {
        let index = apps.iter().position(|app| app.domain_name.eq_ignore_ascii_case(domain))?;
        change(apps, index)
    });
    response::found(changed, |item| response::json(status, &item))
}
