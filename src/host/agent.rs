//! The agent: our code in the account's own web app, which is the only way to run anything on the host without a
//! browser.
//!
//! Installing it writes three files into `/home/<user>/.pya/agent-<domain>/` and replaces the WSGI file, which the API
//! can write, with a stub that runs the original and passes signed requests to the agent. The original text of the WSGI
//! file is kept twice, in the stub itself and in `agent.json`, so that the site never depends on the agent's folder,
//! and the file is restored byte for byte. Every step may be interrupted: the stub is installed last, when everything
//! that it needs is there, and removed first.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cache::{self, KnownAgent};
use super::runner;
use super::sign::{Key, PATH, VERSION, random_id};
use super::site::{Answer, STATUS, Site};
use super::stub::{self, Stub};
use super::wsgi::{keep_wsgi, wsgi_file};
use crate::api::{Reloaded, found, if_there};
use crate::client::{Client, RemotePath};
use crate::clock;
use crate::digest::sha256;
use crate::error::{Error, ErrorKind, Result};
use crate::setting::Setting;
use crate::text::excerpt;

/// The code that runs in the web app.
const AGENT: &str = include_str!("agent.py");

/// Identifies the files of this build among others of the same version.
fn build() -> String {
    runner::build(AGENT)
}

/// How long a reloaded web app may take until the agent answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);

/// How often the agent is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// The note about an installation, beside the agent's code.
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
    /// The build of the files that are there.
    #[serde(default)]
    build: Option<String>,
    /// The SHA-256 digests of these files.
    #[serde(default)]
    digests: BTreeMap<String, String>,
}

/// The agent's note about its installation.
const NOTE: &str = "agent.json";

/// The files that an installation writes besides the note and the WSGI file.
fn files() -> [(&'static str, Bytes); 2] {
    [("agent.py", AGENT.into()), (runner::FILE_NAME, runner::archive())]
}

/// More than any of our files or a WSGI file has, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// The note that the agent writes when the web app loads.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Loaded {
    version: u32,
    pub id: String,
    has_token: bool,
    key_check: Option<String>,
    /// The build that was loaded.
    build: Option<String>,
    /// Why the application itself could not be loaded.
    failed: Option<String>,
}

/// The state of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It answers. The application itself may have failed to load.
    Ready {
        /// The application's error, if it could not be loaded.
        application_failed: Option<String>,
        /// Whether its files are those of this build.
        is_current: bool,
        /// The files that are not as they were installed.
        damaged: Vec<String>,
    },
    /// The WSGI file has no stub: it never had one, or was replaced since.
    NotInstalled,
    /// An agent of another version is installed.
    OtherVersion(u32),
    /// It does not answer, for this reason.
    Unreachable(Unreachable),
}

/// Why an agent does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreachable {
    /// The site is disabled, according to the service.
    Disabled,
    /// These files are not as they were installed.
    Damaged(Vec<String>),
    /// The web app has not been loaded since the installation.
    NotLoaded,
    /// The web app has no `$API_TOKEN`: the token was created after its last reload.
    NoToken,
    /// The web app has another token: it was replaced after its last reload.
    OtherToken,
    /// A static files mapping answers for the agent's path.
    Mapped(String),
    /// None of these: most likely the domain points elsewhere.
    Elsewhere(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready { application_failed, is_current, damaged } => {
                write!(f, "installed (version {VERSION}) and answering")?;
                if !damaged.is_empty() {
                    write!(f, ", but damaged: {}: install it again", names(damaged))?;
                } else if !is_current {
                    f.write_str("; its build differs from this one: install it again")?;
                }
                application_failed.iter().try_for_each(|why| write!(f, "; the application could not be loaded: {why}"))
            }
            Self::NotInstalled => f.write_str("not installed"),
            Self::OtherVersion(version) => {
                write!(f, "version {version} is installed, but this is version {VERSION}: install it again")
            }
            Self::Unreachable(why) => write!(f, "installed, but it does not answer: {why}"),
        }
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disabled => f.write_str("the site is disabled or has expired: enable or extend it"),
            Self::Damaged(names) => write!(f, "it is damaged: {}: install it again", self::names(names)),
            Self::NotLoaded => f.write_str("the web app has not been loaded since: reload it"),
            Self::NoToken => f.write_str(
                "the web app has no $API_TOKEN, because the token was created after its last reload: reload it",
            ),
            Self::OtherToken => f.write_str(
                "the web app has an old $API_TOKEN, because the token was replaced after its last reload: reload it",
            ),
            Self::Mapped(url) => write!(f, "the static files mapping {url:?} answers for {PATH}: remove or narrow it"),
            Self::Elsewhere(what) => write!(
                f,
                "{what}: if the domain does not point to this web app yet, give an address that does ({}), such as the \
                 account's own subdomain",
                Setting::SiteUrl
            ),
        }
    }
}

