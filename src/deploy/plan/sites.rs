//! The account's sites, as far as a deploy reloads them or runs commands for them.
//!
//! Read before the first upload, in one request for all domains: that a web app does not exist, or is not served, must
//! not show only when the new files are there. A domain that is no web app may be a website that a command serves (ASGI),
//! which has its own list and its own reload.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Value, json};
use time::{Date, Month, OffsetDateTime};

use crate::api::found;
use crate::client::Client;
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{keep_expiry, known_expiry};
use crate::text::{excerpt, first_few};

/// The sites of an account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sites {
    apps: Vec<Value>,
    websites: Vec<Value>,
    /// Domains that were asked for and cannot be reloaded, and why.
    pub refused: BTreeMap<String, String>,
    /// Which of those that were asked for expire soon.
    pub warnings: Vec<String>,
    /// How many requests it took to read them.
    pub requests: usize,
}

impl Sites {
    /// Reads the list of web apps; that of the websites only if one of `domains` is no web app. Without domains, all are meant.
    pub(crate) async fn read(client: &Client, domains: &[String]) -> Result<Self> {
        let mut sites = Self { apps: client.list_webapps().await?, requests: 1, ..Self::default() };
        if domains.iter().any(|domain| sites.web_app(domain).is_none()) {
            sites.requests += 1;
            // A host without that part of the API has none.
            let websites = found(client.list_websites().await, &[ErrorKind::NotFound, ErrorKind::Forbidden])?;
            sites.websites = websites.unwrap_or_default();
        }
        sites.note_expiries(client, domains);
        Ok(sites)
    }

    /// Keeps when web apps expire, and warns of it. Without domains, all are meant.
    fn note_expiries(&mut self, client: &Client, domains: &[String]) {
        let now = client.server_time();
        let all = domains.is_empty();
        let is_asked = |app: &&Value| {
            let name = app["domain_name"].as_str().unwrap_or_default();
            all || domains.iter().any(|domain| domain.eq_ignore_ascii_case(name))
        };
        for app in self.apps.iter().filter(is_asked) {
            let Some(domain) = app["domain_name"].as_str() else { continue };
            if let Some(text) = app["expiry"].as_str() {
                keep_expiry(client, domain, text);
            }
            self.warnings.extend(expiry_warning(app, now));
        }
    }

    /// Whether a web app expires soon or has expired, as its record was read here before.
    pub(crate) fn expires_soon(client: &Client, domain: &str) -> bool {
        let now = client.server_time().unwrap_or_else(clock::wall);
        let left = known_expiry(client, domain).and_then(|text| days_left(&text, now));
        left.is_some_and(|days| days <= LAST_DAYS)
    }

    /// One web app that is there and served, since its agent has just answered. No more is known of it.
    pub(crate) fn answering(domain: &str) -> Self {
        Self { apps: vec![json!({ "domain_name": domain, "enabled": true })], ..Self::default() }
    }

    /// All web apps.
    pub(crate) fn web_apps(&self) -> &[Value] {
        &self.apps
    }

    /// The record of a web app or a website.
    pub(crate) fn record(&self, domain: &str) -> Option<&Value> {
        self.web_app(domain).or_else(|| find(&self.websites, domain))
    }

    /// The record of a web app.
    pub(crate) fn web_app(&self, domain: &str) -> Option<&Value> {
        find(&self.apps, domain)
    }

    /// Whether a command serves this domain.
    pub(crate) fn is_website(&self, domain: &str) -> bool {
        self.web_app(domain).is_none() && find(&self.websites, domain).is_some()
    }

