//! `pya logs`: a web app's logs, and the lines that are added to them.
//!
//! The service cannot send only new lines, so following a log means reading the whole file again, one request each
//! time. Lines that were printed before are recognised, even after the host has rotated the log.

use std::time::Duration;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::api::CallAnswer;
use crate::api::calls::find;
use crate::cli::args::{LogKind, Logs};
use crate::cli::budget::keeping_budget;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};

/// How many bytes at the beginning tell one log from the next of the same name.
const BEGINNING: usize = 4096;

pub async fn run(args: &Logs, context: &Context) -> Result<Exit> {
    let (domain, kind) = typed(args);
    if args.follow && context.output.is_json() {
        return Err(Error::config(
            "--follow cannot be combined with --json: it never ends, so there is no complete JSON document",
        ));
    }
    let settings = context.settings()?;
    let client = settings.client()?;
    let (place, log) = fetch(&client, &settings.table.domains(), domain, kind, None).await?;
    print_end(&place, &log, args.lines, &context.output);
    if args.follow {
        follow(&client, &place, &log, Duration::from_secs_f64(args.interval), &context.output).await?;
    }
    Ok(Exit::Ok)
}

/// Prints the last lines of a log.
fn print_end(place: &RemotePath, log: &[u8], lines: usize, output: &Output) {
    let text = String::from_utf8_lossy(log);
    let shown = last_lines(&text, lines);
    output.content(shown, &json!({ "log": place.as_str(), "lines": shown.lines().collect::<Vec<_>>() }));
    if log.is_empty() {
        output.say("the log is empty");
    }
}

/// The log of a site, of the configured or only one if no `domain` is given, and where it is.
///
/// # Errors
/// `Config` if there are several sites, or none, or the log has more than `most` bytes; as the service answers.
pub async fn fetch(
    client: &Client,
    configured: &[String],
    domain: Option<&str>,
    kind: LogKind,
    most: Option<usize>,
) -> Result<(RemotePath, Vec<u8>)> {
    let domain = match domain {
        Some(domain) => domain.to_owned(),
        None => default_domain(configured, client).await?,
    };
    let domain = crate::api::checked_domain(&domain)?.to_lowercase();
    let place = RemotePath::parse(&format!("/var/log/{domain}.{}.log", name_of(kind)))?;
    let log = keeping_budget(client, read(client, &place, most)).await?;
    Ok((place, log))
}

/// The kind of log as it is in the file's name.
fn name_of(kind: LogKind) -> &'static str {
    match kind {
        LogKind::Access => "access",
        LogKind::Error => "error",
        LogKind::Server => "server",
    }
}

/// The domain and the kind of log as they were typed. `pya logs access` names no domain.
fn typed(args: &Logs) -> (Option<&str>, LogKind) {
    let only_kind = || LogKind::from_str(args.domain.as_deref()?, true).ok();
    match (args.kind, only_kind()) {
        (None, Some(kind)) => (None, kind),
        (kind, _) => (args.domain.as_deref(), kind.unwrap_or(LogKind::Error)),
    }
}

/// The configured domain, else that of the account's only site.
pub async fn default_domain(configured: &[String], client: &Client) -> Result<String> {
    let domains = if configured.is_empty() { all_domains(client).await? } else { configured.to_vec() };
    match &domains[..] {
        [only] => Ok(only.clone()),
        [] => Err(Error::config("the account has no site, so there are no logs: pya webapps create makes a web app")),
        several => {
            let domains = several.join(", ");
            Err(Error::config(format!("there are several sites: give the domain of one of them ({domains})")))
        }
    }
}

