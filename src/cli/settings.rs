//! What holds for this run: options, then the environment, then `[tool.pythonanywhere]` in `pyproject.toml`; for the token
//! last what `pya login` kept.
//!
//! The table cannot name just any host: a file that someone else wrote must not decide where the token goes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::account::{Account, NamedAccount, TokenSource, missing_user, not_logged_in};
use super::options::Global;
use super::output::Output;
use crate::client::{BaseUrl, Client, Environment, Observer, Options, RateLimit, RemotePath, Token};
use crate::error::{Error, Result};
use crate::project_table::{Table, check_project, first_given, load, remote_root as named_root};

/// More than any file with a token has, in KiB.
const MOST_TOKEN_KIB: u64 = 64;

/// The settings of a command.
pub struct Settings<'a> {
    global: &'a Global,
    output: &'a Output,
    environment: Environment,
    /// The table; empty if there is none.
    pub table: Table,
    /// The folder of the `pyproject.toml` that holds the table.
    pub table_folder: Option<PathBuf>,
    observer: Option<Arc<dyn Observer>>,
}

impl<'a> Settings<'a> {
    /// Collects the settings for a run that starts in `folder` (the project's, else the working folder).
    ///
    /// # Errors
    /// `Config` if the table cannot be used; the message names the file and the key.
    pub fn load(global: &'a Global, output: &'a Output, environment: Environment, folder: &Path) -> Result<Self> {
        // A variable that is set to nothing names nothing.
        let chosen = global.env.as_deref().filter(|name| !name.is_empty());
        let (table, table_folder) = load(folder, chosen)?;
        Ok(Self { global, output, environment, table, table_folder, observer: None })
    }

    /// The same, whose clients report to `observer`.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// The name of the environment in the table that holds, if one was chosen.
    pub fn environment_name(&self) -> Option<&str> {
        self.global.env.as_deref().filter(|name| !name.is_empty())
    }

    /// A client for the account.
    ///
    /// # Errors
    /// As for [`Self::account`].
    pub fn client(&self) -> Result<Client> {
        self.client_of(self.account()?)
    }

    /// The same; `None` if no token is configured anywhere.
    ///
    /// # Errors
    /// As for [`Self::account`], but for a missing token.
    pub fn client_if_any(&self) -> Result<Option<Client>> {
        self.account_if_any()?.map(|account| self.client_of(account)).transpose()
    }

    fn client_of(&self, account: Account) -> Result<Client> {
        let Account { host, user, token, .. } = account;
        if let Some(named) = &self.table.site_url {
            BaseUrl::check_site_named_by_file(named, &user, &self.table.domains())?;
        }
        let client = Client::new(&host, &user, &token, self.options()?)?;
        if !host.is_loopback() && !host.is_public_system() {
            log::warn!("the API token is sent to {}", host.authority());
        }
        Ok(match &self.observer {
            Some(observer) => client.with_observer(Arc::clone(observer)),
            None => client,
        })
    }

    /// The account with its token: that of `--token-file`, else of the environment, else what `pya login` kept for it.
    ///
    /// # Errors
    /// `Config` if user or token are missing or malformed, or the table names a host that it may not name.
    pub fn account(&self) -> Result<Account> {
        self.account_if_any()?.map_or_else(|| Err(not_logged_in()?), Ok)
    }

    /// The same; `None` if no token is configured anywhere.
    fn account_if_any(&self) -> Result<Option<Account>> {
        let named = self.named()?;
        if let Some(path) = &self.global.token_file {
            return named.with(Token::new(&read_token(path)?)?, TokenSource::Option).map(Some);
        }
        match &self.environment.token {
            Some(token) => {
                let token = Token::new(token).map_err(|error| {
                    Error::config(format!("{error}. Set {} or give --token-file FILE", Environment::TOKEN))
                })?;
                named.with(token, TokenSource::Environment).map(Some)
            }
            None => named.logged_in(self.output),
        }
    }

    /// The account as far as options, environment and table name it.
    ///
    /// # Errors
    /// `Config` for a host that is none, or that the table may not name.
    pub fn named(&self) -> Result<NamedAccount> {
        let names = [&self.global.user, &self.environment.user, &self.table.user, &self.environment.login];
        Ok(NamedAccount { host: self.host()?, user: first_given(names) })
    }

    /// Whether the environment has a token, which counts before that of a login.
    pub fn has_token_in_environment(&self) -> bool {
        self.environment.token.is_some()
    }

    /// The user and the host of the account, without its token: those that are named, else those of the only login.
    ///
    /// # Errors
    /// `Config` if no user is named, or several logins fit.
    pub fn user_and_host(&self) -> Result<(String, BaseUrl)> {
        let named = self.named()?;
        // A token of the environment is for the account that is named.
        let is_given = self.global.token_file.is_some() || self.environment.token.is_some();
        let logins = if is_given { Vec::new() } else { named.logins()? };
        match &logins[..] {
            [login] => Ok((login.user.clone(), login.host.clone())),
            _ => Ok((named.user.clone().ok_or_else(missing_user)?, named.host_or_default()?)),
        }
    }

