//! `pya FAMILY VERB`: one call of the service, its answer as a table or as JSON.

use serde_json::{Value, json};

use super::rm::refuse_foundations;
use super::sent::content_of;
use crate::api::Answer;
use crate::api::calls::Answers;
use crate::cli::context::Context;
use crate::cli::endpoints::{EndpointCommand, text};
use crate::cli::exit::Exit;
use crate::client::{Client, RemotePath};
use crate::error::Result;

pub async fn run(command: &EndpointCommand, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let arguments = command.arguments(client.user())?;
    if command.call.name == "files.delete" {
        refuse_foundations(&path_of(&arguments)?, client.user())?;
    }
    let answer = match command.file() {
        Some(file) => upload(&client, &path_of(&arguments)?, file).await,
        None => client.call(command.call, &arguments).await,
    };
    client.persist_budget();
    tell(command, answer?, context);
    Ok(Exit::Ok)
}

fn path_of(arguments: &[Option<Value>]) -> Result<RemotePath> {
    RemotePath::parse(arguments.first().and_then(Option::as_ref).and_then(Value::as_str).unwrap_or_default())
}

/// Sends a local file; whether it is new on the host.
async fn upload(client: &Client, path: &RemotePath, file: std::path::PathBuf) -> Result<Answer> {
    let (content, _) = content_of(file).await?;
    let uploaded = client.upload_from(path, content).await?;
    Ok(Answer::Json(Value::Bool(uploaded == crate::api::Uploaded::Created)))
}

fn tell(command: &EndpointCommand, answer: Answer, context: &Context) {
    let output = &context.output;
    match answer {
        Answer::Nothing => {
            output.answer("", &Value::Null);
            output.say("done");
        }
        Answer::Bytes(bytes) if output.is_json() => {
            // JSON holds texts only; a program that wants the bytes leaves the option out.
            output.document(&json!({ "size": bytes.len(), "text": std::str::from_utf8(&bytes).ok() }));
        }
        Answer::Bytes(bytes) => output.write(&bytes),
        Answer::Reloaded(answer, warning) => {
            output.answer("", &answer);
            match warning {
                Some(warning) => output.warn(&warning),
                None => output.say("reloaded"),
            }
        }
        Answer::Json(Value::Bool(created)) if command.call.answers == Answers::Created => {
            output.answer("", &json!({ "created": created }));
            output.say(if created { "created" } else { "replaced" });
        }
        Answer::Json(Value::Null) => {
            output.answer("", &Value::Null);
            output.say("none");
        }
        Answer::Json(answer) | Answer::Certificate(answer) => {
            output.answer(&text(&answer), &answer);
            if answer.as_array().is_some_and(Vec::is_empty) {
                output.say("none");
            }
        }
    }
}
