//! Turns the parameters of a call into clap's arguments, and what was typed into values.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use serde_json::{Map, Value};

use crate::api::calls::{EndpointCall, Sends};
use crate::client::RemotePath;
use crate::error::{Error, Result};
use crate::parameters::{DefaultValue, Kind, Parameter};

/// What an argument holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ArgumentKind {
    /// The value itself.
    Value,
    /// A path in the account, relative to the home folder if it is not absolute.
    RemotePath,
    /// A local file whose text is the value: a secret, or too long to type.
    TextFile,
    /// A local file that is uploaded.
    UploadedFile,
}

fn argument_kind(call: &EndpointCall, parameter: &Parameter) -> ArgumentKind {
    match parameter.name {
        "path" if call.family() == "files" => ArgumentKind::RemotePath,
        "content" if call.sends == Sends::File => ArgumentKind::UploadedFile,
        // Neither a key nor a chain of certificates belongs on a command line, which every user of the machine can see.
        "cert" | "private_key" => ArgumentKind::TextFile,
        _ => ArgumentKind::Value,
    }
}

/// Whether the call needs it: a change without fields would change nothing.
pub(super) fn is_needed(parameter: &Parameter) -> bool {
    parameter.is_required() || parameter.kind == Kind::Fields
}

/// The parameter as it is typed.
pub(super) fn argument(call: &EndpointCall, parameter: &'static Parameter) -> Arg {
    if parameter.kind == Kind::Fields {
        return fields_argument(parameter.name);
    }
    let kind = argument_kind(call, parameter);
    let (name, help) = match kind {
        ArgumentKind::Value => (parameter.name.to_uppercase(), None),
        ArgumentKind::RemotePath => ("PATH".to_owned(), Some("Absolute, or relative to the account's home folder")),
        ArgumentKind::TextFile => (format!("{}_FILE", parameter.name.to_uppercase()), Some("A PEM file; - is stdin")),
        ArgumentKind::UploadedFile => ("FILE".to_owned(), Some("The local file; - is stdin")),
    };
    let arg = Arg::new(parameter.name).value_name(name).help(help).allow_hyphen_values(parameter.kind == Kind::Text);
    let arg = parsed(arg, parameter.kind, kind);
    if parameter.is_required() {
        return arg.required(true);
    }
    let arg = arg.long(parameter.name.replace('_', "-"));
    match default_text(parameter) {
        Some(text) => arg.help(format!("[default: {text}]")),
        None => arg,
    }
}

fn fields_argument(name: &'static str) -> Arg {
    let help =
        "Fields to set: NAME=TEXT, or NAME:=JSON for numbers, true, false and null; a password as NAME=-, from stdin";
    Arg::new(name).value_name("NAME=VALUE").num_args(1..).required(true).help(help)
}

/// The argument, parsed as what its parameter takes.
fn parsed(arg: Arg, kind: Kind, argument_kind: ArgumentKind) -> Arg {
    match (kind, argument_kind) {
        (_, ArgumentKind::UploadedFile | ArgumentKind::TextFile) => arg.value_parser(value_parser!(PathBuf)),
        (Kind::Flag, _) => arg.value_parser(value_parser!(bool)).action(ArgAction::Set),
        (Kind::Integer, _) => arg.value_parser(value_parser!(i64)),
        _ => arg,
    }
}

