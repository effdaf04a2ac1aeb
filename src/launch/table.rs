//! What the table `[tool.pythonanywhere]` says of a launch, for callers other than the command line, which reads all of it.

use std::path::Path;

use toml::{Table, Value};

use super::environments;
use super::local::LocalOptions;
use crate::deploy::{DeployOptions, SelectOptions};
use crate::error::{Error, Result};

/// The keys that a launch reads and the files do not show.
#[derive(Debug, Clone, Default)]
pub struct TableValues {
    /// `user`.
    pub user: Option<String>,
    /// `host`.
    pub host: Option<String>,
    /// `domain`, which may name several.
    pub domains: Vec<String>,
    /// `site_url`.
    pub site_url: Option<String>,
    /// `remote_root`.
    pub remote_root: Option<String>,
    /// Which files are sent.
    pub select: SelectOptions,
    /// What is deleted.
    pub deploy: DeployOptions,
}

/// Fills in what `options` leave open with what the table in `root` says, in the environment that they name.
///
/// # Errors
/// `Config` if the file is not TOML, or has no such environment; `Local` if it cannot be read.
pub fn fill_in(root: &Path, options: &mut LocalOptions) -> Result<TableValues> {
    let path = root.join("pyproject.toml");
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Error::Local { path, source }),
        Ok(text) => text,
    };
    let broken = |why: &dyn std::fmt::Display| Error::config(format!("{}: {why}", path.display()));
    let parsed: Table = text.parse().map_err(|error: toml::de::Error| broken(&error))?;
    let table = parsed.get("tool").and_then(|tool| tool.get("pythonanywhere")).and_then(Value::as_table);
    let chosen = options.environment.as_deref();
    let table = environments::apply(table.cloned().unwrap_or_default(), chosen, |_, _, _| Ok(()));
    let table = Keys(table.map_err(|why| broken(&why))?);
    let detect = &mut options.detect;
    if detect.settings.is_none() && detect.wsgi.is_none() && detect.asgi.is_none() {
        detect.settings = table.text("settings");
        detect.wsgi = table.text("wsgi");
        detect.asgi = table.text("asgi");
    }
    detect.manage = detect.manage.take().or_else(|| table.text("manage"));
    options.project = options.project.take().or_else(|| table.text("project"));
    if options.domain.is_empty() {
        options.domain = table.text("domain").unwrap_or_default();
    }
    Ok(TableValues {
        site_url: table.text("site_url"),
        user: table.text("user"),
        host: table.text("host"),
        domains: table.texts("domain").unwrap_or_default(),
        remote_root: table.text("remote_root"),
        select: table.selection(),
        deploy: DeployOptions {
            delete: table.is_on("delete"),
            max_delete: table.0.get("max_delete").and_then(Value::as_integer).and_then(|most| most.try_into().ok()),
            ..DeployOptions::default()
        },
    })
}

/// The keys of the table.
struct Keys(Table);

impl Keys {
    fn text(&self, key: &str) -> Option<String> {
        // The first of several web apps is the one that is served.
        self.texts(key)?.into_iter().next()
    }

    /// A list of texts, or one that stands alone.
    fn texts(&self, key: &str) -> Option<Vec<String>> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match self.0.get(key)? {
            Value::Array(several) => Some(several.iter().filter_map(text).collect()),
            one => text(one).map(|one| vec![one]),
        }
    }

    fn is_on(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or_default()
    }

    fn selection(&self) -> SelectOptions {
        let default = SelectOptions::default();
        SelectOptions {
            masks: self.texts("masks").unwrap_or_else(|| default.masks.clone()),
            protected: self.texts("protected"),
            include_if_there: self.texts("include").unwrap_or_default(),
            strict: self.is_on("strict"),
            no_git: self.is_on("no_git"),
            allow_lfs_pointers: self.is_on("allow_lfs_pointers"),
            delete_untracked: self.is_on("delete_untracked"),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "[tool.pythonanywhere]\ndomain = ['a.b', 'c.d']\nsite_url = 'http://127.0.0.1:1'\n\
        project = 'site'\nprotected = ['/data']\ninclude = 'x'\ndelete = true\nmax_delete = 3\nsettings = 'a.settings'\n\
        [tool.pythonanywhere.env.staging]\ndomain = 's.d'\nprotected = []\nsettings = 'a.staging'\n";

    fn filled(environment: Option<&str>) -> Result<(LocalOptions, TableValues)> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("pyproject.toml"), TABLE).unwrap();
        let mut options = LocalOptions { environment: environment.map(str::to_owned), ..LocalOptions::default() };
        fill_in(folder.path(), &mut options).map(|values| (options, values))
    }

    #[test]
    fn the_table_says_what_is_left_open() {
        let (options, values) = filled(None).unwrap();
        assert_eq!((options.domain.as_str(), options.project.as_deref()), ("a.b", Some("site")));
        assert_eq!(options.detect.settings.as_deref(), Some("a.settings"));
        assert_eq!(values.site_url.as_deref(), Some("http://127.0.0.1:1"));
        assert_eq!(values.select.protected, Some(vec!["/data".to_owned()]));
        assert_eq!(values.select.include_if_there, ["x"]);
        assert!(values.deploy.delete && values.deploy.max_delete == Some(3));
    }

    #[test]
    fn an_environment_overrides_it() {
        let (options, values) = filled(Some("staging")).unwrap();
        assert_eq!((options.domain.as_str(), options.project.as_deref()), ("s.d", Some("site")));
        assert_eq!(options.detect.settings.as_deref(), Some("a.staging"));
        assert_eq!((values.site_url, values.select.protected), (None, Some(Vec::new())));
        let why = filled(Some("stage")).unwrap_err().to_string();
        assert!(why.contains("there are: staging") && why.contains("env="), "{why}");
    }
}
