//! The fields in a request's body: a form, a multipart form or a JSON object, as in Django REST framework.

use std::collections::BTreeMap;

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::response::Response;
use http::{StatusCode, header};
use serde_json::Value;

use crate::emulator::response;

/// Values by name; JSON values that are not strings are kept as JSON.
#[derive(Debug, Default)]
pub struct Fields(BTreeMap<String, String>);

impl Fields {
    /// A field's value, if it is given.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A field as a boolean, in the spellings that Django REST framework accepts.
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.get(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" | "on" | "yes" | "t" | "y" => Some(true),
            "false" | "0" | "off" | "no" | "f" | "n" => Some(false),
            _ => None,
        }
    }

    /// Returns 400 with the names of the missing fields, in the framework's shape.
    pub fn require(&self, names: &[&str]) -> Result<(), Box<Response>> {
        let missing: serde_json::Map<String, Value> = names
            .iter()
            .filter(|name| self.get(name).is_none_or(str::is_empty))
            .map(|name| ((*name).to_owned(), Value::from(vec!["This field is required."])))
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(Box::new(response::json(StatusCode::BAD_REQUEST, &missing))) }
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let media_type = media_type(&request);
        if media_type == "multipart/form-data" {
            let form = Multipart::from_request(request, state).await.map_err(|_| malformed("Multipart form"))?;
            return of_form(form).await.map_err(|_| malformed("Multipart form"));
        }
        let body = axum::body::Bytes::from_request(request, state).await.map_err(|_| malformed("Body"))?;
        match media_type.as_str() {
            _ if body.is_empty() => Ok(Self::default()),
            "application/json" => of_json(&body).ok_or_else(|| malformed("JSON")),
            "application/x-www-form-urlencoded" => Ok(Self(url::form_urlencoded::parse(&body).into_owned().collect())),
            other => Err(response::detail(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                &format!("Unsupported media type \"{other}\" in request."),
            )),
        }
    }
}

/// The media type of a request's body, without its parameters.
fn media_type(request: &Request) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn malformed(what: &str) -> Response {
    response::detail(StatusCode::BAD_REQUEST, &format!("{what} parse error"))
}

async fn of_form(mut form: Multipart) -> Result<Fields, MultipartError> {
    let mut fields = BTreeMap::new();
    while let Some(field) = form.next_field().await? {
        let name = field.name().unwrap_or_default().to_owned();
        fields.insert(name, field.text().await?);
    }
    Ok(Fields(fields))
}

fn of_json(body: &[u8]) -> Option<Fields> {
    let Value::Object(fields) = serde_json::from_slice(body).ok()? else { return None };
    let text = |value: Value| match value {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    Some(Fields(fields.into_iter().map(|(name, value)| (name, text(value))).collect()))
}
