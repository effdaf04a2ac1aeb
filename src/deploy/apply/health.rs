//! The health check after a reload: a failed import shows at the first request, not in the reload's answer.
//!
//! Redirects are followed within the site, no credentials are sent, and a site that asks for a password is healthy. When it
//! answers with a server error, the error log says why. Two failures come with other statuses: Django refuses every
//! request with 400 where `ALLOWED_HOSTS` lacks the domain, and a new web app shows the host's own page with 200.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use url::Url;

use super::context::Run;
use super::error_log::{exception, excerpt, lines_since};
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::deploy::plan::environment::file_of;
use crate::deploy::remote::Remote;
use crate::error::{Error, Result};
use crate::host::Site;

/// How many redirects within the site are followed.
const REDIRECTS: usize = 5;

/// How long a site may be out of reach after a reload, and how often it is asked meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(2);

/// A page that no site has, to tell a page that is refused from a site that is.
const NO_PAGE: &str = "/-/pya-health-check";

/// The title of the page that the host makes for a new web app, and the text of its other pages.
const PLACEHOLDER: &str = "<title>PythonAnywhere hosted web application</title>";
const PLACEHOLDER_404: &str = "Page not found.";

/// How a site answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// It works, but not for this page.
    Odd(u16),
    /// It is the host's own page.
    Placeholder,
    /// Every page is answered with 400.
    RefusesAll,
    Failed(u16),
}

/// A page as far as it tells how the site is.
struct Page {
    status: u16,
    text: String,
}

impl<R: Remote> Run<'_, R> {
    /// Checks each site that was reloaded `since`; false if one does not work.
    pub(crate) async fn is_healthy(&self, since: SystemTime) -> bool {
        let (Some(path), Some(client)) = (&self.options.health, self.remote.as_client()) else { return true };
        let reloaded = self.recorder.lock().reloaded.clone();
        let mut is_healthy = true;
        for domain in reloaded {
            is_healthy &= self.is_site_healthy(client, &domain, path, since).await;
        }
        is_healthy
    }

    async fn is_site_healthy(&self, client: &Client, domain: &str, path: &str, since: SystemTime) -> bool {
        let url = self.options.site_url_of(domain);
        let health = check(client, domain, url.as_deref(), path).await;
        let is_healthy = matches!(health, Ok(Health::Well | Health::Odd(_) | Health::Placeholder));
        match health {
            Ok(Health::Well) => {}
            Ok(Health::Odd(status)) => self.recorder.warn(format!("{domain} answers {path} with {status}")),
            Ok(Health::Placeholder) => self.recorder.warn(placeholder_shown(domain)),
            Ok(Health::RefusesAll) => {
                self.fail_health(domain_refused(domain));
                self.quote_log(client, domain, since).await;
            }
            Ok(Health::Failed(status)) => {
                let raised = self.quote_log(client, domain, since).await;
                let raised = raised.map_or(String::new(), |raised| format!(": {raised}"));
                self.fail_health(format!("{domain} answers {path} with {status} after the reload{raised}"));
            }
            Err(error) => self.fail_health(format!("{domain} does not answer after the reload: {}", error.chain())),
        }
        is_healthy
    }

    /// The first site that does not work ends the deploy; the report names the others as well.
    fn fail_health(&self, reason: String) {
        let mut report = self.recorder.lock();
        match &mut report.stopped {
            Some(stopped) => {
                stopped.push_str("; ");
                stopped.push_str(&reason);
            }
            None => report.stopped = Some(reason),
        }
    }

    /// Puts the part of the error log that tells most into the report, and returns what to say of the exception in it.
    async fn quote_log(&self, client: &Client, domain: &str, since: SystemTime) -> Option<String> {
        let (lines, is_new) = match error_log(client, domain).await {
            Ok(log) => {
                let (lines, is_new) = lines_since(&log, &stamp(since));
                (excerpt(&lines), is_new)
            }
            // No deploy depends on it.
            Err(error) => (vec![format!("(the error log cannot be read: {})", error.chain())], false),
        };
        let words = if is_new { "" } else { "the last exception in the error log is " };
        let raised = exception(&lines).map(|raised| format!("{words}{raised}"));
        self.recorder.lock().error_log.extend(lines);
        raised
    }
}

fn placeholder_shown(domain: &str) -> String {
    let file = file_of(domain);
    format!(
        "the files are there, but {domain} does not run them: it still shows the host's placeholder page. \
         Let {file} load the project, then run \"pya reload {domain}\""
    )
}

fn domain_refused(domain: &str) -> String {
    format!(
        "{domain} answers every page with 400: Django does so if its setting ALLOWED_HOSTS lacks the \
         domain; add {domain:?} there and deploy again"
    )
}

