//! Integration tests in one binary, a module for each topic.

mod engine;
mod script;
