//! `pythonanywhere_api.webfaction`: `WebfactionApi` and `AsyncWebfactionApi`.
//!
//! Their methods come from the table of [`crate::webfaction`], when the Python module asks for the classes: importing
//! the package must cost nothing for those who never use them.

mod classes;
mod methods;
mod values;

pub(super) use methods::webfaction_classes;