/// Names with what is wrong with them.
fn names(damaged: &[String]) -> String {
    damaged.iter().map(|name| format!("{name} is not as it was installed")).collect::<Vec<_>>().join(", ")
}

/// The state of an agent, and what the user should know besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// Its state.
    pub status: Status,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl StatusReport {
    /// Whether it answers and is undamaged.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(&self.status, Status::Ready { damaged, .. } if damaged.is_empty())
    }

    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "ready": self.is_ready(), "status": self.status.to_string(), "warnings": self.warnings })
    }
}

/// What an installation or a removal did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// Whether anything was changed.
    pub changed: bool,
    /// The files of an existing installation that were damaged or of another build, and were written again.
    pub renewed: Vec<String>,
    /// Where a removal has kept the original WSGI file, since another file is in its place.
    pub kept: Option<RemotePath>,
    /// Why the application could not be loaded, although the agent answers.
    pub application_failed: Option<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Change {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({ "changed": self.changed, "renewed": self.renewed, "warnings": self.warnings })
    }
}

/// What a WSGI file runs, and the agent in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsgiContent {
    /// What it runs: all of it, or the original that is in the agent's stub or noted beside it. `None` if that is lost.
    pub original: Option<String>,
    /// Whether it has the agent.
    pub has_agent: bool,
    /// What the user would lose if the agent's stub were written again; `None` for nothing.
    pub lost: Option<String>,
}

/// A web app and its agent, installed or not.
#[derive(Debug)]
pub struct Agents {
    client: Client,
    pub(super) site: Site,
    folder: RemotePath,
    wsgi: RemotePath,
}

/// An installed agent, and the key for its requests.
#[derive(Debug)]
pub struct Agent {
    pub(super) site: Site,
    pub(super) key: Key,
    /// Whether the web app must be reloaded first, since it has an old API token.
    pub(super) needs_reload: bool,
    /// Whether it has answered just now, and the API was not asked for it.
    has_answered: bool,
}

impl Agent {
    /// Whether the web app will be reloaded before the first job, as far as is known.
    #[must_use]
    pub fn needs_reload(&self) -> bool {
        self.needs_reload
    }

    /// How many requests to the API it takes to find it, and to reload a web app that does not know its agent yet.
    #[must_use]
    pub fn requests(&self) -> usize {
        usize::from(!self.has_answered) + usize::from(self.needs_reload)
    }

    /// Whether it takes bundles and the notes of deploys, which then need not go through the API; else why not.
    ///
    /// # Errors
    /// The reason, human-readable.
    pub fn check_takes_deploys(&self) -> Result<(), String> {
        if self.needs_reload {
            return Err("the web app must be reloaded first".to_owned());
        }
        self.site.check_takes_deploys()
    }

    /// Whether it answers: the note of its last start may be older than the WSGI file. Sends no request to the API.
    pub async fn is_there(&self) -> bool {
        // Until the reload it cannot check our signatures.
        self.has_answered || self.needs_reload || matches!(self.site.status(&self.key).await, Ok(Answer::Taken(_)))
    }
}

impl Agents {
    /// The agent of the web app of `domain`, whose site is at `site_url` if not at its domain.
    ///
    /// # Errors
    /// `Config` if `domain` or `site_url` is invalid.
    pub fn new(client: &Client, domain: &str, site_url: Option<&str>) -> Result<Self> {
        let domain = &crate::api::checked_domain(domain)?.to_lowercase();
        let home = RemotePath::home(client.user())?;
        Ok(Self {
            site: Site::new(client, domain, site_url)?,
            folder: home.join(&format!(".pya/agent-{domain}"))?,
            wsgi: wsgi_file(domain)?,
            client: client.clone(),
        })
    }

