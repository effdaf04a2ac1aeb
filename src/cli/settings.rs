//! What holds for this run: options, then the environment, then `[tool.pythonanywhere]` in `pyproject.toml`; for the token
//! last what `pya login` kept.
//!
//! The table is searched for in the project's folder and the folders above it, as other tools do, but not beyond the
//! work tree, and not in a file of another user: a file that someone else put into a shared folder must not decide where
//! the token goes or what is deleted. For the same reason the table cannot name just any host. An unknown key is an error: a
//! misspelt `protected` would otherwise leave a database unprotected. A token in the table is refused, since the file is
//! committed.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::account::{Account, NamedAccount, TokenSource, missing_user, not_logged_in};
use super::options::{self, Global};
use super::output::Output;
use super::paths::{home, remote_path};
use crate::client::{BaseUrl, Client, Environment, Observer, Options, RateLimit, RemotePath, Token};
use crate::deploy::{Compare, ExecutorChoice};
use crate::error::{Error, Result};
use crate::launch::environments;
use crate::login::Login;
use crate::platform::{canonical, is_own};

/// The table `[tool.pythonanywhere]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(clippy::struct_excessive_bools, reason = "one switch each")]
pub struct Table {
    pub user: Option<String>,
    pub host: Option<String>,
    pub project: Option<String>,
    pub remote_root: Option<String>,
    pub root: Option<PathBuf>,
    pub domain: Option<OneOrMore>,
    pub masks: Option<OneOrMore>,
    pub protected: Option<Vec<String>>,
    pub include: Option<OneOrMore>,
    pub no_git: bool,
    pub allow_lfs_pointers: bool,
    pub delete_untracked: bool,
    pub compare: Option<Compare>,
    pub delete: bool,
    pub max_delete: Option<usize>,
    pub max_file_size: Option<Size>,
    pub strict: bool,
    pub rate_limit: Option<Limit>,
    pub timeout: Option<f64>,
    pub executor: Option<ExecutorChoice>,
    pub allow_tasks: bool,
    pub site_url: Option<String>,
    pub manage: Option<String>,
    pub settings: Option<String>,
    pub wsgi: Option<String>,
    pub asgi: Option<String>,
}

/// The keys of [`Table`]; a test compares the two.
const KEYS: [&str; 26] = [
    "allow_lfs_pointers",
    "allow_tasks",
    "asgi",
    "compare",
    "delete",
    "delete_untracked",
    "domain",
    "executor",
    "host",
    "include",
    "manage",
    "masks",
    "max_delete",
    "max_file_size",
    "no_git",
    "project",
    "protected",
    "rate_limit",
    "remote_root",
    "root",
    "settings",
    "site_url",
    "strict",
    "timeout",
    "user",
    "wsgi",
];

/// A string, or a list of strings.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
pub enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    /// As a list.
    pub fn to_vec(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::More(texts) => texts.clone(),
        }
    }
}

/// A size in bytes, as a number or with a unit.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a number of bytes, or a string like \"10M\"")]
pub enum Size {
    Bytes(u64),
    Text(String),
}

