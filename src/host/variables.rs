//! Environment variables for one command, which may be passwords.
//!
//! They reach the host by the API only, in a file of the job's folder that the runner deletes as soon as it has read it.
//! So they are in no job, receipt or history, and never go to the site: what is serialized and printed of them here says
//! at most that there are some.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use crate::error::{Error, Result};
use crate::setting::Setting;

/// What a command gets from the host, and the beginnings of names that decide what code it runs.
const RESERVED: [&str; 3] = ["API_TOKEN", "HOME", "PATH"];
const RESERVED_PREFIXES: [&str; 2] = ["LD_", "PYTHON"];

/// Environment variables by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Variables as a user gives them.
    ///
    /// # Errors
    /// `Config` for a name that is none, or that a command must not be given; for a value with a null character.
    pub fn new(given: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut variables = Self::default();
        for (name, value) in given {
            check(&name)?;
            if value.contains('\0') {
                return Err(Error::config(format!("the value of the variable {name} contains a null character")));
            }
            variables.0.insert(name, value);
        }
        Ok(variables)
    }

    /// Variables as a WSGI file sets them.
    pub(crate) fn of_web_app(set: &BTreeMap<String, String>) -> Self {
        Self(set.clone())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names and values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// These and `others`, which win.
    #[must_use]
    pub(crate) fn with(&self, others: &Self) -> Self {
        let both = self.0.iter().chain(&others.0);
        Self(both.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The text of the file for the runner.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        serde_json::to_vec(&self.0).expect("texts make JSON")
    }
}

/// Only the names: values may be passwords.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Only that there are some.
impl Serialize for Variables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(!self.is_empty())
    }
}

/// Whether a variable of that name would change which code is run, and for whom.
pub(crate) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|start| name.starts_with(start))
}

/// Refuses a name that cannot be that of a variable, or that would change which code is run, and for whom.
fn check(name: &str) -> Result<()> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err(Error::config(format!(
            "{name:?} is not the name of an environment variable: that has letters, digits and underscores only"
        )));
    }
    if name == "DJANGO_SETTINGS_MODULE" {
        return Err(Error::config(format!("the settings module is not set as a variable: give {}", Setting::Settings)));
    }
    if is_reserved(name) {
        return Err(Error::config(format!(
            "the variable {name} cannot be set: it decides whose account the command works in, or which code it runs"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Result<Variables> {
        Variables::new(pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn values_are_in_no_text_but_that_of_their_file() {
        let given = variables(&[("PASSWORD", "s3cret"), ("EMPTY", "")]).unwrap();
        assert_eq!(format!("{given:?}"), "{\"EMPTY\", \"PASSWORD\"}");
        assert_eq!(serde_json::to_value(&given).unwrap(), true);
        assert_eq!(given.to_text(), br#"{"EMPTY":"","PASSWORD":"s3cret"}"#);
        assert_eq!(
            given.with(&variables(&[("EMPTY", "x")]).unwrap()).to_text(),
            br#"{"EMPTY":"x","PASSWORD":"s3cret"}"#
        );
    }

    #[test]
    fn the_last_value_of_a_name_counts() {
        assert_eq!(variables(&[("A", "1"), ("B", "2"), ("A", "3")]).unwrap().to_text(), br#"{"A":"3","B":"2"}"#);
    }

    #[test]
    fn variables_that_decide_what_is_run_and_for_whom_are_refused() {
        for name in ["API_TOKEN", "HOME", "PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSTARTUP"] {
            assert!(variables(&[(name, "x")]).unwrap_err().to_string().contains(name), "{name}");
        }
        for name in ["", "1X", "A-B", "A B", "Ä", "A=B", "DJANGO_SETTINGS_MODULE"] {
            assert!(variables(&[(name, "x")]).is_err(), "{name}");
        }
        assert!(variables(&[("X", "a\0b")]).is_err());
        assert!(variables(&[("PATHS", "x"), ("_X1", "y"), ("lower", "z")]).is_ok());
    }
}
