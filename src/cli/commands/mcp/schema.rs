//! The schemas of answers: which fields there are, each of which is always there.

use std::sync::Arc;

use rmcp::model::JsonObject;
use serde_json::{Map, Value, json};

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Text,
    /// A whole number.
    Count,
    Number,
    Flag,
    Texts,
    Object,
    Objects,
    /// Texts by name.
    Map,
}

/// A field: its name, what it holds, whether it may be null instead, and what it means.
pub struct Field(pub &'static str, pub Holds, pub Null, pub &'static str);

/// Whether a field may be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Null {
    Never,
    Maybe,
}

/// In every answer.
const UNTRUSTED: Field = Field("untrusted", Holds::Text, Null::Never, "what to think of the other fields");

/// The schema of a document with these fields and no others.
pub fn of_document(fields: &[Field]) -> Arc<JsonObject> {
    let properties: Map<String, Value> =
        fields.iter().chain([&UNTRUSTED]).map(|field| (field.0.to_owned(), of_field(field))).collect();
    let required: Vec<&String> = properties.keys().collect();
    let mut schema = JsonObject::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("required".to_owned(), json!(required));
    schema.insert("properties".to_owned(), json!(properties));
    schema.insert("additionalProperties".to_owned(), json!(false));
    Arc::new(schema)
}

fn of_field(Field(_, holds, null, meaning): &Field) -> Value {
    let mut schema = match holds {
        Holds::Text => json!({ "type": "string" }),
        Holds::Count => json!({ "type": "integer", "minimum": 0 }),
        Holds::Number => json!({ "type": "number" }),
        Holds::Flag => json!({ "type": "boolean" }),
        Holds::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Holds::Object => json!({ "type": "object" }),
        Holds::Objects => json!({ "type": "array", "items": { "type": "object" } }),
        Holds::Map => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    };
    if *null == Null::Maybe {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema["description"] = json!(meaning);
    schema
}
