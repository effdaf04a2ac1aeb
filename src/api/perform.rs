//! Performs the calls of the table: turns arguments into a request, and the answer into what the table says.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::calls::{Answers, EndpointCall, Sends};
use super::webapps::Reloaded;
use crate::client::{Client, RemotePath, Request, Response, quote};
use crate::error::{Error, Result};
use crate::parameters::{Kind, Parameter};

/// The answer to a call, as the table says.
#[derive(Debug, Clone, PartialEq)]
pub enum CallAnswer {
    /// Nothing.
    Nothing,
    /// The JSON of the service, unknown fields included.
    Json(Value),
    /// The content of a file.
    Bytes(Bytes),
    /// A certificate, as the service describes it.
    Certificate(Value),
    /// The answer to a reload, and the service's warning if there is one.
    Reloaded(Value, Option<String>),
}

impl Client {
    /// Performs a call of the table with one argument for each of its parameters, `None` for those left out; the one
    /// for [`Kind::Fields`] is an object.
    ///
    /// # Errors
    /// `Config` for arguments that are not valid, before anything is sent; else as the service answers. For uploads,
    /// which carry more than JSON, see [`Client::upload_file`].
    pub async fn call(&self, call: &EndpointCall, arguments: &[Option<Value>]) -> Result<CallAnswer> {
        let given = CallArguments { call, arguments };
        match call.answers {
            Answers::Content => return Ok(CallAnswer::Bytes(self.read_file(&given.remote_path()?).await?)),
            Answers::Listing => return Ok(CallAnswer::Json(Value::Object(self.listing(&given.remote_path()?).await?))),
            Answers::NewWebapp => {
                let (domain, version) = (given.text("domain_name")?, given.text("python_version")?);
                return self.create_webapp(&domain, &python_version(&version)).await.map(CallAnswer::Json);
            }
            Answers::Reload => {
                let (answer, reloaded) = self.reload_answer(&given.text("domain_name")?).await?;
                return Ok(match reloaded {
                    Reloaded::Done => CallAnswer::Reloaded(answer, None),
                    Reloaded::CnameWarning(warning) => CallAnswer::Reloaded(answer, Some(warning)),
                });
            }
            _ => {}
        }
        let response = self.send(given.request()?).await?;
        if call.answers == Answers::AddressIfAny && response.is_not_found() {
            return Ok(CallAnswer::Json(Value::Null));
        }
        let response = response.error_for_status().map_err(|error| self.with_console_page(error, &given))?;
        answer_of(call, &response)
    }

    /// Adds the page to open to the error for a console that has not started yet.
    fn with_console_page(&self, error: Error, given: &CallArguments<'_>) -> Error {
        match given.text("id") {
            Ok(id) if given.call.family() == "consoles" => self.with_page(error, &id),
            _ => error,
        }
    }
}

/// Turns the answer into what the table says.
fn answer_of(call: &EndpointCall, response: &Response) -> Result<CallAnswer> {
    let json = |expected, is_right: fn(&Value) -> bool| -> Result<CallAnswer> {
        let value: Value = response.json(expected)?;
        if is_right(&value) { Ok(CallAnswer::Json(value)) } else { Err(response.unexpected(expected)) }
    };
    let field = |name, expected, is_right: fn(&Value) -> bool| -> Result<CallAnswer> {
        let mut value: Value = response.json(expected)?;
        let value = value.get_mut(name).map(Value::take).filter(is_right);
        value.map(CallAnswer::Json).ok_or_else(|| response.unexpected(expected))
    };
    match call.answers {
        Answers::Objects => json("a list of objects", |value| is_list_of(value, Value::is_object)),
        Answers::Texts => json("a list of strings", |value| is_list_of(value, Value::is_string)),
        Answers::Any => json("JSON", |_| true),
        Answers::Object => json("an object", Value::is_object),
        Answers::Certificate => response.json("a certificate").map(CallAnswer::Certificate),
        Answers::ListIn(name) => field(name, "an object with a list in it", Value::is_array),
        Answers::TextIn(name) => field(name, "an object with a string in it", Value::is_string),
        Answers::Address | Answers::AddressIfAny => address(response),
        _ => Ok(CallAnswer::Nothing),
    }
}

