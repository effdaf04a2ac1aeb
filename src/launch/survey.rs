//! What is on the host already, as far as a launch has to know before it changes anything. Reads only.

use std::time::Duration;

use serde_json::Value;

use super::note::LaunchNote;
use crate::api::if_there;
use crate::client::{Client, RemotePath};
use crate::clock::{self, Tick};
use crate::deploy::StateFolder;
use crate::error::{Error, ErrorKind, Result};
use crate::host::wsgi_file;
use crate::setting::Setting;

/// More than a WSGI file has, in bytes.
const MOST_BYTES: usize = 4 << 20;

/// How long what a dry run has seen counts for the launch after it: as long as it takes to read a plan and to say yes.
const FRESH: Duration = Duration::from_secs(60);

/// What a dry run has seen of the host, for the launch after it.
#[derive(Debug, Clone)]
pub struct SeenHost {
    survey: Survey,
    at: Tick,
}

impl SeenHost {
    pub(super) fn new(survey: Survey) -> Self {
        Self { survey, at: clock::now() }
    }

    /// What was seen, unless that is too long ago.
    pub(super) fn fresh(&self) -> Option<Survey> {
        (clock::now() - self.at < FRESH).then(|| self.survey.clone())
    }
}

/// What is there.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    /// The record of the web app.
    pub web_app: Option<Value>,
    /// The domains of the account's other web apps.
    pub others: Vec<String>,
    /// The text of the WSGI file; it can be there without the web app.
    pub wsgi: Option<String>,
    /// The note of the last whole launch.
    pub note: Option<LaunchNote>,
    /// The static files mappings of the web app.
    pub mappings: Vec<Value>,
    /// The versions of Python that can be chosen, and the default.
    pub pythons: Option<(Vec<String>, String)>,
}

impl Survey {
    /// Reads it. The versions of Python are asked for only if there is no web app, or `asks_python`.
    ///
    /// # Errors
    /// As the service answers; `Config` where what is there is not to be touched.
    pub async fn read(
        client: &Client,
        domain: &str,
        remote_root: &RemotePath,
        folder: &StateFolder,
        asks_python: bool,
    ) -> Result<Self> {
        let (web_app, others) = divided(client.list_webapps().await?, domain);
        web_app.iter().try_for_each(|app| check_served(app, domain))?;
        let wsgi = read_wsgi(client, domain).await?;
        let note = LaunchNote::read(client, folder).await?.filter(|note| note.domain == domain && web_app.is_some());
        if note.is_none() {
            check_folder(client, remote_root, folder).await?;
        }
        let mappings = if web_app.is_some() { client.static_files(domain).await? } else { Vec::new() };
        let pythons = if web_app.is_none() || asks_python { Some(pythons(client).await?) } else { None };
        Ok(Self { web_app, others, wsgi, note, mappings, pythons })
    }

    /// A field of the web app's record.
    pub fn field(&self, name: &str) -> &str {
        self.web_app.as_ref().and_then(|app| app[name].as_str()).unwrap_or_default()
    }
}

/// The web app that has the domain, and the domains of the others.
fn divided(apps: Vec<Value>, domain: &str) -> (Option<Value>, Vec<String>) {
    let name = |app: &Value| app["domain_name"].as_str().unwrap_or_default().to_owned();
    let (own, others): (Vec<Value>, Vec<Value>) =
        apps.into_iter().partition(|app| name(app).eq_ignore_ascii_case(domain));
    (own.into_iter().next(), others.iter().map(name).collect())
}

/// The text of the WSGI file; `None` if there is none.
pub(super) async fn read_wsgi(client: &Client, domain: &str) -> Result<Option<String>> {
    let file = wsgi_file(domain)?;
    let Some(content) = if_there(client.read_file_at_most(&file, MOST_BYTES).await)? else { return Ok(None) };
    String::from_utf8(content.into()).map(Some).map_err(|_| {
        Error::config(format!("{file} is not UTF-8: save it as UTF-8, or replace it ({})", Setting::ReplaceWsgi))
    })
}

/// Refuses a web app that nobody would see.
fn check_served(app: &Value, domain: &str) -> Result<()> {
    if app["enabled"] == Value::Bool(false) {
        return Err(Error::config(format!(
            "{domain} is disabled or has expired: extend it on the page Web of PythonAnywhere, or run \"pya webapps enable \
             {domain}\""
        )));
    }
    Ok(())
}

/// Refuses a folder that somebody else filled: its files would be replaced.
pub(super) async fn check_folder(client: &Client, remote_root: &RemotePath, folder: &StateFolder) -> Result<()> {
    if if_there(client.list_dir(remote_root).await)?.is_none_or(|entries| entries.is_empty()) {
        return Ok(());
    }
    match client.list_dir(folder.path()).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::config(format!(
            "{remote_root} is on the host already, and was not put there by this program: choose another name ({}), or \
             delete that folder; \"pya deploy\" deploys into it",
            Setting::ProjectName
        ))),
        entries => entries.map(drop),
    }
}

/// The versions of Python that the account offers, and its default.
pub(super) async fn pythons(client: &Client) -> Result<(Vec<String>, String)> {
    let answer = client.default_python3().await?;
    let default = answer["default_python3_version"].as_str().unwrap_or("3.13").to_owned();
    let offered = answer["available_python3_versions"].as_array().into_iter().flatten();
    Ok((offered.filter_map(|version| version.as_str().map(str::to_owned)).collect(), default))
}