    /// Refuses a domain that cannot be reloaded. `now` is the service's time.
    pub(crate) fn check(&self, domain: &str, now: Option<SystemTime>) -> Result<()> {
        let Some(site) = self.record(domain) else {
            return Err(self.unknown(domain));
        };
        let family = if self.is_website(domain) { "websites" } else { "webapps" };
        if site["enabled"] == Value::Bool(false) {
            let remedy = match family {
                "webapps" => format!("\"pya webapps enable {domain}\" enables it"),
                _ => "enable it on the page Web of PythonAnywhere".to_owned(),
            };
            return Err(Error::config(format!("{domain} is disabled, so nobody would see what is deployed: {remedy}")));
        }
        match (site["expiry"].as_str().and_then(expiry), now) {
            (Some(expiry), Some(now)) if expiry < OffsetDateTime::from(now).date() => Err(Error::config(format!(
                "{domain} expired on {expiry}, so nobody would see what is deployed: extend it on the page Web of \
                 PythonAnywhere"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses to reload `domains` if none of them can be. Where some can, the others are noted: those sites must get the
    /// new code, and the report names the rest as failed.
    pub(crate) fn refuse(&mut self, domains: &[String], now: Option<SystemTime>) -> Result<()> {
        let failures: Vec<(&String, Error)> =
            domains.iter().filter_map(|domain| Some((domain, self.check(domain, now).err()?))).collect();
        if failures.len() < domains.len() {
            self.refused = failures.into_iter().map(|(domain, error)| (domain.clone(), error.to_string())).collect();
            return Ok(());
        }
        failures.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Says what there is, and how to make what there is not.
    fn unknown(&self, domain: &str) -> Error {
        let names = self.apps.iter().chain(&self.websites).filter_map(|site| site["domain_name"].as_str());
        let names = first_few(names.map(str::to_owned));
        let there = if names.is_empty() { "it has none yet".to_owned() } else { format!("it has {names}") };
        Error::config(format!(
            "the account has no web app {domain}: {there}. \"pya webapps create {domain} 3.13\" makes it, for Python 3.13"
        ))
    }
}

fn find<'a>(sites: &'a [Value], domain: &str) -> Option<&'a Value> {
    sites.iter().find(|site| site["domain_name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(domain)))
}

/// How many days before its end a web app is warned of: it expires a month after somebody extended it.
const LAST_DAYS: i64 = 7;

/// How many days are left of a web app that expires then; less than 0 if it has expired. `None` if the text is no date.
pub(crate) fn days_left(text: &str, now: SystemTime) -> Option<i64> {
    let last = expiry(text)?;
    Some((last - OffsetDateTime::from(now).date()).whole_days())
}

/// What to know about a web app whose last week has begun. No call extends it.
pub(crate) fn expiry_warning(app: &Value, now: Option<SystemTime>) -> Option<String> {
    let (domain, text) = (app["domain_name"].as_str()?, app["expiry"].as_str()?);
    let days = days_left(text, now?).filter(|days| (0..=LAST_DAYS).contains(days))?;
    let when = match days {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        days => format!("in {days} days"),
    };
    Some(format!(
        "{} expires {when}, on {}, and is not served from then on: extend it on the page Web of PythonAnywhere, which no call \
         of the API does",
        excerpt(domain),
        expiry(text)?
    ))
}

/// The day of an expiry, which is written as `2026-11-23` or as in an HTTP header; `None` for anything else.
pub(crate) fn expiry(text: &str) -> Option<Date> {
    if let Ok(moment) = httpdate::parse_http_date(text) {
        return Some(OffsetDateTime::from(moment).date());
    }
    let mut numbers = text.get(..10)?.split('-');
    let mut number = || numbers.next()?.parse::<u16>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn sites() -> Sites {
        Sites {
            apps: vec![
                json!({ "domain_name": "good.example.com", "enabled": true, "expiry": "2026-12-24" }),
                json!({ "domain_name": "off.example.com", "enabled": false }),
                json!({ "domain_name": "old.example.com", "enabled": true, "expiry": "Mon, 23 Nov 2026 08:00:00 GMT" }),
                json!({ "domain_name": "odd.example.com", "expiry": "never" }),
            ],
            websites: vec![json!({ "domain_name": "asgi.example.com", "enabled": true })],
            requests: 2,
            ..Sites::default()
        }
    }

    #[test]
    fn a_web_app_is_warned_of_in_its_last_week() {
        // 2026-11-25.
        let now = UNIX_EPOCH + Duration::from_secs(1_795_600_000);
        let warning = |expiry: &str| expiry_warning(&json!({ "domain_name": "a.b", "expiry": expiry }), Some(now));
        for (expiry, words) in [
            ("2026-11-25", "a.b expires today, on 2026-11-25"),
            ("2026-11-26", "expires tomorrow"),
            ("Wed, 02 Dec 2026 08:00:00 GMT", "expires in 7 days, on 2026-12-02"),
        ] {
            assert!(warning(expiry).unwrap().contains(words), "{:?}", warning(expiry));
        }
        for expiry in ["2026-12-03", "2026-11-24", "never", ""] {
            assert_eq!(warning(expiry), None, "{expiry}");
        }
        assert_eq!(days_left("2026-11-20", now), Some(-5));
        assert_eq!(expiry_warning(&json!({ "domain_name": "a.b", "expiry": "2026-11-25" }), None), None);
        assert_eq!(expiry_warning(&json!({ "domain_name": "a.b", "expiry": null }), Some(now)), None);
    }

    #[test]
    fn only_sites_that_are_served_can_be_deployed_to() {
        let now = Some(UNIX_EPOCH + Duration::from_secs(1_795_600_000));
        let sites = sites();
        for domain in ["good.example.com", "Good.Example.COM", "odd.example.com", "asgi.example.com"] {
            sites.check(domain, now).unwrap();
        }
        for (domain, words) in [
            ("off.example.com", "pya webapps enable off.example.com"),
            ("old.example.com", "expired on 2026-11-23"),
            ("new.example.com", "it has good.example.com, off.example.com"),
            ("new.example.com", "pya webapps create new.example.com"),
        ] {
            let error = sites.check(domain, now).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(Sites::default().check("a.b", now).unwrap_err().to_string().contains("none yet"));
        let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let mut some = self::sites();
        some.refuse(&named(&["off.example.com", "good.example.com"]), now).unwrap();
        assert!(some.refused.keys().eq(["off.example.com"]), "{some:?}");
        assert!(some.refuse(&named(&["off.example.com", "new.example.com"]), now).is_err());
        assert!(sites.is_website("asgi.example.com") && !sites.is_website("good.example.com"));
    }
}
