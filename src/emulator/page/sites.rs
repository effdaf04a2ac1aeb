//! Web apps and websites on the page.

use serde_json::{Value, json};

use super::json::log_path;
use crate::clock;
use crate::emulator::process::{WebApp, Website, site_log, wsgi_path};
use crate::emulator::state::EmulatorState;

pub(super) async fn all(state: &EmulatorState) -> Value {
    let mut sites: Vec<Value> = state.processes.webapps.all().iter().map(|app| webapp(state, app)).collect();
    for site in state.processes.websites.all().await {
        let is_running = state.processes.websites.running(&site.domain_name).await.is_some();
        sites.push(website(state, &site, is_running));
    }
    sites.into()
}

/// The logs of a domain, by their kinds.
fn logs(domain: &str) -> Value {
    let log = |kind| log_path(&site_log(domain, kind));
    json!({ "error": log("error"), "server": log("server"), "access": log("access") })
}

fn webapp(state: &EmulatorState, app: &WebApp) -> Value {
    json!({
        "domain": app.domain_name,
        "url": site_url(state, &app.domain_name),
        "served": app.is_served(clock::wall()),
        "enabled": app.enabled,
        "expiry": app.expiry,
        "python": app.python_version,
        "virtualenv": app.virtualenv_path,
        "source": app.source_directory,
        "wsgi": wsgi_path(&app.domain_name),
        "logs": logs(&app.domain_name),
    })
}

fn website(state: &EmulatorState, site: &Website, is_running: bool) -> Value {
    json!({
        "domain": site.domain_name,
        "url": site_url(state, &site.domain_name),
        "served": site.enabled && is_running,
        "enabled": site.enabled,
        "command": site.command,
        "logs": logs(&site.domain_name),
    })
}

/// An address for browsers, most of which look for all names below `localhost` on this machine.
fn site_url(state: &EmulatorState, domain: &str) -> String {
    state.site_url.replacen("127.0.0.1", &format!("{domain}.localhost"), 1)
}
