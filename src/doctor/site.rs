//! The web app: whether there is one, whether it is served, and what its WSGI file and its agent say.

use std::time::SystemTime;

use serde_json::Value;
use time::OffsetDateTime;

use super::examination::Examination;
use super::finding::{Check, Finding};
use crate::client::RemotePath;
use crate::clock;
use crate::deploy::expiry_day;
use crate::error::{ErrorKind, Result};
use crate::host::{Agents, Status, StatusReport, Unreachable, WsgiCode, wsgi_file};
use crate::text::first_few;

/// From this many days on there is a warning.
const EXPIRES_SOON: i64 = 7;

/// More than a WSGI file has, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// The web app that is examined.
pub(super) struct Site {
    pub domain: String,
    /// As the service lists it.
    pub record: Value,
}

impl Site {
    fn of(app: &Value) -> Self {
        Self { domain: name(app).to_lowercase(), record: app.clone() }
    }

    /// A field of it; empty if it has no value.
    pub fn field(&self, name: &str) -> &str {
        self.record[name].as_str().unwrap_or_default()
    }
}

/// The web app of the domain that is configured, or else the account's only one.
pub(super) fn find(apps: &[Value], configured: Option<&str>) -> (Vec<Finding>, Option<Site>) {
    let found = match configured {
        Some(domain) => apps.iter().find(|app| name(app).eq_ignore_ascii_case(domain)),
        None => apps.first().filter(|_| apps.len() == 1),
    };
    let finding = match configured {
        Some(domain) if found.is_some() => Finding::ok(Check::Domain, domain),
        Some(domain) => not_there(domain, apps),
        None => unconfigured(apps),
    };
    (vec![finding], found.map(Site::of))
}

fn name(app: &Value) -> &str {
    app["domain_name"].as_str().unwrap_or_default()
}

/// No web app has the domain that is configured.
fn not_there(domain: &str, apps: &[Value]) -> Finding {
    if apps.is_empty() {
        let message = format!("the account has no web app, so {domain} is not served");
        return Finding::error(Check::Domain, message, "pya launch");
    }
    let names = names(apps);
    let message =
        format!("the account has no web app {domain}, but {names}: correct domain under [tool.pythonanywhere]");
    Finding::error(Check::Domain, message, "pya init")
}

fn unconfigured(apps: &[Value]) -> Finding {
    match apps {
        [] => Finding::error(Check::Domain, "the account has no web app", "pya launch"),
        [app] => {
            let message = format!("none is configured; the account's only web app is {}", name(app));
            Finding::warning(Check::Domain, message, "pya init")
        }
        _ => {
            let message = format!("none is configured, and the account has several web apps: {}", names(apps));
            Finding::error(Check::Domain, message, "pya init")
        }
    }
}

fn names(apps: &[Value]) -> String {
    first_few(apps.iter().map(|app| name(app).to_owned()))
}

/// Looks at the web app's record and at its WSGI file: also whether that names Django settings.
pub(super) async fn examine(examination: &Examination, site: &Site) -> (Vec<Finding>, bool) {
    let domain = &site.domain;
    let mut findings = Vec::new();
    findings.push(if site.record["enabled"] == Value::Bool(false) {
        Finding::error(Check::WebApp, "it is disabled", format!("pya webapps enable {domain}"))
    } else {
        Finding::ok(Check::WebApp, format!("it is enabled, with Python {}", site.field("python_version")))
    });
    let now = examination.project.client.server_time().unwrap_or_else(clock::wall);
    findings.extend(expiry(site.field("expiry"), now));
    let (wsgi, names_settings) = examine_wsgi(examination, domain).await;
    findings.push(wsgi);
    (findings, names_settings)
}

fn expiry(text: &str, now: SystemTime) -> Option<Finding> {
    let day = expiry_day(text)?;
    let left = (day - OffsetDateTime::from(now).date()).whole_days();
    let extend = "pya open --dashboard";
    Some(match left {
        ..0 => Finding::error(Check::Expiry, format!("it expired on {day}: extend it on the page Web"), extend),
        0..EXPIRES_SOON => {
            let message = format!("it expires on {day}, in {left} days: extend it on the page Web");
            Finding::warning(Check::Expiry, message, extend)
        }
        _ => Finding::ok(Check::Expiry, format!("it is served until {day}")),
    })
}

async fn examine_wsgi(examination: &Examination, domain: &str) -> (Finding, bool) {
    let project = &examination.project;
    let failed = |message: String, command: String| (Finding::error(Check::WsgiFile, message, command), false);
    let file = match wsgi_file(domain) {
        Ok(file) => file,
        Err(error) => return failed(error.chain(), "pya init".to_owned()),
    };
    let text = match project.client.read_file_at_most(&file, MOST_BYTES).await {
        Ok(content) => String::from_utf8_lossy(&content).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return failed(format!("there is no {file}"), "pya launch".to_owned());
        }
        Err(error) => return failed(error.chain(), format!("pya cat {file}")),
    };
    let code = WsgiCode::read(&text, file.as_str(), project.client.user());
    (examine_code(examination, &file, &code), code.settings.is_some())
}

