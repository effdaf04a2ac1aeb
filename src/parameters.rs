//! Signatures as data: the parameters of the methods in a table.
//!
//! An API that is a table of calls describes the parameters of each call with these types. They know neither Python nor
//! the command line; both generate their methods and arguments from them. A parameter is positional or named, as in
//! Python, and only named after a [`Kind::Rest`].
//!
//! ```
//! use pythonanywhere_api::parameters::{Parameter, flag, rest, text};
//!
//! const CREATE: &[Parameter] = &[text("command"), text("description").or_text(""), flag("enabled").or_flag(true)];
//! assert!(CREATE[0].is_required() && !CREATE[2].is_required());
//! assert!(!rest("subdomains").is_required());
//! ```

use serde_json::Value;

/// One parameter of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as the API documents it.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: Kind,
    /// Its value if it is left out; `None` if it must be given.
    pub default: Option<DefaultValue>,
}

/// The kind of value that a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// A boolean.
    Flag,
    /// A list.
    List,
    /// Any value.
    Any,
    /// All further positional arguments, `*name` in Python.
    Rest,
    /// All further named arguments, `**name` in Python. Stands last.
    Fields,
}

/// A default value in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum DefaultValue {
    None,
    Text(&'static str),
    Integer(i64),
    Flag(bool),
    EmptyList,
}

impl From<DefaultValue> for Value {
    fn from(default: DefaultValue) -> Self {
        match default {
            DefaultValue::None => Self::Null,
            DefaultValue::Text(text) => text.into(),
            DefaultValue::Integer(number) => number.into(),
            DefaultValue::Flag(flag) => flag.into(),
            DefaultValue::EmptyList => Self::Array(Vec::new()),
        }
    }
}

impl Parameter {
    /// A required parameter, or one that collects all further arguments.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, default: None }
    }

    /// The same parameter with a default.
    #[must_use]
    pub const fn or(mut self, default: DefaultValue) -> Self {
        self.default = Some(default);
        self
    }

    /// The same parameter with no value by default.
    #[must_use]
    pub const fn or_none(self) -> Self {
        self.or(DefaultValue::None)
    }

    /// The same parameter with a string by default.
    #[must_use]
    pub const fn or_text(self, text: &'static str) -> Self {
        self.or(DefaultValue::Text(text))
    }

    /// The same parameter with a boolean by default.
    #[must_use]
    pub const fn or_flag(self, flag: bool) -> Self {
        self.or(DefaultValue::Flag(flag))
    }

    /// Whether a call without it is an error.
    #[must_use]
    pub const fn is_required(&self) -> bool {
        self.default.is_none() && !self.is_collecting()
    }

    /// Whether it collects the arguments that no other parameter takes.
    #[must_use]
    pub const fn is_collecting(&self) -> bool {
        matches!(self.kind, Kind::Rest | Kind::Fields)
    }
}

/// A string.
#[must_use]
pub const fn text(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Text)
}

/// A whole number.
#[must_use]
pub const fn integer(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Integer)
}

/// Any number.
#[must_use]
pub const fn number(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Number)
}

/// A boolean.
#[must_use]
pub const fn flag(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Flag)
}

/// A list.
#[must_use]
pub const fn list(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::List)
}

/// Any value.
#[must_use]
pub const fn any(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Any)
}

/// All further positional arguments.
#[must_use]
pub const fn rest(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Rest)
}

/// All further named arguments.
#[must_use]
pub const fn fields(name: &'static str) -> Parameter {
    Parameter::new(name, Kind::Fields)
}