/// A rate limit, as a number per minute or `"off"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a number of requests per minute, or \"off\"")]
pub enum Limit {
    PerMinute(u32),
    Text(String),
}

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
        let (table, table_folder) = match (find_table(folder, chosen)?, chosen) {
            (Some((table, folder)), _) => (table, Some(folder)),
            (None, Some(name)) => return Err(Error::config(environments::unknown(name, &[]))),
            (None, None) => (Table::default(), None),
        };
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
            BaseUrl::check_site_named_by_file(named, &user, &self.domains())?;
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
        match self.account_if_any()? {
            Some(account) => Ok(account),
            None => Err(not_logged_in()?),
        }
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
        Ok(NamedAccount { host: self.host()?, user: first(names) })
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
        let fits = |login: &Login| {
            named.host.as_ref().is_none_or(|host| *host == login.host)
                && named.user.as_ref().is_none_or(|user| *user == login.user)
        };
        // A token of the environment is for the account that is named.
        let is_given = self.global.token_file.is_some() || self.environment.token.is_some();
        let logins = if is_given { Vec::new() } else { crate::login::logins()?.into_iter().filter(fits).collect() };
        match &logins[..] {
            [login] => Ok((login.user.clone(), login.host.clone())),
            _ => Ok((named.user.clone().ok_or_else(missing_user)?, named.host_or_default()?)),
        }
    }

    /// The host, if one is named: any that the user named, or one of the service or of this machine that the table names.
    fn host(&self) -> Result<Option<BaseUrl>> {
        if let Some(host) = first([&self.global.host, &self.environment.host]) {
            return BaseUrl::parse(&host).map(Some);
        }
        first([&self.table.host]).map(|named| BaseUrl::named_by_file(&named)).transpose()
    }

    /// The options of clients.
    ///
    /// # Errors
    /// `Config` for a value that is none.
    pub fn options(&self) -> Result<Options> {
        let mut options = Options { rate_limit: self.rate_limit()?, ..Options::default() };
        if let Some(seconds) = self.global.timeout.or(self.table.timeout) {
            let timeout = Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|timeout| !timeout.is_zero())
                .ok_or_else(|| Error::config(format!("timeout = {seconds} is not a positive number of seconds")))?;
            options.read_timeout = timeout;
            options.connect_timeout = timeout;
        }
        Ok(options)
    }

    /// The rate limit; the environment's stands behind [`RateLimit::Default`], before the table's.
    fn rate_limit(&self) -> Result<RateLimit> {
        let in_environment = std::env::var_os(RateLimit::VARIABLE).is_some_and(|value| !value.is_empty());
        match (&self.global.rate_limit, &self.table.rate_limit) {
            (Some(text), _) => RateLimit::parse(text),
            (None, Some(limit)) if !in_environment => match limit {
                Limit::PerMinute(number) => RateLimit::parse(&number.to_string()),
                Limit::Text(text) => RateLimit::parse(text),
            },
            _ => Ok(RateLimit::Default),
        }
    }

    /// The web app given on the command line, else those of the table; at least one.
    ///
    /// # Errors
    /// `Config` if neither names any.
    pub fn web_apps(&self, given: Option<&str>) -> Result<Vec<String>> {
        let domains = given.map_or_else(|| self.domains(), |domain| vec![domain.to_owned()]);
        if domains.is_empty() {
            return Err(Error::config(
                "the web app is missing: give its domain, or write domain = \"NAME\" under [tool.pythonanywhere] in \
                 pyproject.toml",
            ));
        }
        Ok(domains)
    }

    /// The web apps to reload: none with `no_reload`, else those given, else those of the table.
    pub fn reloads(&self, no_reload: bool, given: &[String]) -> Vec<String> {
        match (no_reload, given) {
            (true, _) => Vec::new(),
            (false, []) => self.domains(),
            (false, given) => given.to_vec(),
        }
    }

    /// The domains of the web app, as the table names them.
    pub fn domains(&self) -> Vec<String> {
        self.table.domain.as_ref().map(OneOrMore::to_vec).unwrap_or_default()
    }

    /// Whether a project is named.
    pub fn has_project(&self) -> bool {
        first([&self.global.project, &self.table.project]).is_some()
    }

    /// The project's name.
    ///
    /// # Errors
    /// `Config` if it is not given or is not a folder's name: guessing it from the folder could overwrite another
    /// project.
    pub fn project(&self, local_root: &Path) -> Result<String> {
        let Some(name) = first([&self.global.project, &self.table.project]) else {
            let guess = local_root.file_name().map_or("NAME".into(), |name| name.to_string_lossy());
            return Err(Error::config(format!(
                "the project's name is missing: give --project NAME (perhaps {guess:?}), or write project = \"NAME\" \
                 under [tool.pythonanywhere] in pyproject.toml; it is the project's folder in the account's home folder"
            )));
        };
        if name.contains(['/', '\0']) || matches!(name.as_str(), "." | "..") {
            return Err(Error::config(format!(
                "the project name {name:?} cannot name a folder: it must not contain \"/\" or be \"..\"; \
                 use --remote-root for another place in the account"
            )));
        }
        Ok(name)
    }

    /// The project's folder in the account of `user`.
    ///
    /// # Errors
    /// `Config` if the path is not valid.
    pub fn remote_root(&self, given: Option<&str>, user: &str, project: &str) -> Result<RemotePath> {
        match given.or(self.table.remote_root.as_deref()) {
            Some(path) => remote_path(path, user),
            None => home(user)?.join(project),
        }
    }

    /// The size above which a file is refused, if it was set.
    ///
    /// # Errors
    /// `Config` if the table's value is not a size.
    pub fn max_file_size(&self, given: Option<u64>) -> Result<Option<u64>> {
        Ok(match (given, &self.table.max_file_size) {
            (Some(bytes), _) => Some(bytes),
            (None, Some(Size::Bytes(bytes))) => Some(*bytes),
            (None, Some(Size::Text(text))) => {
                Some(options::size(text).map_err(|why| Error::config(format!("max_file_size = {text:?}: {why}")))?)
            }
            (None, None) => None,
        })
    }
}

