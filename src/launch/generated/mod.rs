//! The files that a launch writes: settings, the table in `pyproject.toml`, the WSGI file on the host.

pub(super) mod settings_file;
pub(super) mod table;
pub(super) mod wsgi_file;
