//! The agent: code of ours in the account's own web app, the one way to run anything on the host without a browser.
//!
//! Installing it writes three files into `/home/<user>/.pya/agent-<domain>/` and replaces the WSGI file, which the API can
//! write, by a stub that runs the original and lets signed requests through to the agent. What the WSGI file said before is
//! kept twice, in the stub itself and in `agent.json`, so that the site never depends on the agent's folder, and comes back
//! byte for byte. Every step can be cut off: the stub goes in last, when all that it needs is there, and comes out first.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::sign::{Key, PATH, VERSION, random_hex};
use super::site::{Answer, STATUS, Site};
use super::stub::{self, Stub};
use crate::api::Reloaded;
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::error::{Error, ErrorKind, Result};
use crate::setting::Setting;

/// What runs in the web app.
const AGENT: &str = include_str!("agent.py");

/// What does the work; also uploaded beside the jobs of tasks and consoles.
pub(super) const RUNNER: &str = include_str!("runner.py");

/// What tells the files of this build from others of the same version.
fn build() -> String {
    crate::digest::sha256(format!("{AGENT}{RUNNER}"))
}

/// How long a reloaded web app may take until it answers with what it was reloaded for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// What is kept of an installation, beside the agent's code.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Installation {
    format: u32,
    version: u32,
    id: String,
    wsgi: String,
    /// The WSGI file before the agent.
    original: String,
    /// The WSGI file with the agent.
    stub: String,
    /// Which text of the files is there.
    #[serde(default)]
    build: Option<String>,
}

/// What the agent writes when the web app loads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Loaded {
    version: u32,
    id: String,
    has_token: bool,
    key_check: Option<String>,
    /// Which text of the files it is.
    build: Option<String>,
    /// Why the application itself could not be loaded.
    failed: Option<String>,
}

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It answers. The application itself may have failed to load, which is said then.
    Ready {
        /// The application's error, if it could not be loaded.
        application_failed: Option<String>,
        /// Whether its files are those of this build.
        is_current: bool,
    },
    /// The WSGI file is not ours: never was, or was replaced since.
    NotInstalled,
    /// An agent of another version.
    OtherVersion(u32),
    /// Whatever keeps it from answering, for people.
    Silent(Silence),
}

/// Why an agent does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// The service says that the site is disabled.
    Disabled,
    /// The web app was not loaded since the installation.
    NotLoaded,
    /// The web app has no `$API_TOKEN`: the token was made after its last reload.
    NoToken,
    /// The web app has another token: it was replaced after its last reload.
    OtherToken,
    /// A static files mapping answers for the agent's path.
    Mapped(String),
    /// None of these: most likely the domain leads elsewhere.
    Elsewhere(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { application_failed, is_current } => {
                write!(f, "installed (version {VERSION}), and it answers")?;
                if !is_current {
                    f.write_str("; it is another build than this one: install it anew")?;
                }
                application_failed.iter().try_for_each(|why| write!(f, "; the application could not be loaded: {why}"))
            }
            Self::NotInstalled => f.write_str("not installed"),
            Self::OtherVersion(version) => {
                write!(f, "version {version} is installed, this is version {VERSION}: install it anew")
            }
            Self::Silent(why) => write!(f, "installed, but it does not answer: {why}"),
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("the site is disabled or has expired: enable or extend it"),
            Self::NotLoaded => f.write_str("the web app was not loaded since: reload it"),
            Self::NoToken => {
                f.write_str("the web app has no $API_TOKEN, as the token was made after its last reload: reload it")
            }
            Self::OtherToken => {
                f.write_str("the web app has another $API_TOKEN, as it was replaced after its last reload: reload it")
            }
            Self::Mapped(url) => write!(f, "the static files mapping {url:?} answers for {PATH}: remove or narrow it"),
            Self::Elsewhere(what) => write!(
                f,
                "{what}: if the domain does not lead to this web app yet, give an address that does ({}), such as \
                 that of the account's own subdomain",
                Setting::SiteUrl
            ),
        }
    }
}

/// What an installation or a removal did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whether the WSGI file was changed.
    pub changed: bool,
    /// What to know about.
    pub warnings: Vec<String>,
}

/// The place of a web app's agent.
#[derive(Debug)]
pub struct Agents {
    client: Client,
    site: Site,
    folder: RemotePath,
    wsgi: RemotePath,
}

