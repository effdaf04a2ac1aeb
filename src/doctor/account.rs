//! The way to the service, the token, and the clock.

use std::time::{Duration, SystemTime};

use super::finding::{Check, Finding};
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind};

/// From this difference on signatures are not accepted, and dates mislead.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The names of the service's two systems.
const US: &str = "www.pythonanywhere.com";
const EU: &str = "eu.pythonanywhere.com";

/// The variables that name a proxy, in the order in which they count.
const PROXIES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// The account's web apps, as the service lists them; `None` if it does not.
pub(super) type WebApps = Option<Vec<serde_json::Value>>;

/// Looks at what every other request needs. Sends one.
pub(super) async fn examine(client: &Client, domain: Option<&str>) -> (Vec<Finding>, WebApps) {
    let proxy = if client.host().is_loopback() { None } else { proxy() };
    let apps = match client.list_webapps().await {
        Ok(apps) => apps,
        Err(error) => return (vec![failed(client, &error, proxy)], None),
    };
    let mut findings = vec![system(client.host().authority(), domain.unwrap_or_default())];
    findings.extend(proxy.map(|name| Finding::ok(Check::Proxy, format!("through the one that {name} names"))));
    findings.push(Finding::ok(Check::Token, format!("it is that of {}", client.user())));
    findings.extend(client.server_time().map(|theirs| clocks(clock::wall(), theirs)));
    (findings, Some(apps))
}

/// The first variable that names a proxy.
fn proxy() -> Option<&'static str> {
    PROXIES.into_iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Whether the system that is asked is the one that serves the domain; one that is empty may be served anywhere.
fn system(host: &str, domain: &str) -> Finding {
    match other_system(host, domain) {
        Some(other) => wrong_system(host, domain, other),
        None => Finding::ok(Check::Host, format!("{host} answers")),
    }
}

fn wrong_system(host: &str, domain: &str, other: &str) -> Finding {
    let message = format!("{domain} is at {other}, but {host} is asked");
    Finding::error(Check::Host, message, format!("export PYTHONANYWHERE_SITE={other}"))
}

/// The system of the service that a domain belongs to, where another one is asked.
fn other_system(host: &str, domain: &str) -> Option<&'static str> {
    let system = match domain {
        _ if domain.ends_with(".eu.pythonanywhere.com") => EU,
        _ if domain.ends_with(".pythonanywhere.com") => US,
        // Where somebody's own domain is served, it does not say.
        _ => return None,
    };
    let is_asked = |system: &str| host.trim_start_matches("www.") == system.trim_start_matches("www.");
    (!is_asked(system) && (is_asked(US) || is_asked(EU))).then_some(system)
}

fn clocks(ours: SystemTime, theirs: SystemTime) -> Finding {
    let (difference, word) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if difference < CLOCKS_DIFFER {
        return Finding::ok(Check::Clock, "it agrees with the service's");
    }
    let message = format!("this machine's clock is {} s {word} the service's", difference.as_secs());
    Finding::warning(Check::Clock, message, "sudo timedatectl set-ntp true")
}

/// Why not even the first request was answered well.
fn failed(client: &Client, error: &Error, proxy: Option<&str>) -> Finding {
    let why = error.chain();
    match error.kind() {
        ErrorKind::Authentication => {
            Finding::error(Check::Token, format!("{why}{}", elsewhere(client.host().authority())), "pya login")
        }
        ErrorKind::Forbidden => Finding::error(
            Check::Token,
            format!("it is not that of {}, or that account may not use the API: {why}", client.user()),
            "pya login",
        ),
        ErrorKind::Transport | ErrorKind::Timeout | ErrorKind::Config => unreached(client, why, proxy),
        _ => Finding::error(Check::Host, why, "pya doctor"),
    }
}

/// Where an account may be whose token one system does not know.
fn elsewhere(host: &str) -> String {
    let other = match host {
        US => EU,
        EU => US,
        _ => return String::new(),
    };
    format!(". Or the account is one of {other}: then set PYTHONANYWHERE_SITE to that")
}

/// No answer came from the host, for which the proxy may be the reason.
fn unreached(client: &Client, why: String, proxy: Option<&str>) -> Finding {
    if let Some(name) = proxy {
        return Finding::error(Check::Proxy, format!("{name} names one, and {why}"), format!("unset {name}"));
    }
    let command = if client.host().is_public_system() {
        format!("curl --head https://{}/", client.host().authority())
    } else {
        format!("export PYTHONANYWHERE_SITE={US}")
    };
    Finding::error(Check::Host, why, command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Health;

    #[test]
    fn a_domain_tells_which_system_serves_it() {
        for (host, domain, other) in [
            (US, "me.pythonanywhere.com", None),
            (US, "me.eu.pythonanywhere.com", Some(EU)),
            ("pythonanywhere.com", "me.pythonanywhere.com", None),
            (EU, "me.pythonanywhere.com", Some(US)),
            (EU, "me.eu.pythonanywhere.com", None),
            (EU, "www.example.com", None),
            ("127.0.0.1:8000", "me.eu.pythonanywhere.com", None),
        ] {
            assert_eq!(other_system(host, domain), other, "{host} {domain}");
        }
    }

    #[test]
    fn a_clock_may_differ_by_less_than_a_minute() {
        let now = clock::wall();
        for (seconds, health, word) in [(30, Health::Ok, "agrees"), (3600, Health::Warning, "3600 s")] {
            for finding in
                [clocks(now, now + Duration::from_secs(seconds)), clocks(now + Duration::from_secs(seconds), now)]
            {
                assert_eq!(finding.health, health);
                assert!(finding.message.contains(word), "{}", finding.message);
            }
        }
    }
}