/// The exception for which the page at `path` fails, as the error log tells it; `None` if that does not. What was logged
/// before `since` is history. Lines without a time may be older, too: so the page is asked again, and what that adds counts.
pub(crate) async fn raised_since(
    client: &Client,
    domain: &str,
    site_url: Option<&str>,
    path: &str,
    since: SystemTime,
) -> Option<String> {
    let log = error_log(client, domain).await.ok()?;
    let (lines, is_new) = lines_since(&log, &stamp(since));
    let excerpted = excerpt(&lines);
    if let Some(raised) = exception(&excerpted).filter(|_| is_new) {
        return Some(raised.to_owned());
    }
    look(client, domain, site_url, path).await.ok()?;
    let grown = error_log(client, domain).await.ok()?;
    let added: Vec<String> = grown.strip_prefix(&log)?.lines().map(str::to_owned).collect();
    exception(&excerpt(&added)).map(str::to_owned)
}

/// Looks at a page after a reload, and at others where that one does not tell.
pub(crate) async fn check(client: &Client, domain: &str, site_url: Option<&str>, path: &str) -> Result<Health> {
    let page = look_again(client, domain, site_url, path).await?;
    Ok(health(client, domain, site_url, page).await)
}

/// The same of a site that was not reloaded just now.
pub(crate) async fn check_once(client: &Client, domain: &str, site_url: Option<&str>, path: &str) -> Result<Health> {
    let page = look(client, domain, site_url, path).await?;
    Ok(health(client, domain, site_url, page).await)
}

/// What a page says of its site, with other pages where it does not tell.
async fn health(client: &Client, domain: &str, site_url: Option<&str>, page: Page) -> Health {
    let other = |path| async move { look(client, domain, site_url, path).await.ok() };
    match page.status {
        400 if other(NO_PAGE).await.is_some_and(|page| page.status == 400) => Health::RefusesAll,
        200 if page.text.contains(PLACEHOLDER) => Health::Placeholder,
        404 if page.text.trim() == PLACEHOLDER_404
            && other("/").await.is_some_and(|page| page.text.contains(PLACEHOLDER)) =>
        {
            Health::Placeholder
        }
        status if status < 400 || status == 401 => Health::Well,
        status if status < 500 => Health::Odd(status),
        status => Health::Failed(status),
    }
}

/// As `look`, but a failure that may pass is given some time: the first request after a reload waits for the application.
async fn look_again(client: &Client, domain: &str, site_url: Option<&str>, path: &str) -> Result<Page> {
    let end = clock::now() + PATIENCE;
    loop {
        let seen = look(client, domain, site_url, path).await;
        let may_pass = match &seen {
            Ok(page) => matches!(page.status, 502..=504),
            Err(error) => error.is_ambiguous(),
        };
        if !may_pass || clock::now() >= end {
            return seen;
        }
        clock::sleep(LOOK).await;
    }
}

/// A page, once redirects within the site are followed.
async fn look(client: &Client, domain: &str, site_url: Option<&str>, path: &str) -> Result<Page> {
    let site = Site::new(client, domain, site_url)?;
    let (mut path, mut last) = (path.to_owned(), 0);
    for _ in 0..REDIRECTS {
        let response = match site.get(&path).await {
            // A page of any length says by its status that it is well.
            Err(Error::Decode { status, .. }) => return Ok(Page { status, text: String::new() }),
            response => response?,
        };
        last = response.status.as_u16();
        let page = Page { status: last, text: String::from_utf8_lossy(&response.body).into_owned() };
        let location = response.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
        let (true, Some(location)) = (response.status.is_redirection(), location) else { return Ok(page) };
        // Somewhere else, or nowhere: this site did its part.
        let Some(next) = within(&site, domain, &path, location)? else { return Ok(page) };
        path = next;
    }
    // Sites that set a cookie or choose a language may do so for visitors without one: the application works.
    Ok(Page { status: last, text: String::new() })
}

/// The path that a page at `path` redirects to, if that is within the site.
fn within(site: &Site, domain: &str, path: &str, location: &str) -> Result<Option<String>> {
    let base = Url::parse(&format!("https://{domain}{path}")).map_err(|error| Error::config(error.to_string()))?;
    let Ok(next) = base.join(location) else { return Ok(None) };
    let is_within =
        next.host_str() == Some(domain) || Url::parse(site.address()).is_ok_and(|own| own.origin() == next.origin());
    Ok(is_within.then(|| next[url::Position::BeforePath..url::Position::AfterQuery].to_owned()))
}

async fn error_log(client: &Client, domain: &str) -> Result<String> {
    let place = RemotePath::parse(&format!("/var/log/{domain}.error.log"))?;
    Ok(String::from_utf8_lossy(&client.read_file(&place).await?).into_owned())
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
    fn moments_are_written_as_in_the_log() {
        assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(1_000_000_000)), "2001-09-09 01:46:40");
    }
}
