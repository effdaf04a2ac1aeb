//! `pya api`: any request to the account's API, for endpoints that have no command yet, and the list of commands.

use http::Method;
use serde_json::{Value, json};

use crate::api::calls::{CALLS, EndpointCall};
use crate::cli::args::Api;
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::endpoints::usage;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::terminal;
use crate::client::{Client, Request, Response};
use crate::error::{Error, Result};

pub async fn run(args: &Api, context: &Context) -> Result<Exit> {
    let (Some(method), Some(path)) = (&args.method, &args.path) else {
        list(context);
        return Ok(Exit::Ok);
    };
    let client = context.settings()?.client()?;
    let request = request(args, &client, method, path)?;
    let response = keeping_budget(&client, client.send(request)).await?.error_for_status()?;
    print_body(&response, &context.output);
    context.output.say(&response.status.to_string());
    Ok(Exit::Ok)
}

/// JSON as it is indented for people, anything else byte for byte.
fn print_body(response: &Response, output: &Output) {
    match serde_json::from_slice::<Value>(&response.body) {
        Ok(value) => {
            let text = format!("{:#}", output.visible(&value));
            output.answer(&terminal::json(&text), &value);
        }
        Err(_) if output.is_json() => {
            let text = String::from_utf8_lossy(&response.body);
            output.document(&json!({ "status": response.status.as_u16(), "text": text }));
        }
        Err(_) => output.write(&response.body),
    }
}

/// Every call with its command.
fn list(context: &Context) {
    let rows: Value = CALLS.iter().map(row).collect();
    context.output.answer(&crate::cli::endpoints::text(&rows, context.output.width()), &rows);
}

fn row(call: &EndpointCall) -> Value {
    let path = format!("/api/v{}/user/{{username}}/{}", call.version(), call.path);
    json!({ "command": usage(call), "method": call.method.as_str(), "path": path, "call": call.name })
}

fn request(args: &Api, client: &Client, method: &str, path: &str) -> Result<Request> {
    let method = Method::from_bytes(method.to_uppercase().as_bytes())
        .map_err(|_| Error::config(format!("{method:?} is not an HTTP method")))?;
    let (version, path) = below_account(path, client.user())?;
    let mut request = Request::new(method, path).version(version);
    for pair in &args.query {
        let (name, value) = name_and_value(pair)?;
        request = request.query(name, value);
    }
    match (&args.data, args.form.is_empty()) {
        (Some(data), _) => Ok(request.content(json_of(data)?, "application/json")),
        (None, false) => {
            let fields = args.form.iter().map(|pair| name_and_value(pair)).collect::<Result<Vec<_>>>()?;
            Ok(request.form(fields))
        }
        (None, true) => Ok(request),
    }
}

/// The data, which the request declares as JSON, so it must be JSON.
fn json_of(data: &str) -> Result<String> {
    let data = data_of(data)?;
    serde_json::from_str::<Value>(&data)
        .map_err(|error| Error::config(format!("--data is not valid JSON: {error}")))?;
    Ok(data)
}

/// The version of the API and the path below the account. The token goes nowhere else.
fn below_account(path: &str, user: &str) -> Result<(u8, String)> {
    if !path.starts_with('/') {
        return Ok((0, path.to_owned()));
    }
    for version in [0, 1] {
        if let Some(rest) = path.strip_prefix(&format!("/api/v{version}/user/{user}/")) {
            return Ok((version, rest.to_owned()));
        }
    }
    Err(Error::config(format!(
        "{path:?} is not a path of this account: write it like webapps/ or /api/v0/user/{user}/webapps/"
    )))
}

fn name_and_value(pair: &str) -> Result<(&str, &str)> {
    pair.split_once('=').ok_or_else(|| Error::config(format!("{pair:?} is not of the form NAME=VALUE")))
}

/// Data as typed, from a file after `@`, or from stdin for `-`.
fn data_of(data: &str) -> Result<String> {
    let (path, read) = match data.strip_prefix('@') {
        Some(path) => (path, std::fs::read_to_string(path)),
        None if data == "-" => ("stdin", std::io::read_to_string(std::io::stdin().lock())),
        None => return Ok(data.to_owned()),
    };
    read.map_err(|source| Error::Local { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_below_the_account() {
        assert_eq!(below_account("webapps/", "me").unwrap(), (0, "webapps/".to_owned()));
        assert_eq!(below_account("/api/v1/user/me/websites/", "me").unwrap(), (1, "websites/".to_owned()));
        for bad in ["/api/v0/user/you/webapps/", "/", "/user/me/"] {
            assert!(below_account(bad, "me").is_err(), "{bad}");
        }
    }
}
