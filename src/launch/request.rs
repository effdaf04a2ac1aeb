//! A launch as a program asks for it in one call: how the arguments, the environment and the project's table combine.
//!
//! An argument counts before the environment, and that before the table. The token is never the table's, and a table cannot
//! name just any host or site: a file that someone else wrote must not decide where the token goes.

use std::path::PathBuf;

use super::context::{LaunchOptions, Superuser};
use super::local::{LocalOptions, LocalPlan, own_domain, plan};
use crate::client::{BaseUrl, Client, Environment, Token};
use crate::error::{Error, Result};
use crate::project_table::{Table, first_given, load};

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
    /// What the caller has decided about the project; the domain is empty if it is left out.
    pub local: LocalOptions,
    /// What the caller has decided about the host; what the table says of files and deploys takes the place of what is here.
    pub options: LaunchOptions,
    /// The name and the password of a superuser to be made.
    pub superuser: Option<(String, String)>,
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
    pub fn prepare(mut self) -> Result<PreparedLaunch> {
        self.check_names()?;
        let (table, folder) = load(&self.root, self.local.environment.as_deref())?;
        if let Some(folder) = &folder {
            table.check_root(folder, &self.root)?;
        }
        self.local.table_folder = folder;
        let client = self.client(&table)?;
        let Self { root, local, options, superuser, .. } = self;
        let local = complete_local(LocalOptions { site_url: options.site_url.clone(), ..local }, &table, &client);
        let mut options = complete_options(options, table, &client)?;
        if let Some((name, password)) = superuser {
            options.superuser = Some(Superuser::with_password(name, None, password)?);
        }
        let local = plan(&root, &local)?;
        Ok(PreparedLaunch { client, local, options })
    }

    /// Refuses empty names: another account or project than the one that was meant would be worse than an error.
    fn check_names(&self) -> Result<()> {
        let names = [
            ("username", &self.username),
            ("token", &self.token),
            ("host", &self.host),
            ("project", &self.local.project),
        ];
        let is_empty = |value: &Option<String>| value.as_ref().is_some_and(|value| value.trim().is_empty());
        match names.into_iter().find(|(_, value)| is_empty(value)) {
            Some((name, _)) => Err(Error::config(format!("{name} is empty: leave it out, or say which"))),
            None => Ok(()),
        }
    }

    fn client(&self, table: &Table) -> Result<Client> {
        let (host, user, token) = self.account(table)?;
        if let (None, Some(site)) = (&self.options.site_url, &table.site_url) {
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
}

fn complete_local(local: LocalOptions, table: &Table, client: &Client) -> LocalOptions {
    LocalOptions {
        detect: local.detect.or(table),
        project: first_given([&local.project, &table.project]),
        domain: if local.domain.is_empty() { usual_domain(table, client) } else { local.domain },
        user: Some(client.user().to_owned()),
        ..local
    }
}

/// The first domain of the table, else the one that every account has.
fn usual_domain(table: &Table, client: &Client) -> String {
    let first = table.domains().into_iter().next().filter(|domain| !domain.is_empty());
    first.unwrap_or_else(|| own_domain(client.user(), client.host()))
}

fn complete_options(options: LaunchOptions, table: Table, client: &Client) -> Result<LaunchOptions> {
    Ok(LaunchOptions {
        remote_root: table.remote_root(client.user())?,
        select: table.select()?,
        deploy: table.deploy(),
        site_url: options.site_url.or(table.site_url),
        ..options
    })
}
