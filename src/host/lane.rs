//! The fast lane: what the agent in the account's site answers, the API need not be asked.
//!
//! The API takes 40 requests a minute, and the site as many as it can. So a question goes to the site where an agent is
//! known without asking the API, and its signed answer counts as the API's would. Whatever else comes back counts as no
//! answer, and the API is asked as ever: the lane is never a reason to fail. A site that did not answer is not asked
//! again for a while.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::agent::Agents;
use super::cache::{self, KnownAgent};
use super::site::{Answer, STATE};
use crate::api::Entry;
use crate::client::{Client, RemotePath};
use crate::digest::sha256;
use crate::error::Error;

/// The site of a web app that may have an agent.
#[derive(Debug, Clone)]
pub struct Lane {
    client: Client,
    domain: String,
    site_url: Option<String>,
}

/// A state folder as the agent read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SiteState {
    /// What is in it that deploys know of; `None` if there is no such folder.
    pub entries: Option<Vec<Entry>>,
    /// Whether nothing is at the project's place yet.
    pub is_new: bool,
    /// The content of notes and of the newest manifest. What is missing is to be read through the API.
    pub texts: BTreeMap<String, Bytes>,
}

#[derive(Deserialize)]
struct Said {
    entries: Option<Vec<(String, bool)>>,
    #[serde(default)]
    is_new: bool,
    #[serde(default)]
    texts: BTreeMap<String, String>,
    manifest: Option<String>,
    digest: Option<String>,
    time: u64,
}

impl Lane {
    /// The lane by the site of `domain`, which is at `site_url` if not at its domain. Sends nothing.
    #[must_use]
    pub fn new(client: &Client, domain: &str, site_url: Option<&str>) -> Self {
        Self { client: client.clone(), domain: domain.to_lowercase(), site_url: site_url.map(str::to_owned) }
    }

    /// The web app's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The state folder of the project at `root`, in one request to the site; `None` if the API has to be asked.
    pub async fn state(&self, folder: &RemotePath, root: &RemotePath) -> Option<SiteState> {
        let state = self.ask(folder, root).await;
        state.inspect_err(|why| log::info!("{}: {why}; asking the API", self.domain)).ok()
    }

    /// A file in a state folder, of at most so many bytes, from the site that has just told what is in that folder; `None` if
    /// the API has to be asked.
    pub async fn read_file(&self, folder: &RemotePath, name: &str, most: usize) -> Option<Bytes> {
        let agents = Agents::new(&self.client, &self.domain, self.site_url.as_deref()).ok()?;
        agents.site.check_takes_deploys().ok()?;
        let key = agents.key(&agents.site.answered_just_now()?.id).ok()?;
        agents.site.set_behind(cache::agent(&self.client, &self.domain)?.behind);
        let mut content = Vec::new();
        let take = |piece: Bytes| {
            content.extend_from_slice(&piece);
            if content.len() > most { Err(Error::job(format!("{name} is too long"))) } else { Ok(()) }
        };
        match agents.site.read_file(&key, folder.name(), name, take).await {
            Ok(true) => Some(content.into()),
            Ok(false) => None,
            Err(error) => {
                log::info!("{}: {}; asking the API", self.domain, error.chain());
                None
            }
        }
    }

    async fn ask(&self, folder: &RemotePath, root: &RemotePath) -> Result<SiteState, String> {
        let agents =
            Agents::new(&self.client, &self.domain, self.site_url.as_deref()).map_err(|error| error.chain())?;
        let site = &agents.site;
        site.check_worth_asking()?;
        let known = cache::agent(&self.client, &self.domain).ok_or("no agent of this site is known here yet")?;
        let asked = self.ask_known(&agents, &known, folder, root).await;
        if asked.is_err() {
            site.leave_alone();
        }
        asked
    }

