//! The steps of a launch on the host, one a file. Each looks first, and does only what is not so already.

mod agent;
mod files;
mod health;
mod manage;
mod mappings;
mod outcome;
mod requirements;
mod settings;
mod variables;
mod virtualenv;
mod web_app;

pub(super) use agent::{install as agent, is_kept as is_wsgi_kept, keep as keep_wsgi, look as look_at_wsgi};
pub(super) use files::{Files, compare, send as files};
pub(super) use health::{check as health, reload};
pub(super) use manage::{collect_static_files, make_superuser, migrate};
pub(super) use mappings::add as mappings;
pub(super) use outcome::{Outcome, looked, step};
pub(super) use requirements::{digest as requirements_digest, install as requirements, install_from as install_listed};
pub(super) use settings::inspect as settings;
pub(super) use variables::{digest as variables_digest, set as variables};
pub(super) use virtualenv::{make as virtualenv, make_named as make_virtualenv};
pub(super) use web_app::{is_refused as is_domain_refused, make as web_app};
