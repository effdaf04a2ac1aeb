//! `pya FAMILY VERB`: one call of the service, its answer as a table or as JSON.

use serde_json::{Value, json};

use super::local_file::content_of;
use super::rm::refuse_account_folders;
use crate::api::CallAnswer;
use crate::api::calls::Answers;
use crate::cli::context::Context;
use crate::cli::endpoints::{EndpointCommand, text};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::client::{Client, RemotePath};
use crate::error::Result;

pub async fn run(command: &EndpointCommand, context: &Context) -> Result<Exit> {
    let client = context.settings()?.client()?;
    let arguments = command.arguments(client.user())?;
    if command.call.name == "files.delete" {
        refuse_account_folders(&path_of(&arguments)?, client.user())?;
    }
    let answer = match command.file() {
        Some(file) => upload(&client, &path_of(&arguments)?, file).await,
        None => client.call(command.call, &arguments).await,
    };
    client.persist_budget();
    print_answer(command, answer?, context);
    Ok(Exit::Ok)
}

fn path_of(arguments: &[Option<Value>]) -> Result<RemotePath> {
    RemotePath::parse(arguments.first().and_then(Option::as_ref).and_then(Value::as_str).unwrap_or_default())
}

/// Uploads a local file; the answer is whether it is new on the host.
async fn upload(client: &Client, path: &RemotePath, file: std::path::PathBuf) -> Result<CallAnswer> {
    let (content, _) = content_of(file).await?;
    let uploaded = client.upload_from(path, content).await?;
    Ok(CallAnswer::Json(Value::Bool(uploaded == crate::api::Uploaded::Created)))
}

fn print_answer(command: &EndpointCommand, answer: CallAnswer, context: &Context) {
    let output = &context.output;
    match answer {
        CallAnswer::Nothing => told("done", &Value::Null, output),
        CallAnswer::Bytes(bytes) => print_content(&bytes, output),
        CallAnswer::Reloaded(answer, None) => told("reloaded", &answer, output),
        CallAnswer::Reloaded(answer, Some(warning)) => {
            output.answer("", &answer);
            output.warn(&warning);
        }
        CallAnswer::Json(Value::Bool(created)) if command.call.answers == Answers::Created => {
            told(if created { "created" } else { "replaced" }, &json!({ "created": created }), output);
        }
        CallAnswer::Json(Value::Null) => told("none", &Value::Null, output),
        CallAnswer::Json(answer) | CallAnswer::Certificate(answer) => print_value(&answer, output),
    }
}

fn print_content(bytes: &[u8], output: &Output) {
    if output.is_json() {
        // JSON holds text only; a program that wants the bytes leaves out the option.
        output.document(&json!({ "size": bytes.len(), "text": std::str::from_utf8(bytes).ok() }));
    } else {
        output.write(bytes);
    }
}

/// An answer that is a word for people.
fn told(word: &str, document: &Value, output: &Output) {
    output.answer("", document);
    output.say(word);
}

fn print_value(answer: &Value, output: &Output) {
    output.answer(&text(answer, output.width()), answer);
    if answer.as_array().is_some_and(Vec::is_empty) {
        output.say("none");
    }
}