/// The text of a token file, without a final line break.
pub fn read_token(path: &Path) -> Result<String> {
    std::fs::read_to_string(path)
        .map(|text| text.trim().to_owned())
        .map_err(|error| Error::config(format!("cannot read the token file {}: {error}", path.display())))
}

fn first<const COUNT: usize>(values: [&Option<String>; COUNT]) -> Option<String> {
    values.into_iter().flatten().map(|value| value.trim()).find(|value| !value.is_empty()).map(str::to_owned)
}

/// The nearest `pyproject.toml` with our table, from `folder` up to the root of the work tree. Without one, only the
/// folder's own counts.
fn find_table(folder: &Path, chosen: Option<&str>) -> Result<Option<(Table, PathBuf)>> {
    // The command itself reports a folder that does not exist.
    let Ok(folder) = canonical(folder) else { return Ok(None) };
    let tree = folder.ancestors().find(|candidate| [".git", ".hg"].iter().any(|mark| candidate.join(mark).exists()));
    let top = tree.unwrap_or(&folder);
    for candidate in folder.ancestors() {
        let file = candidate.join("pyproject.toml");
        let is_below_top = candidate.starts_with(top);
        let (text, is_own) = match read_own(&file) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(source) if is_below_top => return Err(Error::Local { path: file, source }),
            Err(_) => continue,
        };
        let table = parse_table(&text, chosen);
        if !is_own || !is_below_top {
            if !matches!(table, Ok(None)) {
                let reason = match (is_own, tree) {
                    (false, _) => "it belongs to another user".to_owned(),
                    (true, Some(top)) => format!("it is above the work tree in {}", top.display()),
                    (true, None) => {
                        format!(
                            "it is above {}, which is not in a git work tree; run pya in that file's folder",
                            folder.display()
                        )
                    }
                };
                log::warn!("{} is ignored: {reason}", file.display());
            }
            continue;
        }
        if let Some(table) = table.map_err(|why| Error::config(format!("{}: {why}", file.display())))? {
            return Ok(Some((table, candidate.to_owned())));
        }
    }
    Ok(None)
}

