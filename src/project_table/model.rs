//! The keys of the table, and what they mean to a client, a selection and a deploy.
//!
//! An unknown key is an error: a misspelt `protected` would otherwise leave a database unprotected. A token in the table is
//! refused, since the file is committed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::environments;
use super::work_tree::work_tree;
use crate::client::{Environment, Options, RateLimit, RemotePath};
use crate::deploy::{Compare, DeployOptions, ExecutorChoice, SelectOptions};
use crate::error::{Error, Result};
use crate::platform::canonical;
use crate::setting::Setting;
use crate::text::parse_size;

/// The table `[tool.pythonanywhere]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the reference of the settings describes each key")]
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

impl Table {
    /// The domains of the web apps.
    #[must_use]
    pub fn domains(&self) -> Vec<String> {
        self.domain.as_ref().map(OneOrMore::to_vec).unwrap_or_default()
    }

    /// The project's folder, if the file of the table is in `folder`.
    ///
    /// # Errors
    /// `Config` if it is outside of the work tree, or of `folder` where there is none: whoever wrote the file could have
    /// any other folder sent.
    pub fn root_in(&self, folder: &Path) -> Result<PathBuf> {
        let root = self.any_root_in(folder);
        // A folder that is not there is told of elsewhere.
        if let (Ok(folder), Ok(real)) = (canonical(folder), canonical(&root)) {
            let top = work_tree(&folder).unwrap_or(&folder);
            if !real.starts_with(top) {
                return Err(Error::config(format!(
                    "root under [tool.pythonanywhere] in {} leads out of {}, to {}: a file alone cannot choose another \
                     folder, so name that one in the command if you mean it",
                    folder.join("pyproject.toml").display(),
                    top.display(),
                    real.display()
                )));
            }
        }
        Ok(root)
    }

    fn any_root_in(&self, folder: &Path) -> PathBuf {
        self.root.as_ref().map_or_else(|| folder.to_owned(), |root| folder.join(root))
    }

    /// Refuses another project than that of the table, whose file is in `folder`: what is written down for the one, such as
    /// what is protected, need not hold for the other.
    ///
    /// # Errors
    /// `Config` with what to do instead.
    pub fn check_root(&self, folder: &Path, root: &Path) -> Result<()> {
        let own = self.any_root_in(folder);
        match (canonical(&own), canonical(root)) {
            (Ok(own), Ok(root)) if own != root => Err(Error::config(format!(
                "the table [tool.pythonanywhere] in {} is of the project in {}, not of the one in {}: launch that one, or \
                 write a table for this one into a pyproject.toml in its folder",
                folder.join("pyproject.toml").display(),
                own.display(),
                root.display()
            ))),
            // A folder that is not there is told of elsewhere.
            _ => Ok(()),
        }
    }

    /// Which files are selected.
    ///
    /// # Errors
    /// `Config` if `max_file_size` is not a size.
    pub fn select(&self) -> Result<SelectOptions> {
        let default = SelectOptions::default();
        Ok(SelectOptions {
            masks: self.masks.as_ref().map_or(default.masks, OneOrMore::to_vec),
            protected: self.protected.clone(),
            include_if_there: self.include.as_ref().map(OneOrMore::to_vec).unwrap_or_default(),
            strict: self.strict,
            no_git: self.no_git,
            allow_lfs_pointers: self.allow_lfs_pointers,
            delete_untracked: self.delete_untracked,
            max_file_size: self.max_file_size.as_ref().map_or(Ok(default.max_file_size), Size::bytes)?,
            ..default
        })
    }

    /// The project's folder in the account of `user`, if it is not the one of its name.
    ///
    /// # Errors
    /// `Config` if it is not a path.
    pub fn remote_root(&self, user: &str) -> Result<Option<RemotePath>> {
        self.remote_root.as_deref().map(|path| remote_root(path, user)).transpose()
    }

    /// What a deploy deletes.
    #[must_use]
    pub fn deploy(&self) -> DeployOptions {
        DeployOptions { delete: self.delete, max_delete: self.max_delete, ..DeployOptions::default() }
    }

    /// The options of clients. The environment's rate limit stands before that of the table.
    ///
    /// # Errors
    /// `Config` for a limit or a time-out that is none.
    pub fn client_options(&self) -> Result<Options> {
        let mut options = Options::default();
        if let Some(limit) = &self.rate_limit {
            let limit = match limit {
                Limit::PerMinute(number) => RateLimit::parse(&number.to_string())?,
                Limit::Text(text) => RateLimit::parse(text)?,
            };
            if std::env::var_os(RateLimit::VARIABLE).is_none_or(|value| value.is_empty()) {
                options.rate_limit = limit;
            }
        }
        match self.timeout {
            None => Ok(options),
            Some(seconds) => match Duration::try_from_secs_f64(seconds) {
                Ok(timeout) if !timeout.is_zero() => Ok(options.with_timeout(timeout)),
                _ => Err(Error::config(format!("timeout = {seconds} is not a positive number of seconds"))),
            },
        }
    }
}