fn examine_code(examination: &Examination, file: &RemotePath, code: &WsgiCode) -> Finding {
    if code.is_placeholder {
        let message = format!("{file} is the one that says hello, so nothing of yours is served");
        return Finding::error(Check::WsgiFile, message, "pya launch");
    }
    let root = examination.project.remote_root.as_str();
    let is_in = |path: &String| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    if !code.path.is_empty() && !code.path.iter().any(is_in) {
        let message = format!("{file} imports from {}, not from {root}", first_few(code.path.iter().cloned()));
        return Finding::error(Check::WsgiFile, message, "pya launch --replace-wsgi");
    }
    match (&code.settings, &examination.settings) {
        (Some(there), Some(configured)) if there != configured => Finding::warning(
            Check::WsgiFile,
            format!("it uses the settings {there}, but {configured} is configured"),
            "pya launch --replace-wsgi",
        ),
        _ => Finding::ok(Check::WsgiFile, file.to_string()),
    }
}

/// Looks at the agent: also whether it answers, and whether it says that the application is loaded.
pub(super) async fn examine_agent(examination: &Examination, site: &Site) -> (Finding, bool, bool) {
    let domain = &site.domain;
    let report = match status(examination, domain).await {
        Ok(report) => report,
        Err(error) => {
            return (Finding::error(Check::Agent, error.chain(), format!("pya agent status {domain}")), false, false);
        }
    };
    let (answers, is_loaded) = match &report.status {
        Status::Ready { application_failed, .. } => (true, application_failed.is_none()),
        _ => (false, false),
    };
    (agent_finding(&report, domain), answers, is_loaded)
}

async fn status(examination: &Examination, domain: &str) -> Result<StatusReport> {
    Agents::new(&examination.project.client, domain, examination.site_url.as_deref())?.status().await
}

fn agent_finding(report: &StatusReport, domain: &str) -> Finding {
    let install = format!("pya agent install {domain}");
    let said = report.status.to_string();
    match &report.status {
        Status::Ready { application_failed: Some(_), .. } => {
            Finding::error(Check::Agent, said, format!("pya logs {domain} error"))
        }
        Status::Ready { is_current: true, damaged, .. } if damaged.is_empty() => match report.warnings.first() {
            Some(warning) => Finding::warning(Check::Agent, warning, format!("pya agent status {domain}")),
            None => Finding::ok(Check::Agent, said),
        },
        Status::Ready { .. } | Status::OtherVersion(_) => Finding::warning(Check::Agent, said, install),
        Status::NotInstalled => {
            let message = "it is not installed, so a deploy takes a request per file, and no command runs on the host";
            Finding::warning(Check::Agent, message, install)
        }
        Status::Unreachable(why) => Finding::error(Check::Agent, said, remedy(why, domain)),
    }
}

/// The command that makes the agent answer.
fn remedy(why: &Unreachable, domain: &str) -> String {
    match why {
        Unreachable::Disabled => format!("pya webapps enable {domain}"),
        Unreachable::Damaged(_) => format!("pya agent install {domain}"),
        Unreachable::NotLoaded | Unreachable::NoToken | Unreachable::OtherToken => format!("pya reload {domain}"),
        Unreachable::Mapped(_) => format!("pya webapps static-files list {domain}"),
        Unreachable::Elsewhere(_) => format!("pya logs {domain} error"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::*;
    use crate::doctor::finding::Health;

    #[test]
    fn the_last_week_is_a_warning() {
        let now = UNIX_EPOCH + Duration::from_secs(1_796_083_200); // 2026-12-01
        for (day, expected) in [
            ("2026-11-30", Some(Health::Error)),
            ("2026-12-01", Some(Health::Warning)),
            ("2026-12-07", Some(Health::Warning)),
            ("2026-12-08", Some(Health::Ok)),
            ("", None),
        ] {
            assert_eq!(expiry(day, now).map(|finding| finding.health), expected, "{day}");
        }
    }

    #[test]
    fn the_only_web_app_is_taken_where_none_is_configured() {
        let apps = [json!({"domain_name": "A.example.com"}), json!({"domain_name": "b.example.com"})];
        let found = |apps: &[Value], configured| {
            let (findings, site) = find(apps, configured);
            (findings[0].health, site.map(|site| site.domain))
        };
        assert_eq!(found(&apps, Some("a.Example.com")), (Health::Ok, Some("a.example.com".into())));
        assert_eq!(found(&apps, Some("c.example.com")), (Health::Error, None));
        assert_eq!(found(&apps, None), (Health::Error, None));
        assert_eq!(found(&apps[1..], None), (Health::Warning, Some("b.example.com".into())));
        assert_eq!(found(&[], None), (Health::Error, None));
    }
}
