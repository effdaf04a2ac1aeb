//! What the steps of a launch share.

use std::collections::BTreeMap;

use serde_json::Value;

use super::found_wsgi::FoundWsgi;
use super::generated::wsgi_file::WsgiState;
use super::local::LocalPlan;
use super::note::LaunchNote;
use super::report::LaunchRecorder;
use super::survey::{SeenHost, Survey};
use crate::client::{Client, RemotePath};
use crate::deploy::{DeployOptions, ExecutorOptions, Inspection, Project, SelectOptions, StateFolder};
use crate::error::Result;
use crate::host::{InspectResult, Variables};

/// Somebody who may log in to the site's administration.
#[derive(Debug, Clone)]
pub struct Superuser {
    /// The user name.
    pub name: String,
    /// The address of mail.
    pub email: Option<String>,
    /// `DJANGO_SUPERUSER_PASSWORD`.
    pub password: Variables,
}

impl Superuser {
    /// One with this password.
    ///
    /// # Errors
    /// `Config` if the password cannot be handed on.
    pub fn with_password(name: String, email: Option<String>, password: String) -> Result<Self> {
        let password = Variables::new([("DJANGO_SUPERUSER_PASSWORD".to_owned(), password)])?;
        Ok(Self { name, email, password })
    }
}

/// What the caller has decided about the host.
#[derive(Debug, Clone, Default)]
pub struct LaunchOptions {
    /// Where the site is reached, if not at its domain.
    pub site_url: Option<String>,
    /// The version of Python.
    pub python: Option<String>,
    /// The name of the virtualenv.
    pub virtualenv: Option<String>,
    /// Whether a WSGI file of somebody else may be replaced.
    pub replace_wsgi: bool,
    /// A superuser to be made.
    pub superuser: Option<Superuser>,
    /// Plan only.
    pub dry_run: bool,
    /// What a dry run of the same launch has seen, so that it need not be looked at again.
    pub seen: Option<SeenHost>,
    /// The project's folder on the host, if not the one of its name in the home folder.
    pub remote_root: Option<RemotePath>,
    /// Which files are sent.
    pub select: SelectOptions,
    /// What a deploy may do, but for what the launch decides.
    pub deploy: DeployOptions,
}

/// A launch under way.
pub(super) struct Launch<'a> {
    pub client: &'a Client,
    pub local: &'a LocalPlan,
    pub options: &'a LaunchOptions,
    pub recorder: &'a LaunchRecorder,
    pub project: Project,
    pub executors: ExecutorOptions,
    pub folder: StateFolder,
    pub survey: Survey,
    /// The WSGI file as it is to be, without the agent.
    pub wsgi: String,
    /// The WSGI file that was there before.
    pub found: FoundWsgi,
    /// The version of Python of the web app, as `3.13`.
    pub python: String,
    /// The name of the virtualenv, and its folder.
    pub virtualenv: (String, String),
    /// What was changed so far: nothing has to be reloaded where that is nothing.
    pub changes: usize,
    /// Whether what migrations and static files come from was changed.
    pub code_changed: bool,
    /// The settings as the host has them.
    pub inspected: Option<InspectResult>,
    /// What the note will say.
    pub note: LaunchNote,
}

impl Launch<'_> {
    /// The domain of the web app.
    pub fn domain(&self) -> &str {
        &self.local.domain
    }

    /// Decides on the virtualenv of that name.
    pub fn use_virtualenv(&mut self, name: String) {
        let path = format!("/home/{}/.virtualenvs/{name}", self.client.user());
        self.virtualenv = (name, path);
    }

    /// The folder of the project's code on the host.
    pub fn remote_source(&self) -> String {
        let root = self.project.remote_root.as_str();
        let source = &self.local.project.source;
        if source.is_empty() { root.to_owned() } else { format!("{root}/{source}") }
    }

    /// What `manage.py` runs with.
    pub fn inspection(&self) -> Inspection {
        let manage = match &self.local.project.kind {
            super::detect::project::ProjectKind::Django { manage, .. } => Some(manage.clone()),
            _ => None,
        };
        Inspection {
            manage,
            settings: self.local.settings.as_ref().map(|settings| settings.module.clone()),
            virtualenv: Some(self.virtualenv.1.clone()),
            folder: self.working_folder(),
        }
    }

    /// The folder that the web app works in once it is reloaded. Its process, which runs jobs, has another one until then,
    /// and a relative path, such as that of a database, would count from there. `None` where a WSGI file that is kept may
    /// change the folder, which only the process knows.
    fn working_folder(&self) -> Option<String> {
        if self.found.state == WsgiState::Edited && self.found.original.contains("chdir") {
            return None;
        }
        Some(self.field("working_directory").to_owned()).filter(|folder| !folder.is_empty())
    }

    /// A field of the web app's record.
    pub fn field(&self, name: &str) -> &str {
        self.survey.field(name)
    }

    /// The record of the web app, as it was last read.
    pub fn record(&self) -> Value {
        self.survey.web_app.clone().unwrap_or_default()
    }

    /// The note of the last whole launch.
    pub fn before(&self) -> Option<&LaunchNote> {
        self.survey.note.as_ref()
    }

    /// The mappings that the last launch made.
    pub fn mapped_before(&self) -> BTreeMap<String, String> {
        self.before().map(|note| note.mappings.clone()).unwrap_or_default()
    }
}