    async fn ask_known(
        &self,
        agents: &Agents,
        known: &KnownAgent,
        folder: &RemotePath,
        root: &RemotePath,
    ) -> Result<SiteState, String> {
        let (site, words) = (&agents.site, |error: crate::Error| error.chain());
        let had = cache::manifest(&self.client, folder.name());
        let have = had.as_ref().map(sha256);
        let body = json!({ "state": folder.name(), "have": have, "root": root.as_str() }).to_string();
        site.set_behind(known.behind);
        let used = site.time();
        let key = agents.key(&known.id).map_err(words)?;
        let mut answer = site.look(&key, STATE, body.as_bytes()).await.map_err(words)?;
        let mut id = known.id.clone();
        if is_refusal(&answer) {
            // Another agent was installed, or a clock is wrong: the API's answer shows both, and the site is asked once more.
            let Some(agent) = agents.read_note().await.map_err(words)? else {
                cache::forget_agent(&self.client, &self.domain);
                return Err("it has no agent any more".to_owned());
            };
            site.set_behind(0);
            if agent.id == id && !site.correct_time(used) {
                return Err(silence(&answer));
            }
            id = agent.id;
            answer = site.look(&agents.key(&id).map_err(words)?, STATE, body.as_bytes()).await.map_err(words)?;
        }
        let Answer::Taken(Some(said)) = answer else { return Err(silence(&answer)) };
        cache::keep_agent(&self.client, &self.domain, &KnownAgent { id, behind: site.behind() });
        self.read(said, folder, have.zip(had))
    }

    /// Takes over the time of the host, by which notes expire; the emulator's service has a clock of its own.
    fn learn_time(&self, said: &Said) -> Result<(), String> {
        if !self.client.host().is_loopback() {
            self.client.learn_time(UNIX_EPOCH + Duration::from_secs(said.time.min(1 << 40)));
            return Ok(());
        }
        let has_notes = said.texts.keys().any(|name| !name.starts_with("manifest-"));
        if has_notes && self.client.server_time().is_none() {
            return Err("the time of the service is not known".to_owned());
        }
        Ok(())
    }

    /// The state that a signed answer describes. `had` is the cached manifest and its digest.
    fn read(&self, said: Value, folder: &RemotePath, had: Option<(String, Bytes)>) -> Result<SiteState, String> {
        let said: Said = serde_json::from_value(said).map_err(|error| format!("its agent is another one: {error}"))?;
        self.learn_time(&said)?;
        let mut texts: BTreeMap<String, Bytes> =
            said.texts.into_iter().map(|(name, text)| (name, Bytes::from(text))).collect();
        if let (Some(name), Some(digest)) = (said.manifest, said.digest) {
            match (texts.get(&name), had) {
                (Some(text), _) if sha256(text) == digest => cache::keep_manifest(&self.client, folder.name(), text),
                (None, Some((known, text))) if known == digest => drop(texts.insert(name, text)),
                // It is read through the API.
                _ => drop(texts.remove(&name)),
            }
        }
        let entries = said.entries.map(|entries| {
            entries.into_iter().map(|(name, is_dir)| Entry { name, is_dir, is_file: !is_dir }).collect()
        });
        log::info!("{}: its agent tells what is on the host, the API is not asked", self.domain);
        Ok(SiteState { entries, is_new: said.is_new, texts })
    }
}

/// Whether the application answered, as it does to what the agent does not take.
fn is_refusal(answer: &Answer) -> bool {
    matches!(answer, Answer::Other(status) if *status != http::StatusCode::UNAUTHORIZED) && !answer.is_from_gateway()
}

/// Why an answer counts as none.
fn silence(answer: &Answer) -> String {
    let told = |what: &dyn Display| format!("no signed answer came from it ({what})");
    match answer {
        Answer::Other(http::StatusCode::UNAUTHORIZED) => "it asks for a password".to_owned(),
        Answer::Other(status) => told(status),
        Answer::Refused => told(&"what is sent does not arrive whole"),
        Answer::Taken(_) => "its agent is an older one, which \"pya agent install\" renews".to_owned(),
    }
}