/// An agent that is installed, and the key to it.
#[derive(Debug)]
pub struct Agent {
    pub(super) site: Site,
    pub(super) key: Key,
    /// What its last start left, where it may need a reload first.
    pub(super) needs_reload: bool,
}

impl Agent {
    /// Whether the web app is reloaded before the first job, as far as is known.
    #[must_use]
    pub fn needs_reload(&self) -> bool {
        self.needs_reload
    }

    /// Whether it is there: what its last start left may be older than the WSGI file. No request to the API.
    pub async fn is_there(&self) -> bool {
        // Until the reload it cannot know us.
        self.needs_reload || matches!(self.site.ask(&self.key, STATUS, b"{}").await, Ok(Answer::Taken))
    }
}

impl Agents {
    /// The agent of the web app of `domain`, whose site is at `site_url` if not at its domain.
    ///
    /// # Errors
    /// `Config` if `domain` or `site_url` is none.
    pub fn new(client: &Client, domain: &str, site_url: Option<&str>) -> Result<Self> {
        let domain = &crate::api::checked_domain(domain)?.to_lowercase();
        let home = RemotePath::parse("/home")?.join(client.user())?;
        Ok(Self {
            site: Site::new(client, domain, site_url)?,
            folder: home.join(&format!(".pya/agent-{domain}"))?,
            wsgi: super::wsgi::wsgi_file(domain)?,
            client: client.clone(),
        })
    }

