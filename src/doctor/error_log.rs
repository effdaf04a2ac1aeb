//! The last exception in the site's error log.
//!
//! Why an application could not be loaded is history as soon as it is loaded: a launch loads it before pip has installed what
//! it imports. What it raises when it is asked may come again after any reload.

use std::time::{Duration, SystemTime};

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

use super::finding::{Check, Finding};
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// Longer logs are not read.
const MOST_BYTES: usize = 32 << 20;

/// An older exception is history.
const RECENT: Duration = Duration::from_secs(7 * 24 * 3600);

const TRACEBACK: &str = "Traceback (most recent call last):";

/// What the host's server writes above the traceback of an application that could not be loaded, and the agent as well.
const LOADING: &str = "Error running WSGI application";

/// What Python writes between the tracebacks of exceptions that led to one another.
const CHAINED: [&str; 2] = [
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
];

/// Reads it. The application `is_loaded` if the agent says so.
pub(super) async fn examine(client: &Client, domain: &str, is_loaded: bool) -> Finding {
    let command = format!("pya logs {domain} error");
    let log = match read(client, domain).await {
        Ok(log) => log,
        Err(error) if error.kind() == ErrorKind::NotFound => return Finding::ok(Check::ErrorLog, "there is none yet"),
        Err(Error::Decode { .. }) => return Finding::warning(Check::ErrorLog, "it is longer than 32 MiB", command),
        Err(error) => return Finding::warning(Check::ErrorLog, error.chain(), command),
    };
    let Some(LastException { text, at }) = last_exception(&log) else {
        return Finding::ok(Check::ErrorLog, "there is no exception in it");
    };
    if is_loaded && load_failures(&log).contains(&text.as_str()) {
        return Finding::ok(Check::ErrorLog, format!("since its last exception the application was loaded: {text}"));
    }
    let when = at.map_or_else(String::new, |at| format!(" at {}", stamp(at)));
    if at.is_some_and(|at| is_old(client, at)) {
        return Finding::ok(Check::ErrorLog, format!("the last exception is old{when}: {text}"));
    }
    Finding::warning(Check::ErrorLog, format!("the last exception{when}: {text}"), command)
}

fn is_old(client: &Client, at: SystemTime) -> bool {
    let now = client.server_time().unwrap_or_else(clock::wall);
    now.duration_since(at).is_ok_and(|age| age > RECENT)
}

async fn read(client: &Client, domain: &str) -> Result<String> {
    let file = RemotePath::parse(&format!("/var/log/{domain}.error.log"))?;
    let content = client.read_file_at_most(&file, MOST_BYTES).await?;
    Ok(String::from_utf8_lossy(&content).into_owned())
}

#[derive(Debug, PartialEq, Eq)]
struct LastException {
    /// Its class and message, in one line.
    text: String,
    at: Option<SystemTime>,
}

/// Each line may begin with the time, as in `2026-11-29 01:02:03,123: ValueError: no`.
fn last_exception(log: &str) -> Option<LastException> {
    let mut lines = last_traceback(log)?.lines();
    let (at, _) = timed(lines.next()?);
    let text = lines.map(|line| timed(line).1).find(|line| !line.is_empty() && !is_within(line))?;
    Some(LastException { text: text.trim().to_owned(), at })
}

/// The log from the line on at which the last traceback begins.
fn last_traceback(log: &str) -> Option<&str> {
    let start = log.rfind(TRACEBACK)?;
    let line_start = log[..start].rfind('\n').map_or(0, |at| at + 1);
    Some(&log[line_start..])
}

/// The exceptions for which the application could not be loaded, each as its last line tells it.
fn load_failures(log: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut is_loading, mut is_traced, mut was_loading) = (false, false, false);
    for line in log.lines().map(|line| timed(line).1.trim_end()).filter(|line| !line.is_empty()) {
        if line == LOADING {
            is_loading = true;
        } else if line == TRACEBACK {
            is_traced = true;
        } else if is_traced && !is_within(line) {
            found.extend(is_loading.then_some(line));
            (was_loading, is_loading, is_traced) = (is_loading, false, false);
        } else if was_loading && CHAINED.contains(&line) {
            // The one that is raised after it counts.
            found.pop();
            is_loading = true;
        }
    }
    found
}