    /// The agent, if one is installed that this version can talk to. Sends one request, rarely two; none to the API where
    /// it is known from before and answers.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn find(self) -> Result<Option<Agent>> {
        if let Some(key) = self.answering().await {
            return Ok(Some(Agent { site: self.site, key, needs_reload: false, has_answered: true }));
        }
        let Some(loaded) = self.read_note().await? else { return Ok(None) };
        let key = self.key(&loaded.id)?;
        let needs_reload = loaded.key_check.as_deref() != Some(&key.check());
        // It cannot be asked then, and the WSGI file may have been replaced since it was loaded.
        if needs_reload && Stub::find(&self.read_wsgi().await?).is_none_or(|stub| stub.id != loaded.id) {
            return Ok(None);
        }
        self.warn_of_other_build(loaded.build.as_deref());
        self.keep(&loaded.id);
        Ok(Some(Agent { site: self.site, key, needs_reload, has_answered: false }))
    }

    /// The key of the agent that is known from before, if it signs an answer now.
    async fn answering(&self) -> Option<Key> {
        self.site.check_worth_asking().ok()?;
        if let Some(answered) = self.site.answered_just_now() {
            self.warn_of_other_build(answered.build.as_deref());
            self.site.set_behind(cache::agent(&self.client, &self.site.domain).map_or(0, |known| known.behind));
            return self.key(&answered.id).ok();
        }
        let known = cache::agent(&self.client, &self.site.domain)?;
        let key = self.key(&known.id).ok()?;
        self.site.set_behind(known.behind);
        if self.signs(&key).await {
            return Some(key);
        }
        self.site.set_behind(0);
        self.site.leave_alone();
        None
    }

    /// Whether an agent with this key answers now.
    async fn signs(&self, key: &Key) -> bool {
        match self.site.look(key, STATUS, b"{}").await {
            Ok(Answer::Taken(Some(said))) => {
                self.warn_of_other_build(said["build"].as_str());
                return true;
            }
            Ok(answer) => log::debug!("{}: {answer:?} is no signed answer", self.site.domain),
            Err(error) => log::debug!("{}: {}", self.site.domain, error.chain()),
        }
        false
    }

    /// Remembers the agent for the next command, which then need not ask the API for it.
    fn keep(&self, id: &str) {
        let known = KnownAgent { id: id.to_owned(), behind: self.site.behind() };
        cache::keep_agent(&self.client, &self.site.domain, &known);
    }

    /// The note that the agent wrote when it was loaded, if it is of this version.
    pub(super) async fn read_note(&self) -> Result<Option<Loaded>> {
        Ok(self.read::<Loaded>("loaded.json").await?.filter(|loaded| loaded.version == VERSION))
    }

    fn warn_of_other_build(&self, found: Option<&str>) {
        if found != Some(&build()) {
            let domain = &self.site.domain;
            log::warn!(
                "the agent of {domain} is from another build of this program: \"pya agent install {domain}\" updates it"
            );
        }
    }

    /// Installs the agent, or renews whatever is not as this build installs it. Installing it twice changes nothing.
    ///
    /// # Errors
    /// `NotFound` if there is no such web app; `Config` if the WSGI file was changed after an installation; `Job`, with
    /// the reason, if the agent does not answer in the end.
    pub async fn install(&self) -> Result<Change> {
        let record = self.client.webapp(&self.site.domain).await?;
        let wsgi = self.read_wsgi().await?;
        let (installation, is_new) = self.installation(&wsgi).await?;
        let mut change = self.install_as(installation, is_new, &record, &wsgi).await?;
        if let Some(why) = &change.application_failed {
            change
                .warnings
                .push(format!("the agent answers, but the application could not be loaded: {}", excerpt(why)));
        }
        change.warnings.extend(self.exposures().await);
        Ok(change)
    }

    /// What the text `wsgi` of the WSGI file runs. Sends a request only if the agent's stub is not the one of this build.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn content_of(&self, wsgi: &str) -> Result<WsgiContent> {
        match self.installation(wsgi).await {
            Ok((Installation { original, .. }, is_new)) => {
                Ok(WsgiContent { original: Some(original), has_agent: !is_new, lost: None })
            }
            Err(error) if error.kind() == ErrorKind::Config => {
                let original = Stub::find(wsgi).and_then(|stub| stub.original);
                Ok(WsgiContent { original, has_agent: true, lost: Some(error.chain()) })
            }
            Err(error) => Err(error),
        }
    }

    /// Installs the agent around `original`, which replaces what the WSGI file `wsgi` runs. For a caller that has read that
    /// file and the web app's record, and knows that nothing of the user's is in the file, or has kept it elsewhere.
    ///
    /// # Errors
    /// As for [`install`](Self::install).
    pub async fn install_around(&self, original: &str, record: &Value, wsgi: &str) -> Result<Change> {
        let (mut installation, is_new) = match (self.installation(wsgi).await, Stub::find(wsgi)) {
            (Err(error), Some(stub)) if error.kind() == ErrorKind::Config => {
                // What the user has written into it is no damage.
                let noted = Installation { stub: wsgi.to_owned(), ..self.note(stub.id, String::new()) };
                (noted, false)
            }
            (installation, _) => installation?,
        };
        original.clone_into(&mut installation.original);
        self.install_as(installation, is_new, record, wsgi).await
    }

    /// Whether the agent of this build is installed and answers. Sends one request to the API.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn is_current(&self) -> Result<bool> {
        let Some(loaded) = self.read_note().await? else { return Ok(false) };
        let key = self.key(&loaded.id)?;
        if loaded.build != Some(build()) || loaded.key_check.as_deref() != Some(&key.check()) {
            return Ok(false);
        }
        let answers = matches!(self.site.status(&key).await, Ok(Answer::Taken(_)));
        if answers {
            self.keep(&loaded.id);
        }
        Ok(answers)
    }

    /// Makes the host have this installation, of which nothing is there yet if it `is_new`.
    async fn install_as(
        &self,
        mut installation: Installation,
        is_new: bool,
        record: &Value,
        wsgi: &str,
    ) -> Result<Change> {
        installation.version = VERSION;
        installation.build = Some(build());
        let stub = self.stub_of(&installation);
        let noted = std::mem::replace(&mut installation.stub, stub);
        installation.digests = files().map(|(name, content)| (name.to_owned(), sha256(&content))).into();
        let mut change = Change { renewed: self.renew_files(&installation, is_new).await?, ..Change::default() };
        if wsgi != installation.stub {
            if !is_new && wsgi != noted && is_damage(wsgi, &installation.original) {
                let lost = stub::difference(&installation.stub, wsgi);
                change.warnings.push(format!("{} was damaged, and is replaced:\n{lost}", self.wsgi));
            }
            self.replace_wsgi(wsgi, &installation.stub).await?;
            change.renewed.push(self.wsgi.to_string());
        }
        change.changed = !change.renewed.is_empty();
        if is_new {
            change.renewed.clear();
        }
        let key = self.key(&installation.id)?;
        change.application_failed = self.load(&key, record, &mut change).await?.failed;
        self.keep(&installation.id);
        Ok(change)
    }

    /// Writes the agent's files that are not there like that; their names.
    async fn renew_files(&self, installation: &Installation, is_new: bool) -> Result<Vec<String>> {
        let mut renewed = Vec::new();
        // The note comes last of them, since it says what the others are.
        for (name, content) in files().into_iter().chain([(NOTE, to_text(installation).into())]) {
            if is_new || self.content(name).await?.as_ref() != Some(&content) {
                self.write(name, content).await?;
                renewed.push(name.to_owned());
            }
        }
        Ok(renewed)
    }

    /// Reloads the web app unless nothing was changed and the agent of this build answers; what was loaded.
    async fn load(&self, key: &Key, record: &Value, change: &mut Change) -> Result<Loaded> {
        let loaded = if change.changed { Loaded::default() } else { self.loaded().await? };
        // After an earlier installation whose reload failed, the reload is still due.
        if loaded.build == Some(build()) && self.answers(key, Duration::ZERO).await? {
            return Ok(loaded);
        }
        self.reload_for(change).await?;
        if !self.answers(key, ANSWERS_WITHIN).await? {
            let why = self.why_unreachable(record, key, Vec::new()).await?;
            return Err(Error::job(format!("the agent is installed, but does not answer: {why}")));
        }
        self.loaded().await
    }

    /// What the web app noted when it loaded the agent.
    async fn loaded(&self) -> Result<Loaded> {
        Ok(self.read("loaded.json").await?.unwrap_or_default())
    }

    /// The content of a file in the agent's folder; `None` if it cannot be one of ours.
    async fn content(&self, name: &str) -> Result<Option<Bytes>> {
        const NOT_OURS: [ErrorKind; 3] = [ErrorKind::NotFound, ErrorKind::Decode, ErrorKind::WrongType];
        found(self.client.read_file_at_most(&self.folder.join(name)?, MOST_BYTES).await, &NOT_OURS)
    }

    /// The files that are not as they were installed, by whatever build that was.
    async fn damaged(&self, wsgi: &str, stub: &Stub) -> Result<(Vec<String>, bool)> {
        let note = self.read::<Installation>(NOTE).await?.filter(|note| note.id == stub.id);
        let mut damaged = Vec::new();
        if !self.is_as_installed(wsgi, stub) && note.as_ref().is_none_or(|note| note.stub != wsgi) {
            damaged.push(self.wsgi.to_string());
        }
        let is_current = note.as_ref().is_some_and(|note| note.build == Some(build()));
        for (name, ours) in files() {
            let known = note.as_ref().and_then(|note| note.digests.get(name).cloned());
            let known = if is_current { Some(sha256(&ours)) } else { known };
            if self.differs(name, known).await? {
                damaged.push(name.to_owned());
            }
        }
        if note.is_none() {
            damaged.push(NOTE.to_owned());
        }
        Ok((damaged, is_current))
    }

    /// Whether a file is gone, or another one than that of the digest. An older version kept no digests.
    async fn differs(&self, name: &str, digest: Option<String>) -> Result<bool> {
        let Some(content) = self.content(name).await? else { return Ok(true) };
        Ok(digest.is_some_and(|digest| digest != sha256(&content)))
    }

    /// Whether a WSGI file is the stub of this version, whatever the note says.
    fn is_as_installed(&self, wsgi: &str, stub: &Stub) -> bool {
        let is_same = |original: &String| stub::text(&self.site.domain, &stub.id, original) == wsgi;
        stub.version == VERSION && stub.original.as_ref().is_some_and(is_same)
    }

    /// Warnings about static files mappings, of any web app of the account, that let everybody download what is in the
    /// agent's folder and the state folders.
    async fn exposures(&self) -> Vec<String> {
        self.mappings().await.unwrap_or_else(|error| {
            vec![format!("whether a static files mapping serves the agent's files is unknown: {}", error.chain())]
        })
    }

    async fn mappings(&self) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        for app in self.client.list_webapps().await? {
            let Some(domain) = app["domain_name"].as_str() else { continue };
            let mappings = match self.client.static_files(domain).await {
                // It was deleted meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                mappings => mappings?,
            };
            warnings.extend(mappings.iter().filter_map(|mapping| self.exposure(domain, mapping)));
        }
        Ok(warnings)
    }

    /// The warning about a mapping of `domain`, if it serves such files.
    fn exposure(&self, domain: &str, mapping: &Value) -> Option<String> {
        let path = mapping["path"].as_str().filter(|path| serves_state(path, self.client.user()))?;
        Some(format!(
            "the static files mapping {:?} of {} serves {:?}, and so lets everybody download files of the agent and of \
             deploys, from ~/.pya: remove or narrow it",
            excerpt(mapping["url"].as_str().unwrap_or_default()),
            excerpt(domain),
            excerpt(path)
        ))
    }

    /// Restores the original WSGI file, reloads, and removes what was installed; with `force`, also if the file was
    /// changed since. Where another file is in its place, the original is kept beside the agent's folder.
    ///
    /// # Errors
    /// `Config`, with the differences, if the WSGI file was changed since; `Held` if somebody is writing it now.
    pub async fn remove(&self, force: bool) -> Result<Change> {
        // The web app may be gone.
        let wsgi = if_there(self.read_wsgi().await)?;
        let change = self.restore(wsgi.as_deref(), force).await?;
        cache::forget_agent(&self.client, &self.site.domain);
        self.site.forget_answers();
        match self.client.delete_path(&self.folder).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => outcome?,
        }
        Ok(change)
    }

    /// Lets the web app run its own WSGI file again.
    async fn restore(&self, wsgi: Option<&str>, force: bool) -> Result<Change> {
        let mut change = Change::default();
        if let Some((wsgi, original)) = self.restorable(wsgi, force).await? {
            self.replace_wsgi(wsgi, &original).await?;
            change.changed = true;
            self.reload_for(&mut change).await?;
        } else if let Some(note) = self.read::<Installation>(NOTE).await? {
            if wsgi == Some(&note.original) {
                // An earlier removal restored it, and was interrupted before the reload.
                change.changed = true;
                self.reload_for(&mut change).await?;
            } else {
                self.keep_original(&note.original, wsgi.is_some(), &mut change).await?;
            }
        }
        Ok(change)
    }

    /// The WSGI file that has the agent, whole or cut off, and the original that is to replace it.
    async fn restorable<'a>(&self, wsgi: Option<&'a str>, force: bool) -> Result<Option<(&'a str, String)>> {
        let Some(wsgi) = wsgi else { return Ok(None) };
        let installation = match Stub::find(wsgi) {
            Some(stub) => Some(self.installed(wsgi, stub, |_, _| force).await?),
            None => self.cut_off(wsgi).await?,
        };
        Ok(installation.map(|installation| (wsgi, installation.original)))
    }

    /// Keeps the original of a WSGI file that was replaced, or is gone: the agent's folder may have the only copy.
    async fn keep_original(&self, original: &str, is_replaced: bool, change: &mut Change) -> Result<()> {
        let place = keep_wsgi(&self.client, &RemotePath::home(self.client.user())?.join(".pya")?, original).await?;
        change.warnings.push(if is_replaced {
            format!(
                "{} was replaced since then; it is left as it is, and its original text is kept in {place}",
                self.wsgi
            )
        } else {
            format!("{} is gone; its original text is kept in {place}", self.wsgi)
        });
        change.kept = Some(place);
        Ok(())
    }

    async fn reload_for(&self, change: &mut Change) -> Result<()> {
        if let Reloaded::CnameWarning(warning) = self.client.reload_webapp(&self.site.domain).await? {
            change.warnings.push(warning);
        }
        Ok(())
    }

    /// Reports the state of the agent. Changes nothing.
    ///
    /// # Errors
    /// As the service answers.
    pub async fn status(&self) -> Result<StatusReport> {
        let status = self.state().await?;
        let is_installed = status != Status::NotInstalled;
        let warnings = if is_installed { self.exposures().await } else { Vec::new() };
        Ok(StatusReport { status, warnings })
    }

    async fn state(&self) -> Result<Status> {
        let record = self.client.webapp(&self.site.domain).await?;
        let wsgi = self.read_wsgi().await?;
        let Some(stub) = Stub::find(&wsgi) else { return self.state_without_stub(&wsgi).await };
        if stub.version != VERSION {
            return Ok(Status::OtherVersion(stub.version));
        }
        let key = self.key(&stub.id)?;
        let (damaged, is_installed_by_us) = self.damaged(&wsgi, &stub).await?;
        if self.answers(&key, Duration::ZERO).await? {
            self.keep(&stub.id);
            let loaded = self.loaded().await?;
            let is_current = is_installed_by_us && loaded.build == Some(build());
            return Ok(Status::Ready { application_failed: loaded.failed, is_current, damaged });
        }
        self.why_unreachable(&record, &key, damaged).await.map(Status::Unreachable)
    }

    /// The state where the WSGI file has no stub, or no whole one.
    async fn state_without_stub(&self, wsgi: &str) -> Result<Status> {
        Ok(match self.cut_off(wsgi).await? {
            Some(_) => Status::Unreachable(Unreachable::Damaged(vec![self.wsgi.to_string()])),
            None => Status::NotInstalled,
        })
    }

    /// Finds out why the agent does not answer.
    async fn why_unreachable(&self, record: &Value, key: &Key, damaged: Vec<String>) -> Result<Unreachable> {
        if record["enabled"] == Value::Bool(false) {
            return Ok(Unreachable::Disabled);
        }
        if !damaged.is_empty() {
            return Ok(Unreachable::Damaged(damaged));
        }
        match self.read::<Loaded>("loaded.json").await? {
            None => return Ok(Unreachable::NotLoaded),
            Some(loaded) if !loaded.has_token => return Ok(Unreachable::NoToken),
            Some(loaded) if loaded.key_check.as_deref() != Some(&key.check()) => return Ok(Unreachable::OtherToken),
            Some(_) => {}
        }
        Ok(match self.mapped_over().await? {
            Some(url) => Unreachable::Mapped(url),
            None => Unreachable::Elsewhere(self.what_answers(key).await),
        })
    }

    /// The address of a static files mapping that may answer instead of the agent.
    async fn mapped_over(&self) -> Result<Option<String>> {
        let mappings = self.client.static_files(&self.site.domain).await?;
        let mut urls = mappings.iter().filter_map(|mapping| mapping["url"].as_str());
        Ok(urls.find(|url| is_above_agent(url)).map(str::to_owned))
    }

    async fn what_answers(&self, key: &Key) -> String {
        match self.site.status(key).await {
            Ok(Answer::Other(status)) => format!("{} answers with {status}", self.site.address()),
            Ok(Answer::Taken(_)) => "it answers now, but did not in time".to_owned(),
            Ok(Answer::Refused) => format!("what is sent to {} does not arrive whole", self.site.address()),
            Err(error) => error.chain(),
        }
    }

    /// Asks, at least once, until the agent of this version answers or `within` has passed.
    async fn answers(&self, key: &Key, within: Duration) -> Result<bool> {
        let end = clock::now() + within;
        loop {
            match self.site.status(key).await {
                Ok(Answer::Taken(_)) => return Ok(true),
                Ok(Answer::Other(_) | Answer::Refused) => {}
                Err(error) if error.is_ambiguous() => log::debug!("the site did not answer: {}", error.chain()),
                Err(error) => return Err(error),
            }
            if clock::now() >= end {
                return Ok(false);
            }
            clock::sleep_until(clock::now() + ASK_EVERY).await;
        }
    }

    /// The installation, and whether it is new. An existing stub must be unchanged, or damaged so that nothing of the
    /// user's is lost by renewing it.
    async fn installation(&self, wsgi: &str) -> Result<(Installation, bool)> {
        if let Some(stub) = Stub::find(wsgi) {
            return self.installed(wsgi, stub, stub::is_damaged).await.map(|installation| (installation, false));
        }
        match self.cut_off(wsgi).await? {
            Some(installation) => Ok((installation, false)),
            None => Ok((self.note(random_id(32)?, wsgi.to_owned()), true)),
        }
    }

    /// The installation whose stub was cut off before the end of its first line. Taking such a file for an application
    /// would lose the original.
    async fn cut_off(&self, wsgi: &str) -> Result<Option<Installation>> {
        if !stub::may_be_cut_off(wsgi) {
            return Ok(None);
        }
        Ok(self.read::<Installation>(NOTE).await?.filter(|note| note.stub.starts_with(wsgi)))
    }

    /// The existing installation. The WSGI file must be as it was installed, or differ as `may_differ` allows, which
    /// gets the installed text and the present one.
    async fn installed(&self, wsgi: &str, stub: Stub, may_differ: impl Fn(&str, &str) -> bool) -> Result<Installation> {
        if self.is_as_installed(wsgi, &stub) {
            // What it contains is what the site runs, whatever the note says.
            return Ok(self.note(stub.id, stub.original.unwrap_or_default()));
        }
        let kept = self.read::<Installation>(NOTE).await?.filter(|kept| kept.id == stub.id);
        let Some(installation) = kept.or_else(|| stub.original.map(|original| self.note(stub.id, original))) else {
            return Err(self.original_lost());
        };
        if wsgi == installation.stub || may_differ(&installation.stub, wsgi) {
            return Ok(installation);
        }
        Err(Error::config(format!(
            "{} was changed since the agent was installed; removing the agent by force discards these changes:\n{}",
            self.wsgi,
            stub::difference(&installation.stub, wsgi)
        )))
    }

    fn original_lost(&self) -> Error {
        Error::config(format!(
            "the original text of {} is neither in that file nor in {}: write the file again (the web app's page has a \
             link to it)",
            self.wsgi, self.folder
        ))
    }

    /// The note of this version about an installation.
    fn note(&self, id: String, original: String) -> Installation {
        let mut note = Installation {
            format: 1,
            version: VERSION,
            id,
            wsgi: self.wsgi.to_string(),
            original,
            stub: String::new(),
            build: None,
            digests: BTreeMap::new(),
        };
        note.stub = self.stub_of(&note);
        note
    }

    /// This version's stub for an installation.
    fn stub_of(&self, installation: &Installation) -> String {
        stub::text(&self.site.domain, &installation.id, &installation.original)
    }

    pub(super) fn key(&self, id: &str) -> Result<Key> {
        let token = self.client.token().ok_or_else(|| {
            Error::config("requests to the agent are signed with the API token, and this client has none")
        })?;
        Ok(Key::new(token, id))
    }

    async fn read_wsgi(&self) -> Result<String> {
        let content = self.client.read_file_at_most(&self.wsgi, MOST_BYTES).await?;
        String::from_utf8(content.into()).map_err(|_| {
            Error::config(format!("{} is not UTF-8, which the agent requires: save it as UTF-8", self.wsgi))
        })
    }

    /// Writes the WSGI file, unless it was changed meanwhile, and reads it back: without it the site is down.
    async fn replace_wsgi(&self, read: &str, text: &str) -> Result<()> {
        if self.read_wsgi().await? != read {
            return Err(Error::held(format!("{} was just changed by somebody else: try again", self.wsgi)));
        }
        self.client.upload_file(&self.wsgi, text.to_owned().into()).await?;
        if self.read_wsgi().await? == text {
            return Ok(());
        }
        Err(Error::job(format!("{} does not contain what was just written: somebody else is changing it", self.wsgi)))
    }

    async fn write(&self, name: &str, content: Bytes) -> Result<()> {
        let place = self.folder.join(name)?;
        match self.client.upload_file(&place, content.clone()).await {
            // A folder has taken its place.
            Err(error) if error.is_ambiguous() || self.content_is_file(&place).await? => Err(error),
            Err(_) => {
                self.client.delete_path(&place).await?;
                self.client.upload_file(&place, content).await.map(drop)
            }
            Ok(_) => Ok(()),
        }
    }

    /// Whether a path is something other than a folder.
    async fn content_is_file(&self, place: &RemotePath) -> Result<bool> {
        Ok(!matches!(self.client.read_file_at_most(place, MOST_BYTES).await, Err(Error::WrongType { .. })))
    }

    /// A note in the agent's folder. An invalid one counts as none, since all of them can be written again.
    async fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>> {
        let Some(content) = self.content(name).await? else { return Ok(None) };
        let note = serde_json::from_slice(&content);
        Ok(note.inspect_err(|error| log::warn!("ignoring {}/{name}: {error}", self.folder)).ok())
    }
}

