//! What is in a project's folder, found by reading it.

mod env_file;
pub(super) mod project;
pub(super) mod python_version;
pub(super) mod requirements;
pub(super) mod settings;
pub(super) mod source;
pub(super) mod wsgi_app;
