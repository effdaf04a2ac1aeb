//! `pya webfaction`: one call of the WebFaction API, in a session of its own.
//!
//! Credentials come from the environment alone, since a command line is visible to every user of the machine. The call
//! and its arguments are checked before anything is sent: a mistyped name never reaches a server.

use std::io::BufRead;
use std::time::Duration;

use serde_json::json;

use super::createsuperuser::in_environment;
use crate::blocking::blocking;
use crate::cli::args::Webfaction;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::error::{Error, Result};
use crate::parameters::{Kind, Parameter};
use crate::webfaction::{
    CALLS, CallError, DEFAULT_TIMEOUT, DEFAULT_URL, DateTime, Fault, Service, Value, WebfactionCall, find,
};

const USERNAME: &str = "WEBFACTION_USERNAME";
const PASSWORD: &str = "WEBFACTION_PASSWORD";
const MACHINE: &str = "WEBFACTION_MACHINE";

pub async fn run(args: &Webfaction, context: &Context) -> Result<Exit> {
    let call = find(&args.call).ok_or_else(|| unknown(&args.call))?;
    let arguments = arguments(call, &args.args).await?;
    let timeout = context.global.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs_f64);
    let service = Service::new(args.url.as_deref().unwrap_or(DEFAULT_URL), timeout)?;
    match in_session(&service, call, arguments).await {
        Ok(value) => {
            context.output.answer(&text(&value), &json(&value));
            Ok(Exit::Ok)
        }
        Err(CallError::Fault(fault)) => {
            print_fault(call, &fault, &context.output);
            Ok(Exit::Failed)
        }
        Err(CallError::Other(error)) => Err(error),
    }
}

/// What was typed, as the call takes it.
async fn arguments(call: &WebfactionCall, words: &[String]) -> Result<Vec<Value>> {
    if call.takes_session() { values(call, &with_typed_secret(call, words).await?) } else { refuse_any(words) }
}

fn print_fault(call: &WebfactionCall, fault: &Fault, output: &Output) {
    output.failure(&format!("{}: {fault}", call.name));
    let error = json!({ "kind": "Fault", "code": fault.code, "message": fault.message });
    output.answer("", &json!({ "ok": false, "error": error }));
}

/// Logs in and makes the call; the answer to a login is the account without the session.
async fn in_session(service: &Service, call: &WebfactionCall, arguments: Vec<Value>) -> Result<Value, CallError> {
    let login = find("login").ok_or(Error::Closed)?;
    let account = service.call(login, credentials()?).await?;
    if call.takes_session() {
        return service.call(call, arguments).await;
    }
    match account {
        Value::Array(items) => Ok(items.into_iter().nth(1).unwrap_or(Value::Nil)),
        other => Ok(other),
    }
}

fn credentials() -> Result<Vec<Value>> {
    let read = |name: &str| in_environment(name).map(Value::String);
    let need = |name, what| read(name).ok_or_else(|| Error::config(format!("the {what} is missing: set {name}")));
    let account = [need(USERNAME, "user name")?, need(PASSWORD, "password")?];
    Ok(account.into_iter().chain(read(MACHINE)).collect())
}

fn unknown(name: &str) -> Error {
    let names: Vec<_> = CALLS.iter().map(|call| call.name).collect();
    Error::config(format!("there is no call {name:?}; the calls are: {}", names.join(", ")))
}

fn refuse_any(words: &[String]) -> Result<Vec<Value>> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    Err(Error::config(format!("login takes its arguments from the environment: {USERNAME}, {PASSWORD} and {MACHINE}")))
}

/// What was typed, as the call's parameters take it.
fn values(call: &WebfactionCall, words: &[String]) -> Result<Vec<Value>> {
    let explain = |why: &str| Error::config(format!("{why}: pya webfaction {}", usage(call)));
    let named = call.parameters.iter().filter(|parameter| parameter.kind != Kind::Rest).count();
    let least = call.parameters.iter().filter(|parameter| parameter.is_required()).count();
    let rest = call.parameters.iter().find(|parameter| parameter.kind == Kind::Rest);
    if words.len() < least {
        return Err(explain("an argument is missing"));
    }
    if words.len() > named && rest.is_none() {
        return Err(explain("there are too many arguments"));
    }
    let parameters = call.parameters[..named].iter().chain(std::iter::repeat_with(|| rest).flatten());
    words.iter().zip(parameters).map(|(word, parameter)| value(parameter, word)).collect()
}

fn usage(call: &WebfactionCall) -> String {
    call.parameters.iter().fold(call.name.to_owned(), |text, parameter| {
        let name = parameter.name.to_uppercase();
        match parameter.kind {
            Kind::Rest => format!("{text} [{name}]..."),
            _ if parameter.is_required() => format!("{text} {name}"),
            _ => format!("{text} [{name}]"),
        }
    })
}

fn value(parameter: &Parameter, word: &str) -> Result<Value> {
    let wrong = |expected: &str| Error::config(format!("{} must be {expected}", parameter.name));
    match parameter.kind {
        Kind::Flag => match word {
            "true" => Ok(Value::Boolean(true)),
            "false" => Ok(Value::Boolean(false)),
            _ => Err(wrong("true or false")),
        },
        Kind::List | Kind::Any | Kind::Rest if word.starts_with('[') => {
            let texts: Vec<String> = serde_json::from_str(word).map_err(|_| wrong("a JSON list of strings"))?;
            Ok(Value::Array(texts.into_iter().map(Value::String).collect()))
        }
        Kind::List => Ok(Value::Array(items(word).collect())),
        _ => Ok(Value::String(word.to_owned())),
    }
}

/// The items of a list with commas.
fn items(word: &str) -> impl Iterator<Item = Value> {
    word.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| Value::String(item.to_owned()))
}

/// What was typed, with the next line of stdin for a password that was given as `-`.
async fn with_typed_secret(call: &WebfactionCall, words: &[String]) -> Result<Vec<String>> {
    let mut words = words.to_vec();
    let dash = call.parameters.iter().zip(&mut words).find(|(parameter, word)| parameter.is_secret() && *word == "-");
    if let Some((_, word)) = dash {
        // On a thread of its own, so that Ctrl-C still works.
        *word = blocking(line_of_stdin).await?;
    }
    Ok(words)
}

fn line_of_stdin() -> Result<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|source| Error::Local { path: "stdin".into(), source })?;
    match line.trim_end_matches(['\r', '\n']) {
        "" => Err(Error::config("there is no password on stdin")),
        line => Ok(line.to_owned()),
    }
}

/// Human-readable: a string as it is, anything with parts as JSON.
fn text(value: &Value) -> String {
    match (value, json(value)) {
        (Value::Nil, _) => String::new(),
        (_, serde_json::Value::String(text)) => text,
        (_, other) => format!("{other:#}"),
    }
}

/// As JSON: a time in ISO 8601, bytes as text, or null if they are not UTF-8.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Integer(number) => json!(number),
        Value::Long(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        Value::String(text) => json!(text),
        Value::Double(number) => json!(number),
        Value::DateTime(time) => json!(iso(*time)),
        Value::Base64(bytes) => json!(std::str::from_utf8(bytes).ok()),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Struct(members) => members.iter().map(|(name, member)| (name.clone(), json(member))).collect(),
        _ => serde_json::Value::Null,
    }
}

/// A time in ISO 8601.
fn iso(time: DateTime) -> String {
    let date = format!("{:04}-{:02}-{:02}", time.year(), time.month(), time.day());
    format!("{date}T{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}
