//! Validates a request's fields as Django REST framework's serializers do: all errors are returned at once, by field.
//!
//! The wording is the framework's, since people search for it. Clients decide by the status and the name of the field.

use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::emulator::response;

/// The fields of one request, and the errors found so far.
pub(crate) struct Validator<'a> {
    fields: &'a Fields,
    /// Whether required fields may be missing, as in a `PATCH`.
    partial: bool,
    problems: Map<String, Value>,
}

impl<'a> Validator<'a> {
    /// A validator that needs all required fields.
    pub fn whole(fields: &'a Fields) -> Self {
        Self { fields, partial: false, problems: Map::new() }
    }

    /// A validator for the given fields only.
    pub fn partial(fields: &'a Fields) -> Self {
        Self { partial: true, ..Self::whole(fields) }
    }

    /// Adds an error for a field.
    pub fn refuse(&mut self, name: &str, problem: &str) {
        self.problems.insert(name.to_owned(), json!([problem]));
    }

    /// Adds an error for a field of the object `name`.
    pub fn refuse_inside(&mut self, name: &str, field: &str, problem: &str) {
        self.problems.insert(name.to_owned(), json!({ field: [problem] }));
    }

    /// Adds an error for a field that has none yet.
    pub fn refuse_if_valid(&mut self, name: &str, problem: &str) {
        if !self.problems.contains_key(name) {
            self.refuse(name, problem);
        }
    }

    /// A string that must not be blank, and must be given unless the request is partial.
    pub fn required(&mut self, name: &str) -> Option<&'a str> {
        match self.fields.get(name) {
            Some(text) if text.trim().is_empty() => self.refuse(name, "This field may not be blank."),
            Some(text) => return Some(text),
            None if !self.partial => self.refuse(name, "This field is required."),
            None => {}
        }
        None
    }

    /// A string that may be missing or empty.
    pub fn optional(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name)
    }

    /// One of the given choices.
    pub fn choice(&mut self, name: &str, choices: &[&str]) -> Option<&'a str> {
        let given = self.required(name)?;
        if !choices.contains(&given) {
            self.refuse(name, &format!("\"{given}\" is not a valid choice."));
        }
        Some(given)
    }

    /// A boolean, if it is given.
    pub fn flag(&mut self, name: &str) -> Option<bool> {
        let given = self.fields.get(name)?;
        let flag = self.fields.flag(name);
        if flag.is_none() && !given.is_empty() {
            self.refuse(name, "Must be a valid boolean.");
        }
        flag
    }

    /// A number from 0 to `most`, if it is given; an empty string and JSON's null count as not given.
    pub fn number(&mut self, name: &str, most: u8) -> Option<u8> {
        let given = self.fields.get(name).map(str::trim).filter(|text| !text.is_empty())?;
        match given.parse::<i64>() {
            Err(_) => self.refuse(name, "A valid integer is required."),
            Ok(number) if number < 0 => self.refuse(name, "Ensure this value is greater than or equal to 0."),
            Ok(number) => match u8::try_from(number) {
                Ok(number) if number <= most => return Some(number),
                _ => self.refuse(name, &format!("Ensure this value is less than or equal to {most}.")),
            },
        }
        None
    }

    /// Returns 400 with all errors, if there are any.
    #[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
    pub fn done(&self) -> Result<(), Response> {
        if self.problems.is_empty() { Ok(()) } else { Err(response::json(StatusCode::BAD_REQUEST, &self.problems)) }
    }
}

/// Whether a string can be a domain name, and so part of a file name.
pub(crate) fn is_domain(text: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty() && part.len() <= 63 && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    text.contains('.') && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_checked_before_they_become_file_names() {
        assert!(is_domain("demo.pythonanywhere.com"));
        for bad in ["", "demo", "a/b.c", "../x.y", "a..b", "a b.c"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