    /// The agent, if there is one that this version can talk to: one request.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn find(self) -> Result<Option<Agent>> {
        let Some(loaded) = self.read::<Loaded>("loaded.json").await? else { return Ok(None) };
        if loaded.version != VERSION {
            return Ok(None);
        }
        let key = self.key(&loaded.id)?;
        let needs_reload = loaded.key_check.as_deref() != Some(&key.check());
        // It cannot be asked then, and its WSGI file may have been replaced since it was loaded.
        if needs_reload && Stub::find(&self.read_wsgi().await?).is_none_or(|stub| stub.id != loaded.id) {
            return Ok(None);
        }
        if loaded.build.as_deref() != Some(&build()) {
            let domain = &self.site.domain;
            log::warn!(
                "the agent of {domain} is another build than this one: \"pya agent install {domain}\" renews it"
            );
        }
        Ok(Some(Agent { site: self.site, key, needs_reload }))
    }

    /// Installs the agent, or replaces an older one. Twice is once.
    ///
    /// # Errors
    /// `NotFound` if there is no such web app; `Config` if the WSGI file is not as it was left; `Job` if the agent does not
    /// answer in the end, with the reason.
    pub async fn install(&self) -> Result<Change> {
        let record = self.client.webapp(&self.site.domain).await?;
        let wsgi = self.read_wsgi().await?;
        let mut installation = self.installation(&wsgi).await?;
        let stub = self.stub_of(&installation);
        let is_new = wsgi != stub || !self.is_whole(&installation).await?;
        let mut warnings = Vec::new();
        if is_new {
            self.write("agent.py", AGENT).await?;
            self.write("runner.py", RUNNER).await?;
            installation.version = VERSION;
            installation.build = Some(build());
            installation.stub = stub;
            self.write("agent.json", &to_text(&installation)).await?;
            if wsgi != installation.stub {
                self.replace_wsgi(&wsgi, &installation.stub).await?;
            }
        }
        let key = self.key(&installation.id)?;
        let mut loaded = if is_new { Loaded::default() } else { self.read("loaded.json").await?.unwrap_or_default() };
        // One whose reload failed has that left to do.
        if loaded.build != Some(build()) || !self.answers(&key, Duration::ZERO).await? {
            if let Reloaded::CnameWarning(warning) = self.client.reload_webapp(&self.site.domain).await? {
                warnings.push(warning);
            }
            if !self.answers(&key, ANSWERS_WITHIN).await? {
                let why = self.silence(&record, &key).await?;
                return Err(Error::job(format!("the agent is installed, but it does not answer: {why}")));
            }
            loaded = self.read("loaded.json").await?.unwrap_or_default();
        }
        if let Some(why) = loaded.failed {
            warnings.push(format!("the agent answers, but the application could not be loaded: {why}"));
        }
        Ok(Change { changed: is_new, warnings })
    }

    /// Whether all of an installation is there, and of this build.
    async fn is_whole(&self, installation: &Installation) -> Result<bool> {
        if installation.build.as_deref() != Some(&build()) {
            return Ok(false);
        }
        let entries = self.client.list_dir(&self.folder).await?;
        Ok(["agent.py", "runner.py", "agent.json"].iter().all(|name| entries.iter().any(|entry| entry.name == *name)))
    }

    /// Puts the original WSGI file back, reloads, and removes what was installed. With `force` also where the file was
    /// changed since.
    ///
    /// # Errors
    /// `Config` with the differences if the WSGI file is not as it was installed; `Held` if somebody writes it now.
    pub async fn remove(&self, force: bool) -> Result<Change> {
        let wsgi = match self.read_wsgi().await {
            // The web app may be gone.
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            wsgi => Some(wsgi?),
        };
        let mut change = Change { changed: false, warnings: Vec::new() };
        if let Some((wsgi, stub)) = wsgi.as_deref().and_then(|wsgi| Some((wsgi, Stub::find(wsgi)?))) {
            let installation = self.installed(wsgi, stub, force).await?;
            self.replace_wsgi(wsgi, &installation.original).await?;
            change.changed = true;
            self.reload_for(&mut change).await?;
        } else if let Some(kept) = self.read::<Installation>("agent.json").await? {
            match wsgi {
                // We put it back, and did not come to the reload.
                Some(wsgi) if wsgi == kept.original => {
                    change.changed = true;
                    self.reload_for(&mut change).await?;
                }
                Some(_) => change.warnings.push(format!("{} was replaced since; it is left as it is", self.wsgi)),
                None => change.warnings.push(format!("{} is gone; what it was before the agent goes, too", self.wsgi)),
            }
        }
        match self.client.delete_path(&self.folder).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => outcome?,
        }
        Ok(change)
    }

    async fn reload_for(&self, change: &mut Change) -> Result<()> {
        if let Reloaded::CnameWarning(warning) = self.client.reload_webapp(&self.site.domain).await? {
            change.warnings.push(warning);
        }
        Ok(())
    }

    /// Looks how the agent is. Changes nothing.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn status(&self) -> Result<Status> {
        let record = self.client.webapp(&self.site.domain).await?;
        let Some(stub) = Stub::find(&self.read_wsgi().await?) else { return Ok(Status::NotInstalled) };
        if stub.version != VERSION {
            return Ok(Status::OtherVersion(stub.version));
        }
        let key = self.key(&stub.id)?;
        if self.answers(&key, Duration::ZERO).await? {
            let loaded = self.read::<Loaded>("loaded.json").await?.unwrap_or_default();
            let is_current = loaded.build == Some(build());
            return Ok(Status::Ready { application_failed: loaded.failed, is_current });
        }
        self.silence(&record, &key).await.map(Status::Silent)
    }

    /// Why the agent does not answer.
    async fn silence(&self, record: &Value, key: &Key) -> Result<Silence> {
        if record["enabled"] == Value::Bool(false) {
            return Ok(Silence::Disabled);
        }
        match self.read::<Loaded>("loaded.json").await? {
            None => return Ok(Silence::NotLoaded),
            Some(loaded) if !loaded.has_token => return Ok(Silence::NoToken),
            Some(loaded) if loaded.key_check.as_deref() != Some(&key.check()) => return Ok(Silence::OtherToken),
            Some(_) => {}
        }
        for mapping in self.client.static_files(&self.site.domain).await? {
            if let Some(url) = mapping["url"].as_str().filter(|url| is_above_agent(url)) {
                return Ok(Silence::Mapped(url.to_owned()));
            }
        }
        let what = match self.site.ask(key, STATUS, b"{}").await {
            Ok(Answer::Other(status)) => format!("{} answers with {status}", self.site.address()),
            Ok(Answer::Taken) => "it answers now, but did not in time".to_owned(),
            Err(error) => error.chain(),
        };
        Ok(Silence::Elsewhere(what))
    }

    /// Asks until the agent of this version answers, for at most so long; at least once.
    async fn answers(&self, key: &Key, within: Duration) -> Result<bool> {
        let end = clock::now() + within;
        loop {
            match self.site.ask(key, STATUS, b"{}").await {
                Ok(Answer::Taken) => return Ok(true),
                Ok(Answer::Other(_)) => {}
                Err(error) if error.is_ambiguous() => log::debug!("the site did not answer: {}", error.chain()),
                Err(error) => return Err(error),
            }
            if clock::now() >= end {
                return Ok(false);
            }
            clock::sleep_until(clock::now() + ASK_EVERY).await;
        }
    }

    /// What is installed, or would be: a stub in the WSGI file must be as it was left.
    async fn installation(&self, wsgi: &str) -> Result<Installation> {
        match Stub::find(wsgi) {
            Some(stub) => self.installed(wsgi, stub, false).await,
            None => Ok(self.note(random_hex(16)?, wsgi.to_owned())),
        }
    }

    /// What is installed. Unless `even_changed`, the WSGI file must be as it was left.
    async fn installed(&self, wsgi: &str, stub: Stub, even_changed: bool) -> Result<Installation> {
        let kept = self.read::<Installation>("agent.json").await?.filter(|kept| kept.id == stub.id);
        let Some(installation) = kept.or_else(|| stub.original.map(|original| self.note(stub.id, original))) else {
            return Err(Error::config(format!(
                "neither {} nor {} holds any more what that file was before the agent: write it anew (the web app's \
                 page has a link to it)",
                self.wsgi, self.folder
            )));
        };
        if wsgi == installation.stub || even_changed {
            return Ok(installation);
        }
        Err(Error::config(format!(
            "{} was changed since the agent was installed; removing the agent by force drops these changes:\n{}",
            self.wsgi,
            stub::difference(&installation.stub, wsgi)
        )))
    }

    /// What this version keeps of an installation.
    fn note(&self, id: String, original: String) -> Installation {
        let mut note = Installation {
            format: 1,
            version: VERSION,
            id,
            wsgi: self.wsgi.to_string(),
            original,
            stub: String::new(),
            build: None,
        };
        note.stub = self.stub_of(&note);
        note
    }

    /// This version's stub for an installation.
    fn stub_of(&self, installation: &Installation) -> String {
        stub::text(&self.site.domain, &installation.id, &installation.original)
    }

    fn key(&self, id: &str) -> Result<Key> {
        let token = self.client.token().ok_or_else(|| {
            Error::config("the agent takes requests that are signed with the API token, and this client has none")
        })?;
        Ok(Key::new(token, id))
    }

    async fn read_wsgi(&self) -> Result<String> {
        let content = self.client.read_file(&self.wsgi).await?;
        String::from_utf8(content.into()).map_err(|_| {
            Error::config(format!("{} is not UTF-8, which the agent's copy of it must be: save it as such", self.wsgi))
        })
    }

    /// Writes the WSGI file, unless somebody else did meanwhile, and reads it back: a site without one is down.
    async fn replace_wsgi(&self, read: &str, text: &str) -> Result<()> {
        if self.read_wsgi().await? != read {
            return Err(Error::held(format!("{} was changed just now by somebody else: try again", self.wsgi)));
        }
        self.client.upload_file(&self.wsgi, text.to_owned().into()).await?;
        if self.read_wsgi().await? == text {
            return Ok(());
        }
        Err(Error::job(format!("{} is not what was just written: somebody else writes it", self.wsgi)))
    }

    async fn write(&self, name: &str, text: &str) -> Result<()> {
        self.client.upload_file(&self.folder.join(name)?, text.to_owned().into()).await.map(drop)
    }

    /// A note in the agent's folder. One that makes no sense is as good as none: all of them can be made anew.
    async fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let place = self.folder.join(name)?;
        let content = match self.client.read_file(&place).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            content => content?,
        };
        let note = serde_json::from_slice(&content);
        if let Err(error) = &note {
            log::warn!("{place} is passed over: {error}");
        }
        Ok(note.ok())
    }
}

fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("texts and numbers make JSON")
}

/// Whether a static files mapping may answer in the agent's place.
fn is_above_agent(url: &str) -> bool {
    !url.is_empty() && PATH.strip_prefix(url.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_above_the_agent_are_known() {
        for url in ["/", "/-", "/-/"] {
            assert!(is_above_agent(url), "{url}");
        }
        for url in ["", "/static/", "/-/other/", "/-x"] {
            assert!(!is_above_agent(url), "{url}");
        }
    }
}