fn is_list_of(value: &Value, is_right: fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|items| items.iter().all(is_right))
}

/// The address in an answer, made absolute.
fn address(response: &Response) -> Result<CallAnswer> {
    let answer: Value = response.json("an address")?;
    let absolute = answer["url"].as_str().and_then(|address| response.url.join(address).ok());
    let address = absolute.ok_or_else(|| response.unexpected("an address"))?;
    Ok(CallAnswer::Json(Value::String(address.into())))
}

/// A call and its arguments.
struct CallArguments<'a> {
    call: &'a EndpointCall,
    arguments: &'a [Option<Value>],
}

impl CallArguments<'_> {
    /// The value of a parameter, or its default if it was left out; `None` for no value.
    fn value(&self, index: usize, parameter: &Parameter) -> Option<Value> {
        let given = self.arguments.get(index).cloned().flatten();
        given.or_else(|| default(parameter)).filter(|value| !value.is_null())
    }

    /// A parameter as text, as it stands in a path.
    fn text(&self, name: &str) -> Result<String> {
        let index = self.call.parameters.iter().position(|parameter| parameter.name == name);
        let value = index.and_then(|index| self.value(index, &self.call.parameters[index]));
        let text = match value {
            Some(Value::String(text)) => text,
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        if text.is_empty() {
            return Err(Error::config(format!("{}: {name} is missing or empty", self.call.name)));
        }
        Ok(text)
    }

    fn remote_path(&self) -> Result<RemotePath> {
        RemotePath::parse(&self.text("path")?)
    }

    fn request(&self) -> Result<Request> {
        let request = Request::new(self.call.method.clone(), self.path()?).version(self.call.version());
        let fields = self.fields();
        match self.call.sends {
            Sends::Nothing | Sends::File => Ok(request),
            Sends::Query => {
                Ok(fields.iter().fold(request, |request, (name, value)| request.query(name, form_text(value))))
            }
            Sends::Form => Ok(request.form(fields.iter().map(|(name, value)| (name, form_text(value))))),
            Sends::Field(name) => Ok(request.form(fields.values().map(|value| (name, form_text(value))))),
            Sends::Json => request.json(&fields),
            Sends::Fixed(name, value) => request.json(&json!({ name: value })),
            Sends::Website => request.json(&website_fields(fields)),
        }
    }

    /// The path with its parameters filled in.
    fn path(&self) -> Result<String> {
        let mut path = String::new();
        for part in self.call.path.split_inclusive('}') {
            let Some((before, name)) = part.strip_suffix('}').and_then(|part| part.split_once('{')) else {
                path.push_str(part);
                continue;
            };
            path.push_str(before);
            match name {
                "path" => path.push_str(&self.remote_path()?.quoted()),
                "domain_name" => path.push_str(&quote(super::webapps::checked_domain(&self.text(name)?)?)),
                _ => path.push_str(&segment(&self.text(name)?)),
            }
        }
        Ok(path)
    }

    /// The values that are not in the path.
    fn fields(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        for (index, parameter) in self.call.parameters.iter().enumerate() {
            match self.value(index, parameter) {
                Some(Value::Object(more)) if parameter.kind == Kind::Fields => fields.extend(more),
                Some(value) if !self.call.is_in_path(parameter) => {
                    fields.insert(parameter.name.to_owned(), value);
                }
                _ => {}
            }
        }
        fields
    }
}

/// The fields of a website, of which the command goes into an object of its own.
fn website_fields(mut fields: Map<String, Value>) -> Map<String, Value> {
    let command = fields.remove("command");
    fields.insert("webapp".to_owned(), json!({ "command": command }));
    fields
}

/// `None` is no value: such a parameter is left out.
fn default(parameter: &Parameter) -> Option<Value> {
    parameter.default.map(Value::from).filter(|value| !value.is_null())
}

/// A text as one segment of a path, whatever it contains.
fn segment(text: &str) -> String {
    quote(text).replace('/', "%2F")
}

fn form_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `3.13` as the service writes it.
fn python_version(text: &str) -> String {
    let digits = text.replace('.', "");
    let is_version = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    if is_version { format!("python{digits}") } else { text.to_owned() }
}