fn default_text(parameter: &Parameter) -> Option<String> {
    match parameter.default? {
        DefaultValue::Text(text) if !text.is_empty() => Some(text.to_owned()),
        DefaultValue::Integer(number) => Some(number.to_string()),
        DefaultValue::Flag(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Where the content of an upload comes from.
pub(super) fn file_to_send(call: &EndpointCall, matches: &ArgMatches) -> Option<PathBuf> {
    let parameter =
        call.parameters.iter().find(|parameter| argument_kind(call, parameter) == ArgumentKind::UploadedFile)?;
    matches.get_one::<PathBuf>(parameter.name).cloned()
}

/// What was typed for each parameter, as [`Client::call`](crate::Client::call) takes it.
pub(super) fn values(call: &EndpointCall, matches: &ArgMatches, user: &str) -> Result<Vec<Option<Value>>> {
    call.parameters.iter().map(|parameter| value(call, parameter, matches, user)).collect()
}

fn value(call: &EndpointCall, parameter: &Parameter, matches: &ArgMatches, user: &str) -> Result<Option<Value>> {
    let name = parameter.name;
    match (parameter.kind, argument_kind(call, parameter)) {
        (_, ArgumentKind::UploadedFile) => Ok(None),
        (_, ArgumentKind::TextFile) => matches.get_one::<PathBuf>(name).map(text_of).transpose(),
        (Kind::Fields, _) => fields(matches.get_many::<String>(name).unwrap_or_default()).map(Some),
        (Kind::Flag, _) => Ok(matches.get_one::<bool>(name).map(|&flag| flag.into())),
        (Kind::Integer, _) => Ok(matches.get_one::<i64>(name).map(|&number| number.into())),
        (_, ArgumentKind::RemotePath) => {
            let path = matches.get_one::<String>(name).map(|path| RemotePath::in_account(path, user)).transpose()?;
            Ok(path.map(|path| path.as_str().into()))
        }
        _ => Ok(matches.get_one::<String>(name).map(|text| text.as_str().into())),
    }
}

fn text_of(path: &PathBuf) -> Result<Value> {
    let read =
        if path.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(path) };
    read.map(Value::String).map_err(|source| Error::Local { path: path.clone(), source })
}

/// Whether a field's value is better not typed: every user of the machine can see a command line.
fn is_secret(name: &str) -> bool {
    name.ends_with("password")
}

/// The first line of stdin for `-`. An empty value, which takes the password away, is no secret.
fn secret(name: &str, typed: Value) -> Result<Value> {
    match typed {
        Value::String(text) if text == "-" => {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            read.map_err(|source| Error::Local { path: "-".into(), source })?;
            Ok(line.trim_end_matches(['\r', '\n']).into())
        }
        typed => {
            if typed.as_str().is_some_and(|text| !text.is_empty()) {
                log::warn!("other users of this machine can see a command line: {name}=- reads it from stdin");
            }
            Ok(typed)
        }
    }
}

fn json_of(name: &str, text: &str) -> Result<Value> {
    let wrong = |error| Error::config(format!("{text:?}, the value of {name}, is not valid JSON: {error}"));
    serde_json::from_str(text).map_err(wrong)
}

/// `name=text` and `name:=json`.
fn fields<'a>(words: impl Iterator<Item = &'a String>) -> Result<Value> {
    let mut fields = Map::new();
    for word in words {
        let wrong = || Error::config(format!("{word:?} is not a field: write NAME=TEXT, or NAME:=JSON"));
        let (name, value) = word.split_once('=').ok_or_else(wrong)?;
        let (name, value) = match name.strip_suffix(':') {
            None => (name, Value::String(value.to_owned())),
            Some(name) => (name, json_of(name, value)?),
        };
        let value = if is_secret(name) { secret(name, value)? } else { value };
        if name.is_empty() || fields.insert(name.to_owned(), value).is_some() {
            return Err(wrong());
        }
    }
    Ok(Value::Object(fields))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_texts_unless_they_are_json() {
        let read = |words: &[&str]| fields(words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>().iter());
        let value = read(&["a=1", "b:=1", "c:=true", "d=x=y", "e=", "f:={\"g\": null}"]).unwrap();
        assert_eq!(value, json!({"a": "1", "b": 1, "c": true, "d": "x=y", "e": "", "f": {"g": null}}));
        for bad in [&["a"][..], &["=1"], &["a:=x"], &["a=1", "a=2"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