/// Whether a WSGI file that differs from the stub was damaged, and not changed to run something else than `original`.
fn is_damage(wsgi: &str, original: &str) -> bool {
    let runs_the_same = |stub: &Stub| stub.original.as_ref().is_none_or(|found| found == original);
    Stub::find(wsgi).is_none_or(|stub| stub.version == VERSION && runs_the_same(&stub))
}

fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("texts and numbers make JSON")
}

/// Whether a static files mapping may answer instead of the agent.
fn is_above_agent(url: &str) -> bool {
    !url.is_empty() && PATH.strip_prefix(url.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a static files mapping of this folder serves the state folder of the account, or a part of it.
fn serves_state(path: &str, user: &str) -> bool {
    let path = path.strip_prefix('~').map_or_else(|| path.to_owned(), |rest| format!("/home/{user}{rest}"));
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    path.starts_with('/') && parts.iter().zip(["home", user, ".pya"]).all(|(part, ours)| *part == ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_that_serve_the_state_folder_are_known() {
        for path in [
            "/",
            "/home",
            "/home/me/",
            "/home//me/./",
            "/home/me/.pya",
            "/home/me/.pya/agent-x/",
            "/home/me/a/..",
            "~/",
        ] {
            assert!(serves_state(path, "me"), "{path}");
        }
        for path in ["", "home/me", "/home/me/static", "/home/other", "/var/www", "/home/me/.pyaa", "~/site"] {
            assert!(!serves_state(path, "me"), "{path}");
        }
    }

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
