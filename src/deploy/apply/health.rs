//! The health check after a reload: a failed import shows at the first request, not in the reload's answer.
//!
//! Redirects are followed within the site, no credentials are sent, and a site that asks for a password is healthy. When it
//! answers with a server error, the error log says why: its lines since the reload are in the report.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use url::Url;

use super::context::Run;
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::deploy::remote::Remote;
use crate::error::{Error, Result};
use crate::host::Site;

/// How many redirects within the site are followed.
const REDIRECTS: usize = 5;

/// How long a site may be out of reach after a reload, and how often it is asked meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(2);

/// How much of the log is shown at most.
const LINES: usize = 40;

impl<R: Remote> Run<'_, R> {
    /// Checks each site that was reloaded `since`; false if one does not work.
    pub(crate) async fn is_healthy(&self, since: SystemTime) -> bool {
        let (Some(path), Some(client)) = (&self.options.health, self.remote.as_client()) else { return true };
        let reloaded = self.recorder.lock().reloaded.clone();
        for domain in reloaded {
            let is_named = self.options.executors.domain.as_ref() == Some(&domain);
            let url = self.options.executors.site_url.as_deref().filter(|_| is_named);
            match look_again(client, &domain, url, path).await {
                Ok(status) if status < 400 || status == 401 => {}
                Ok(status) if status < 500 => {
                    self.recorder.warn(format!("{domain} answers {path} with {status}"));
                }
                Ok(status) => {
                    let log = new_lines(client, &domain, since).await;
                    let mut report = self.recorder.lock();
                    report.stopped = Some(format!("{domain} answers {path} with {status} after the reload"));
                    report.error_log = log;
                    return false;
                }
                Err(error) => {
                    self.recorder.lock().stopped =
                        Some(format!("{domain} does not answer after the reload: {}", error.chain()));
                    return false;
                }
            }
        }
        true
    }
}

/// As `look`, but a failure that may pass is given some time: the first request after a reload waits for the application.
async fn look_again(client: &Client, domain: &str, site_url: Option<&str>, path: &str) -> Result<u16> {
    let end = clock::now() + PATIENCE;
    loop {
        let seen = look(client, domain, site_url, path).await;
        let may_pass = match &seen {
            Ok(status) => matches!(status, 502..=504),
            Err(error) => error.is_ambiguous(),
        };
        if !may_pass || clock::now() >= end {
            return seen;
        }
        clock::sleep(LOOK).await;
    }
}

/// The status of a page, once redirects within the site are followed.
async fn look(client: &Client, domain: &str, site_url: Option<&str>, path: &str) -> Result<u16> {
    let site = Site::new(client, domain, site_url)?;
    let (mut path, mut last) = (path.to_owned(), 0);
    for _ in 0..REDIRECTS {
        let response = match site.get(&path).await {
            // A page of any length says by its status that it is well.
            Err(Error::Decode { status, .. }) => return Ok(status),
            response => response?,
        };
        last = response.status.as_u16();
        let location = response.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
        let (true, Some(location)) = (response.status.is_redirection(), location) else {
            return Ok(response.status.as_u16());
        };
        let base = Url::parse(&format!("https://{domain}{path}")).map_err(|error| Error::config(error.to_string()))?;
        let Ok(next) = base.join(location) else { return Ok(response.status.as_u16()) };
        let is_within = next.host_str() == Some(domain)
            || Url::parse(site.address()).is_ok_and(|own| own.origin() == next.origin());
        if !is_within {
            // Somewhere else: this site did its part.
            return Ok(response.status.as_u16());
        }
        next[url::Position::BeforePath..url::Position::AfterQuery].clone_into(&mut path);
    }
    // Sites that set a cookie or choose a language may do so for visitors without one: the application works.
    Ok(last)
}

/// What was written to the error log since then, or why it cannot be read: no deploy depends on it.
async fn new_lines(client: &Client, domain: &str, since: SystemTime) -> Vec<String> {
    let read = async {
        let place = RemotePath::parse(&format!("/var/log/{domain}.error.log"))?;
        client.read_file(&place).await
    };
    match read.await {
        Ok(content) => lines_since(&String::from_utf8_lossy(&content), &stamp(since)),
        Err(error) => vec![format!("(the error log cannot be read: {})", error.chain())],
    }
}

/// The lines from the first with that time or a later one; lines without a time belong to the one before.
fn lines_since(log: &str, stamp: &str) -> Vec<String> {
    let is_new = |line: &&str| {
        line.get(..stamp.len())
            .is_some_and(|start| start >= stamp && start.as_bytes()[4] == b'-' && start.as_bytes()[10] == b' ')
    };
    let lines: Vec<&str> = log.lines().collect();
    let Some(first) = lines.iter().position(is_new) else { return Vec::new() };
    let first = first.max(lines.len().saturating_sub(LINES));
    lines[first..].iter().map(|&line| line.to_owned()).collect()
}

/// A moment as the log writes it, in UTC, to the second.
fn stamp(moment: SystemTime) -> String {
    let time = OffsetDateTime::from(moment);
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn only_what_is_new_in_the_log_is_shown_with_its_tracebacks() {
        let log = "2026-11-23 08:00:00,000: old\n  of old\n2026-11-23 09:00:01,000: new\nTraceback\n";
        assert_eq!(lines_since(log, "2026-11-23 09:00:00"), ["2026-11-23 09:00:01,000: new", "Traceback"]);
        assert!(lines_since(log, "2026-11-23 10:00:00").is_empty());
        let many = "2026-11-23 09:00:01,000: x\n".repeat(100);
        assert_eq!(lines_since(&many, "2026-11-23 09:00:00").len(), LINES);
    }

    #[test]
    fn moments_are_written_as_in_the_log() {
        assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(1_000_000_000)), "2001-09-09 01:46:40");
    }
}