/// The domains of the account's web apps and websites.
async fn all_domains(client: &Client) -> Result<Vec<String>> {
    let named = |site: &Value| site["domain_name"].as_str().map(str::to_owned);
    let mut domains: Vec<String> = client.list_webapps().await?.iter().filter_map(named).collect();
    if let Some(sites) = find("websites.list") {
        match client.call(sites, &[]).await {
            Ok(CallAnswer::Json(sites)) => domains.extend(sites.as_array().into_iter().flatten().filter_map(named)),
            Ok(_) => {}
            // Not every account has this kind of site.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Forbidden) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(domains)
}

async fn read(client: &Client, place: &RemotePath, most: Option<usize>) -> Result<Vec<u8>> {
    let content = match most {
        Some(most) => client.read_file_at_most(place, most).await,
        None => client.read_file(place).await,
    };
    match content {
        Ok(content) => Ok(content.into()),
        Err(error) if most.is_some() && error.kind() == ErrorKind::Decode => {
            let why = error.chain();
            Err(Error::config(format!(
                "{place} may be too long to be read here; \"pya logs\" has no such limit: {why}"
            )))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(no_log(client, place).await?),
        Err(error) => Err(error),
    }
}

/// Says that there is no such log, and which ones there are.
async fn no_log(client: &Client, place: &RemotePath) -> Result<Error> {
    let logs = client.list_dir(&RemotePath::parse("/var/log")?).await?;
    let logs: Vec<String> = logs.into_iter().map(|entry| entry.name).filter(|name| name.contains(".log")).collect();
    let there = if logs.is_empty() { "none".to_owned() } else { logs.join(", ") };
    Ok(Error::config(format!("there is no {place}; the logs in /var/log are: {there}")))
}

/// The last lines of a text.
pub fn last_lines(text: &str, lines: usize) -> &str {
    let end = text.strip_suffix('\n').unwrap_or(text);
    let start = end.rmatch_indices('\n').nth(lines.saturating_sub(1)).map_or(0, |(at, _)| at + 1);
    if lines == 0 { "" } else { &text[start..] }
}

/// Prints new lines until Ctrl-C.
async fn follow(
    client: &Client,
    place: &RemotePath,
    content: &[u8],
    interval: Duration,
    output: &Output,
) -> Result<()> {
    let mut seen = Seen::of(content);
    loop {
        clock::sleep(interval).await;
        let content = match client.read_file(place).await {
            Ok(content) => content,
            // The log was rotated, and the next line starts a new one.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) if error.is_ambiguous() => {
                output.warn(&error.chain());
                continue;
            }
            Err(error) => return Err(error),
        };
        let (new, is_other) = seen.new_in(&content);
        if is_other {
            output.say("(a new log starts)");
        }
        output.write(new);
        seen = Seen::of(&content);
    }
}

/// What was printed already.
struct Seen {
    length: usize,
    beginning: Vec<u8>,
}

impl Seen {
    fn of(content: &[u8]) -> Self {
        Self { length: content.len(), beginning: content[..content.len().min(BEGINNING)].to_vec() }
    }

    /// The part that was not printed yet, and whether it is another file.
    fn new_in<'a>(&self, content: &'a [u8]) -> (&'a [u8], bool) {
        if content.len() >= self.length && content.starts_with(&self.beginning) {
            return (&content[self.length..], false);
        }
        (content, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_log_can_stand_alone() {
        let typed = |domain: Option<&str>, kind| {
            let domain = domain.map(str::to_owned);
            let args = Logs { domain, kind, follow: false, lines: 20, interval: 3.0 };
            let (domain, kind) = super::typed(&args);
            (domain.map(str::to_owned), kind)
        };
        assert_eq!(typed(None, None), (None, LogKind::Error));
        assert_eq!(typed(Some("access"), None), (None, LogKind::Access));
        assert_eq!(typed(Some("a.b"), None), (Some("a.b".to_owned()), LogKind::Error));
        assert_eq!(typed(Some("a.b"), Some(LogKind::Server)), (Some("a.b".to_owned()), LogKind::Server));
    }

    #[test]
    fn only_what_is_new_is_printed() {
        let seen = Seen::of(b"one\n");
        assert_eq!(seen.new_in(b"one\n"), (&b""[..], false));
        assert_eq!(seen.new_in(b"one\ntwo\n"), (&b"two\n"[..], false));
        assert_eq!(seen.new_in(b"on"), (&b"on"[..], true));
        assert_eq!(seen.new_in(b"new file"), (&b"new file"[..], true));
    }

    #[test]
    fn the_last_lines_are_whole() {
        assert_eq!(last_lines("a\nb\nc\n", 2), "b\nc\n");
        assert_eq!(last_lines("a\nb", 5), "a\nb");
        assert_eq!(last_lines("a\nb\n", 0), "");
        assert_eq!(last_lines("", 3), "");
    }
}
