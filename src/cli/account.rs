//! The account that a command works with: its host, its user, and where the token comes from.
//!
//! A token that `pya login` kept is used last, and only for the account that it was given for. So where options, environment
//! or table name a user or a host, a login of another one counts as none.

use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::output::Output;
use super::prompt;
use super::signals::Signals;
use crate::client::{BaseUrl, Environment, Token};
use crate::error::{Error, Result};
use crate::login::{self, Login, Place};

/// The account, as far as options, environment and table name it.
#[derive(Debug, Clone, Default)]
pub struct NamedAccount {
    pub host: Option<BaseUrl>,
    pub user: Option<String>,
}

/// The account with its token.
#[derive(Debug, Clone)]
pub struct Account {
    pub host: BaseUrl,
    pub user: String,
    pub token: Token,
    pub source: TokenSource,
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// The file that `--token-file` names.
    Option,
    /// `API_TOKEN`.
    Environment,
    /// What `pya login` kept, there.
    Login(Place),
}

impl TokenSource {
    /// As `--json` prints it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Option => "option",
            Self::Environment => "environment",
            Self::Login(Place::Keyring) => "keyring",
            Self::Login(Place::File(_)) => "login_file",
        }
    }
}

impl std::fmt::Display for TokenSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Option => f.write_str("--token-file"),
            Self::Environment => write!(f, "${}", Environment::TOKEN),
            Self::Login(place) => write!(f, "{place} (\"pya login\")"),
        }
    }
}

impl NamedAccount {
    /// The account with a token that was given for it.
    ///
    /// # Errors
    /// `Config` if no user is named.
    pub fn with(self, token: Token, source: TokenSource) -> Result<Account> {
        let host = self.host_or_default()?;
        let user = self.user.ok_or_else(missing_user)?;
        Ok(Account { host, user, token, source })
    }

    /// The account with the token that `pya login` kept; `None` if it kept none for it.
    ///
    /// # Errors
    /// `Config` if there is more than one, or the token cannot be read.
    pub fn logged_in(&self, output: &Output) -> Result<Option<Account>> {
        let found = block_in_place(|| Handle::current().block_on(find(self, output)))?;
        let account =
            |(Login { host, user, place }, token)| Account { host, user, token, source: TokenSource::Login(place) };
        Ok(found.map(account))
    }

    /// The logins of accounts that fit the names.
    ///
    /// # Errors
    /// `Config` if the list of logins cannot be read.
    pub fn logins(&self) -> Result<Vec<Login>> {
        let is_host = |login: &Login| self.host.as_ref().is_none_or(|host| *host == login.host);
        let is_user = |login: &Login| self.user.as_ref().is_none_or(|user| *user == login.user);
        Ok(login::logins()?.into_iter().filter(|login| is_host(login) && is_user(login)).collect())
    }

    /// The host that is named, else the service's.
    ///
    /// # Errors
    /// None, as the name is a good one.
    pub fn host_or_default(&self) -> Result<BaseUrl> {
        self.host.clone().map_or_else(|| BaseUrl::parse(BaseUrl::DEFAULT_HOST), Ok)
    }
}

/// Says how to give a token, and which logins do not count here.
///
/// # Errors
/// `Config` if the list of logins cannot be read.
pub fn not_logged_in() -> Result<Error> {
    let others = others(&login::logins()?);
    Ok(Error::config(format!(
        "the API token is missing: log in (\"pya login\"), set {}, or give --token-file FILE. It is on the Account page of \
         PythonAnywhere, tab 'API Token'; in consoles, web apps and tasks there, it is in $API_TOKEN{others}",
        Environment::TOKEN
    )))
}

fn others(logins: &[Login]) -> String {
    let names: Vec<String> = logins.iter().map(Login::to_string).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(". You are logged in as {}, but the token goes to no other account", names.join(", "))
}

/// A signal ends the wait for a person who is to unlock the keyring; [`super::run`] then sees it, too.
async fn find(named: &NamedAccount, output: &Output) -> Result<Option<(Login, Token)>> {
    let notice = keyring_notice(output);
    let mut signals = Signals::watch()?;
    tokio::select! {
        found = login::find(named.host.as_ref(), named.user.as_deref(), notice.as_ref().map(|say| say as _)) => found,
        _ = signals.next() => Err(Error::Closed),
    }
}

/// Tells a person, if there is one, that the keyring may ask to be unlocked.
pub fn keyring_notice(output: &Output) -> Option<impl Fn() + Sync> {
    prompt::is_possible().then_some(|| output.say("waiting for the system's keyring, which may ask you to unlock it"))
}

/// Says how to name the user.
pub fn missing_user() -> Error {
    Error::config(format!(
        "the user name is missing: give --user NAME, set {}, or write user = \"NAME\" under [tool.pythonanywhere] in \
         pyproject.toml",
        Environment::USER
    ))
}