    /// The host, if one is named: any that the user named, or one of the service or of this machine that the table names.
    fn host(&self) -> Result<Option<BaseUrl>> {
        if let Some(host) = first_given([&self.global.host, &self.environment.host]) {
            return BaseUrl::parse(&host).map(Some);
        }
        first_given([&self.table.host]).map(|named| BaseUrl::named_by_file(&named)).transpose()
    }

    /// The options of clients: what was typed, else what the environment says, else the table.
    ///
    /// # Errors
    /// `Config` for a value that is none.
    pub fn options(&self) -> Result<Options> {
        let mut options = self.table.client_options()?;
        if let Some(text) = &self.global.rate_limit {
            options.rate_limit = RateLimit::parse(text)?;
        }
        let timeout = self.global.timeout.map(Duration::from_secs_f64);
        Ok(timeout.map_or(options, |timeout| options.with_timeout(timeout)))
    }

    /// The web app given on the command line, else those of the table; at least one.
    ///
    /// # Errors
    /// `Config` if neither names any.
    pub fn web_apps(&self, given: Option<&str>) -> Result<Vec<String>> {
        let domains = given.map_or_else(|| self.table.domains(), |domain| vec![domain.to_owned()]);
        if domains.is_empty() { Err(missing_web_app()) } else { Ok(domains) }
    }

    /// The web apps to reload: none with `no_reload`, else those given, else those of the table.
    pub fn reloads(&self, no_reload: bool, given: &[String]) -> Vec<String> {
        match (no_reload, given) {
            (true, _) => Vec::new(),
            (false, []) => self.table.domains(),
            (false, given) => given.to_vec(),
        }
    }

    /// Whether a project is named.
    pub fn has_project(&self) -> bool {
        first_given([&self.global.project, &self.table.project]).is_some()
    }

    /// The project's name.
    ///
    /// # Errors
    /// `Config` if it is not given or is not a folder's name: guessing it from the folder could overwrite another
    /// project.
    pub fn project(&self, local_root: &Path) -> Result<String> {
        let Some(name) = first_given([&self.global.project, &self.table.project]) else {
            let guess = local_root.file_name().map_or("NAME".into(), |name| name.to_string_lossy());
            return Err(Error::config(format!(
                "the project's name is missing: give --project NAME (perhaps {guess:?}), or write project = \"NAME\" \
                 under [tool.pythonanywhere] in pyproject.toml; it is the project's folder in the account's home folder"
            )));
        };
        check_project(&name)?;
        Ok(name)
    }

    /// The project's folder in the account of `user`.
    ///
    /// # Errors
    /// `Config` if the path is not valid.
    pub fn remote_root(&self, given: Option<&str>, user: &str, project: &str) -> Result<RemotePath> {
        match given.or(self.table.remote_root.as_deref()) {
            Some(path) => named_root(path, user),
            None => RemotePath::home(user)?.join(project),
        }
    }
}

/// The token in a token file.
///
/// # Errors
/// `Config`, naming the file, if it cannot be read or is too long for one.
pub fn read_token(path: &Path) -> Result<String> {
    let mut text = String::new();
    let most = MOST_TOKEN_KIB << 10;
    // One byte more than allowed shows that there is more, without reading a device forever.
    let size = File::open(path)
        .and_then(|file| file.take(most + 1).read_to_string(&mut text))
        .map_err(|error| Error::config(format!("cannot read the token file {}: {error}", path.display())))?;
    if size as u64 > most {
        return Err(Error::config(format!(
            "the token file {} is longer than {MOST_TOKEN_KIB} KiB, so it is none: name the one with the token",
            path.display()
        )));
    }
    Ok(bare_token(&text).to_owned())
}

/// A token without the line break after it, and without the byte order mark that editors of Windows put before it.
pub fn bare_token(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text).trim()
}

fn missing_web_app() -> Error {
    Error::config(
        "the web app is missing: give its domain, or write domain = \"NAME\" under [tool.pythonanywhere] in \
         pyproject.toml",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_holds_a_token_and_little_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token.txt");
        let read = |content: &[u8]| {
            std::fs::write(&path, content).unwrap();
            read_token(&path)
        };
        for content in ["t0ken", "t0ken\n", "\u{feff}t0ken\r\n", "\u{feff} t0ken"] {
            assert_eq!(read(content.as_bytes()).unwrap(), "t0ken");
        }
        let most = usize::try_from(MOST_TOKEN_KIB << 10).unwrap();
        assert_eq!(read(&vec![b'x'; most]).unwrap().len(), most);
        for content in [vec![b'x'; most + 1], b"\xff\xfet\x000\x00".to_vec()] {
            let why = read(&content).unwrap_err().to_string();
            assert!(why.contains("token.txt") && why.contains("token file"), "{why}");
        }
    }
}
