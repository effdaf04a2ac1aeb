//! Answers as the protocol has them: text for every client, and the same as a document for those that read it.

use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use super::untrusted::{NOTICE, Veil, marked};
use crate::error::{Error, Result};

/// What a tool says.
pub enum Answer {
    /// A document.
    Document(Value),
    /// A text of the account, and what to know of it: its place, and whether it was cut.
    Text { about: Value, text: String },
    /// What was done in part, or not at all, as a document.
    Failure(Value),
    /// It does not do that, for this reason of ours.
    Refusal(String),
}

/// An answer of a call that could be performed.
///
/// # Errors
/// `Local` if the system has no random numbers.
pub fn given(answer: Answer, veil: &Veil) -> Result<CallToolResult> {
    match answer {
        Answer::Document(document) => result(document, None, veil, false),
        Answer::Failure(document) => result(document, None, veil, true),
        Answer::Text { about, text } => result(about, Some(&text), veil, false),
        Answer::Refusal(reason) => Ok(CallToolResult::error(vec![ContentBlock::text(veil.over(&reason))])),
    }
}

/// The answer of a call that failed. What the service said may be in the error.
///
/// # Errors
/// `Local` if the system has no random numbers.
pub fn failed(error: &Error, veil: &Veil) -> Result<CallToolResult> {
    let text = format!("{:?}:\n{}", error.kind(), marked(&veil.over(&error.chain()))?);
    Ok(CallToolResult::error(vec![ContentBlock::text(text)]))
}

fn result(document: Value, text: Option<&str>, veil: &Veil, is_failure: bool) -> Result<CallToolResult> {
    let mut document = veil.over_each(document);
    let text = match text {
        Some(text) => {
            let text = marked(&veil.over(text))?;
            // Marked here too, since a client may show only this one.
            document["text"] = json!(text);
            text
        }
        None => marked(&document.to_string())?,
    };
    document["untrusted"] = json!(NOTICE);
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(document);
    result.is_error = Some(is_failure);
    Ok(result)
}
