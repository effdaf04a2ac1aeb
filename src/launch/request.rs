//! A launch as a program asks for it in one call: how the arguments, the environment and the project's table combine.
//!
//! An argument counts before the environment, and that before the table. The token is never the table's, and a table cannot
//! name just any host or site: a file that someone else wrote must not decide where the token goes.

use std::path::PathBuf;

use super::context::{LaunchOptions, Superuser};
use super::detect::project::DetectOptions;
use super::local::{LocalOptions, LocalPlan, own_domain, plan};
use crate::client::{BaseUrl, Client, Environment, Token};
use crate::error::{Error, Result};
use crate::project_table::{Table, environments, first_given, load};

/// The arguments of a launch; what is left out the environment or the project's table names.
pub struct LaunchRequest {
    /// The project's folder.
    pub root: PathBuf,
    /// The account.
    pub username: Option<String>,
    /// The API token.
    pub token: Option<String>,
    /// The host of the API.
    pub host: Option<String>,
    /// The project's name on the host.
    pub project: Option<String>,
    /// The domain that serves it; an empty one counts as left out.
    pub domain: Option<String>,
    /// Where the site is reached, if not at its domain.
    pub site_url: Option<String>,
    /// The version of Python.
    pub python: Option<String>,
    /// The settings module.
    pub settings: Option<String>,
    /// A WSGI application, as `module:name`.
    pub wsgi: Option<String>,
    /// An ASGI application, likewise.
    pub asgi: Option<String>,
    /// The name of the virtualenv.
    pub virtualenv: Option<String>,
    /// The environment file.
    pub env_file: Option<PathBuf>,
    /// Whether a WSGI file of somebody else may be replaced.
    pub replace_wsgi: bool,
    /// The name and the password of a superuser to be made.
    pub superuser: Option<(String, String)>,
    /// Plan only.
    pub dry_run: bool,
    /// The environment of the table; if it is left out the one that `PYA_ENV` names, and an empty one is none.
    pub env: Option<String>,
    /// The Python that runs the program, whose packages show releases.
    pub interpreter: Option<PathBuf>,
}

/// A launch that can begin.
pub struct PreparedLaunch {
    /// The account.
    pub client: Client,
    /// What is to be done on this machine.
    pub local: LocalPlan,
    /// What is to be done on the host.
    pub options: LaunchOptions,
}

impl LaunchRequest {
    /// Decides on all that was left out. Reads this machine only, and sends nothing.
    ///
    /// # Errors
    /// `Config` for whatever is missing, ambiguous or wrong; `Local` for what cannot be read.
    pub fn prepare(self) -> Result<PreparedLaunch> {
        self.check_names()?;
        let environment = environments::chosen(self.env.clone());
        let (table, folder) = load(&self.root, environment.as_deref())?;
        if let Some(folder) = &folder {
            table.check_root(folder, &self.root)?;
        }
        let client = self.client(&table)?;
        let local = LocalOptions { table_folder: folder, environment, ..self.local(&table, &client) };
        let root = self.root.clone();
        let options = self.options(table, &client)?;
        let local = plan(&root, &local)?;
        Ok(PreparedLaunch { client, local, options })
    }

    /// Refuses empty names: another account or project than the one that was meant would be worse than an error.
    fn check_names(&self) -> Result<()> {
        let names =
            [("username", &self.username), ("token", &self.token), ("host", &self.host), ("project", &self.project)];
        let is_empty = |value: &Option<String>| value.as_ref().is_some_and(|value| value.trim().is_empty());
        match names.into_iter().find(|(_, value)| is_empty(value)) {
            Some((name, _)) => Err(Error::config(format!("{name} is empty: leave it out, or say which"))),
            None => Ok(()),
        }
    }

    fn client(&self, table: &Table) -> Result<Client> {
        let (host, user, token) = self.account(table)?;
        if let (None, Some(site)) = (&self.site_url, &table.site_url) {
            BaseUrl::check_site_named_by_file(site, &user, &table.domains())?;
        }
        Client::new(&host, &user, &Token::new(&token)?, table.client_options()?)
    }

    /// Host, user and token of the account.
    fn account(&self, table: &Table) -> Result<(BaseUrl, String, String)> {
        let found = Environment::read();
        let host = self.host.clone().or(found.host);
        let named_by_file = if host.is_none() { first_given([&table.host]) } else { None };
        let named_by_file = named_by_file.map(|host| BaseUrl::named_by_file(&host)).transpose()?;
        let user = first_given([&self.username, &found.user, &table.user]);
        let token = self.token.clone().or(found.token);
        let (host, user, token) = Environment { token, user, host, login: found.login }.account()?;
        Ok((named_by_file.map_or_else(|| BaseUrl::parse(&host), Ok)?, user, token))
    }

    /// What to do on this machine; what was left out is as the table says.
    fn local(&self, table: &Table, client: &Client) -> LocalOptions {
        let detect = DetectOptions {
            settings: self.settings.clone(),
            wsgi: self.wsgi.clone(),
            asgi: self.asgi.clone(),
            env_file: self.env_file.clone(),
            interpreter: self.interpreter.clone(),
            ..DetectOptions::default()
        };
        let domain = self.domain.clone().filter(|domain| !domain.is_empty());
        LocalOptions {
            detect: detect.or(table),
            project: first_given([&self.project, &table.project]),
            domain: domain.unwrap_or_else(|| usual_domain(table, client)),
            user: Some(client.user().to_owned()),
            site_url: self.site_url.clone(),
            ..LocalOptions::default()
        }
    }

    /// What to do on the host, likewise.
    fn options(self, table: Table, client: &Client) -> Result<LaunchOptions> {
        Ok(LaunchOptions {
            python: self.python,
            virtualenv: self.virtualenv,
            replace_wsgi: self.replace_wsgi,
            dry_run: self.dry_run,
            remote_root: table.remote_root(client.user())?,
            select: table.select()?,
            deploy: table.deploy(),
            site_url: self.site_url.or(table.site_url),
            superuser: self
                .superuser
                .map(|(name, password)| Superuser::with_password(name, None, password))
                .transpose()?,
            ..LaunchOptions::default()
        })
    }
}

/// The first domain of the table, else the one that every account has.
fn usual_domain(table: &Table, client: &Client) -> String {
    let first = table.domains().into_iter().next().filter(|domain| !domain.is_empty());
    first.unwrap_or_else(|| own_domain(client.user(), client.host()))
}