/// A project's folder in the account of `user`, as people write it.
///
/// # Errors
/// `Config` if it is not a path. One that is empty would be the home folder, with all that is in it.
pub fn remote_root(path: &str, user: &str) -> Result<RemotePath> {
    if path.trim().is_empty() {
        return Err(Error::config(
            "remote_root is empty: give a folder in the account, such as ~/mysite, or leave it out",
        ));
    }
    RemotePath::in_account(path, user)
}

/// Refuses a name for a project that no folder can have.
///
/// # Errors
/// `Config` with what to give instead.
pub fn check_project(name: &str) -> Result<()> {
    if !name.is_empty() && !name.contains(['/', '\0']) && !matches!(name, "." | "..") {
        return Ok(());
    }
    Err(Error::config(format!(
        "the project name {name:?} cannot name a folder: it must not contain \"/\" or be \"..\"; remote_root under \
         [tool.pythonanywhere] in pyproject.toml names another place in the account"
    )))
}

/// The first of these that names something, without spaces around it.
pub fn first_given<const COUNT: usize>(values: [&Option<String>; COUNT]) -> Option<String> {
    values.into_iter().flatten().map(|value| value.trim()).find(|value| !value.is_empty()).map(str::to_owned)
}

/// A string, or a list of strings.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
#[allow(missing_docs, reason = "the names say it")]
pub enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    /// As a list.
    #[must_use]
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
#[allow(missing_docs, reason = "the names say it")]
pub enum Size {
    Bytes(u64),
    Text(String),
}

impl Size {
    fn bytes(&self) -> Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(*bytes),
            Self::Text(text) => parse_size(text).map_err(|why| invalid_size(text, &why)),
        }
    }
}

fn invalid_size(text: &str, why: &str) -> Error {
    Error::config(format!("max_file_size = {text:?}: {why}"))
}

/// A rate limit, as a number per minute or `"off"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a number of requests per minute, or \"off\"")]
#[allow(missing_docs, reason = "the names say it")]
pub enum Limit {
    PerMinute(u32),
    Text(String),
}

/// The table in the text of a `pyproject.toml`, as it holds in the environment `chosen`; `None` if it has none.
pub(super) fn parse(text: &str, chosen: Option<&str>) -> std::result::Result<Option<Table>, String> {
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

fn check_keys(title: &str, known: &[&str], table: &toml::Table) -> std::result::Result<(), String> {
    for key in table.keys() {
        if key.contains("token") {
            return Err(format!(
                "{title} contains {key:?}: a token does not belong in a file that is committed. Remove it, create a new \
                 one on the Account page, and give that in {} or with {}, or let pya keep it (\"pya login\")",
                Environment::TOKEN,
                Setting::Token
            ));
        }
        if !known.contains(&key.as_str()) {
            return Err(format!("{title} has no key {key:?}; its keys are: {}", known.join(", ")));
        }
    }
    Ok(())
}

fn typed(title: &str, table: &toml::Table) -> std::result::Result<Table, String> {
    let words = |error: toml::de::Error| error.to_string().trim_end().replace('\n', " ");
    table.clone().try_into().map_err(|error| format!("{title}: {}", words(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &str) -> std::result::Result<Option<Table>, String> {
        super::parse(&format!("[tool.pythonanywhere]\n{lines}"), None)
    }

    #[test]
    fn a_file_without_the_table_is_passed_over() {
        assert!(super::parse("[tool.ruff]\nx = 1\n[project]\nname = 'x'", None).unwrap().is_none());
        assert!(super::parse("tool = 3", None).unwrap().is_none());
    }

    #[test]
    fn a_root_stays_in_the_work_tree_or_in_the_folder_of_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        for name in ["tree/app/src", "elsewhere"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let leads =
            |root: &str| parse(&format!("root = {root:?}")).unwrap().unwrap().root_in(&tree.join("app")).is_ok();
        assert!(leads("src") && leads(".") && leads("not-there"));
        assert!(!leads("..") && !leads("../../elsewhere") && !leads("/"));
        std::fs::create_dir(tree.join(".git")).unwrap();
        assert!(leads("..") && !leads("../../elsewhere"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(folder.path().join("elsewhere"), tree.join("app/link")).unwrap();
            assert!(!leads("link"));
        }
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
            assert!(why.contains("token=") && !why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn an_environment_is_checked_like_the_table() {
        let lines =
            |more: &str| format!("[tool.pythonanywhere]\nuser = 'me'\n[tool.pythonanywhere.env.staging]\n{more}");
        let table = super::parse(&lines("domain = 'c.d'"), Some("staging")).unwrap().unwrap();
        assert_eq!((table.user.as_deref(), table.domain.unwrap().to_vec()), (Some("me"), vec!["c.d".to_owned()]));
        assert!(super::parse(&lines("domain = 'c.d'"), None).unwrap().unwrap().domain.is_none());
        for (more, words) in [
            ("protect = []", "has no key \"protect\""),
            ("api_token = 's3cret'", "does not belong"),
            ("delete = 'yes'", "env.staging]: "),
            ("env = 3", "has no key \"env\""),
        ] {
            for chosen in [None, Some("staging")] {
                let why = super::parse(&lines(more), chosen).unwrap_err();
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