/// The text of a file, and whether it belongs to the user of this process.
fn read_own(file: &Path) -> std::io::Result<(String, bool)> {
    // Opening a pipe would wait for its other end.
    if std::fs::metadata(file).is_ok_and(|facts| !facts.is_file()) {
        return Err(std::io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut open = std::fs::File::open(file)?;
    let is_own = is_own(&open.metadata()?);
    let mut text = String::new();
    open.read_to_string(&mut text)?;
    Ok((text, is_own))
}

/// The table in the text of a `pyproject.toml`, as it holds in the environment `chosen`; `None` if it has none.
fn parse_table(text: &str, chosen: Option<&str>) -> Result<Option<Table>, String> {
    let document: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let Some(table) = document.get("tool").and_then(|tool| tool.get("pythonanywhere")) else { return Ok(None) };
    let table = table.as_table().ok_or("tool.pythonanywhere is not a table")?;
    let title = "[tool.pythonanywhere]";
    check_keys(title, &[&KEYS[..], &[environments::KEY]].concat(), table)?;
    let table = environments::apply(table.clone(), chosen, |title, overrides, merged| {
        check_keys(title, &KEYS, overrides)?;
        typed(title, merged).map(drop)
    })?;
    typed(title, &table).map(Some)
}

fn check_keys(title: &str, known: &[&str], table: &toml::Table) -> Result<(), String> {
    for key in table.keys() {
        if key.contains("token") {
            return Err(format!(
                "{title} contains {key:?}: a token does not belong in a file that is committed. Remove it, create a new \
                 one on the Account page, and log in (\"pya login\"), or give it in {} or with --token-file",
                Environment::TOKEN
            ));
        }
        if !known.contains(&key.as_str()) {
            return Err(format!("{title} has no key {key:?}; its keys are: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn typed(title: &str, table: &toml::Table) -> Result<Table, String> {
    let words = |error: toml::de::Error| error.to_string().trim_end().replace('\n', " ");
    table.clone().try_into().map_err(|error| format!("{title}: {}", words(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> Result<Option<Table>, String> {
        parse_table(&format!("[tool.pythonanywhere]\n{lines}"), None)
    }

    #[test]
    fn a_file_without_the_table_is_passed_over() {
        assert!(parse_table("[tool.ruff]\nx = 1\n[project]\nname = 'x'", None).unwrap().is_none());
        assert!(parse_table("tool = 3", None).unwrap().is_none());
    }

    #[test]
    fn every_known_key_is_read() {
        let table = parse(
            "allow_lfs_pointers = true\ncompare = 'content'\ndelete = true\ndelete_untracked = true\ndomain = ['a.b', 'c.d']\nhost = 'h'\ninclude = '.env'\nno_git = true\nmasks = '**/*.py'\n\
             max_delete = 3\nmax_file_size = '10M'\nproject = 'p'\nprotected = ['/x']\nrate_limit = 60\n\
             remote_root = '/home/u/x'\nroot = 'src'\nstrict = true\ntimeout = 5\nuser = 'u'",
        )
        .unwrap()
        .unwrap();
        assert_eq!(table.compare, Some(Compare::Content));
        assert_eq!(table.domain.unwrap().to_vec(), ["a.b", "c.d"]);
        assert_eq!(table.masks.unwrap().to_vec(), ["**/*.py"]);
        assert_eq!(table.include.unwrap().to_vec(), [".env"]);
        assert!(table.no_git && table.allow_lfs_pointers && table.delete_untracked);
        assert!(table.delete && table.strict && table.max_delete == Some(3) && table.timeout == Some(5.0));
        assert_eq!(format!("{:?}", Table::default()).matches(": ").count(), KEYS.len());
    }

    #[test]
    fn an_unknown_key_names_the_known_ones() {
        let why = parse("protect = ['x']").unwrap_err();
        assert!(why.contains("\"protect\"") && why.contains("protected, rate_limit"), "{why}");
    }

    #[test]
    fn a_token_is_refused_and_not_quoted() {
        for key in ["token", "api_token"] {
            let why = parse(&format!("{key} = 's3cret'")).unwrap_err();
            assert!(why.contains("--token-file") && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn an_environment_is_checked_like_the_table() {
        let lines =
            |more: &str| format!("[tool.pythonanywhere]\nuser = 'me'\n[tool.pythonanywhere.env.staging]\n{more}");
        let table = parse_table(&lines("domain = 'c.d'"), Some("staging")).unwrap().unwrap();
        assert_eq!((table.user.as_deref(), table.domain.unwrap().to_vec()), (Some("me"), vec!["c.d".to_owned()]));
        assert!(parse_table(&lines("domain = 'c.d'"), None).unwrap().unwrap().domain.is_none());
        for (more, words) in [
            ("protect = []", "has no key \"protect\""),
            ("api_token = 's3cret'", "does not belong"),
            ("delete = 'yes'", "env.staging]: "),
            ("env = 3", "has no key \"env\""),
        ] {
            for chosen in [None, Some("staging")] {
                let why = parse_table(&lines(more), chosen).unwrap_err();
                assert!(why.contains(words) && why.contains("env.staging]") && !why.contains("s3cret"), "{why}");
            }
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_key() {
        for (lines, key) in [("delete = 'yes'", "delete"), ("domain = 3", "a domain"), ("compare = 'size'", "compare")]
        {
            let why = parse(lines).unwrap_err();
            assert!(why.contains(key.trim_start_matches("a ")), "{why}");
        }
    }
}