/// Whether a line belongs to a traceback whose exception comes later.
fn is_within(line: &str) -> bool {
    line.starts_with([' ', '\t', '+'])
}

/// A line's time and the rest of it.
fn timed(line: &str) -> (Option<SystemTime>, &str) {
    let parts = line.split_once(": ").filter(|(time, _)| (19..=27).contains(&time.len()));
    let timed = parts.and_then(|(time, rest)| Some((moment(time)?, rest)));
    timed.map_or((None, line), |(time, rest)| (Some(time), rest))
}

/// A time such as `2026-11-29 01:02:03,123`, in UTC.
fn moment(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let year = text.get(..4)?.parse().ok()?;
    let date = Date::from_calendar_date(year, Month::try_from(number(5, 7)?).ok()?, number(8, 10)?).ok()?;
    let time = Time::from_hms(number(11, 13)?, number(14, 16)?, number(17, 19)?).ok()?;
    Some(PrimitiveDateTime::new(date, time).assume_utc().into())
}

fn stamp(moment: SystemTime) -> String {
    let moment = OffsetDateTime::from(moment);
    format!("{} {:02}:{:02}", moment.date(), moment.hour(), moment.minute())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_last_exception_is_found_with_its_time() {
        let log = "2026-11-28 01:02:03,000: Traceback (most recent call last):\n2026-11-28 01:02:03,000: ValueError: old\n\
                   2026-11-29 01:02:03,123: Error running WSGI application\n\
                   2026-11-29 01:02:03,123: Traceback (most recent call last):\n\
                   2026-11-29 01:02:03,123:   File \"/var/www/x.py\", line 1, in <module>\n\
                   2026-11-29 01:02:03,123:     import nothing: here\n\
                   2026-11-29 01:02:03,123: ModuleNotFoundError: No module named 'nothing'\n\
                   2026-11-29 01:02:04,123: served\n";
        let found = last_exception(log).unwrap();
        assert_eq!(found.text, "ModuleNotFoundError: No module named 'nothing'");
        assert_eq!(stamp(found.at.unwrap()), "2026-11-29 01:02");
        let plain = "Traceback (most recent call last):\n  File \"x\"\nKeyError: 'a'\n";
        assert_eq!(last_exception(plain), Some(LastException { text: "KeyError: 'a'".into(), at: None }));
        assert_eq!(last_exception("all is well\n"), None);
        assert_eq!(last_exception("Traceback (most recent call last):\n"), None);
    }

    #[test]
    fn what_kept_an_application_from_being_loaded_is_told_from_what_it_raises() {
        let failure = |message: &str| format!("{LOADING}\n{TRACEBACK}\n  File \"x\"\nImportError: {message}\n");
        let chained = format!("\n{}\n\n{TRACEBACK}\n  File \"y\"\nValueError: after\n", CHAINED[0]);
        let raised = format!("{TRACEBACK}\n  File \"x\"\nKeyError: 'asked'\n");
        let log = format!("{}2026-11-29 01:02:03,123: served\n{raised}", failure("no one"));
        assert_eq!(load_failures(&log), ["ImportError: no one"]);
        assert_eq!(load_failures(&format!("{}{chained}{raised}", failure("before"))), ["ValueError: after"]);
        assert_eq!(
            load_failures(&format!("{log}{}", failure("no two"))),
            ["ImportError: no one", "ImportError: no two"]
        );
        for other in [raised.clone(), format!("{raised}{chained}"), format!("{}{raised}{chained}", failure("one"))] {
            assert!(!load_failures(&other).contains(&"ValueError: after"), "{other}");
        }
    }

    #[test]
    fn times_are_read_in_utc() {
        assert_eq!(moment("1970-01-01 00:01:00,5"), Some(UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!(moment("yesterday at noon ..."), None);
        assert_eq!(timed("KeyError: a name of no time: b"), (None, "KeyError: a name of no time: b"));
    }
}
