//! The account as the environment names it: the variables that PythonAnywhere sets in its consoles, web apps and tasks,
//! and those that people set in CI. They are read when needed, never at import.
//!
//! `USER` counts only where the host's own variables show that this is PythonAnywhere: on a laptop it names another
//! account. See <https://help.pythonanywhere.com/pages/API/>.

use super::host::BaseUrl;
use crate::error::{Error, Result};

/// The account as the environment names it; `None` for what it does not name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `API_TOKEN`.
    pub token: Option<String>,
    /// `PYTHONANYWHERE_USERNAME`; on the host also `USER` or `LOGNAME`.
    pub user: Option<String>,
    /// `PYTHONANYWHERE_SITE`, or the host that `PYTHONANYWHERE_DOMAIN` stands for.
    pub host: Option<String>,
}

impl Environment {
    /// The variable that holds the API token.
    pub const TOKEN: &str = "API_TOKEN";
    /// The variable that names the account.
    pub const USER: &str = "PYTHONANYWHERE_USERNAME";

    /// Reads the environment of this process.
    #[must_use]
    pub fn read() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    /// Reads an environment given as a function; empty values count as unset.
    pub fn from(get: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let host = get("PYTHONANYWHERE_SITE").or_else(|| get("PYTHONANYWHERE_DOMAIN").map(|name| host_of(&name)));
        let on_the_host = host.is_some();
        let login = || if on_the_host { get("USER").or_else(|| get("LOGNAME")) } else { None };
        Self { token: get(Self::TOKEN), user: get(Self::USER).or_else(login), host }
    }

    /// Host, user and token of the account.
    ///
    /// # Errors
    /// `Config` if token or user is missing.
    pub fn account(self) -> Result<(String, String, String)> {
        let token = self.token.ok_or_else(|| {
            Error::config(format!(
                "the API token is missing: set {} to the one shown on the Account page of PythonAnywhere, tab 'API Token'",
                Self::TOKEN
            ))
        })?;
        let user = self.user.ok_or_else(|| {
            Error::config(format!("the user name is missing: set {} to that of the PythonAnywhere account", Self::USER))
        })?;
        Ok((self.host.unwrap_or_else(|| BaseUrl::DEFAULT_HOST.to_owned()), user, token))
    }
}

/// The host behind `PYTHONANYWHERE_DOMAIN`: `pythonanywhere.com` means its `www.`, while `eu.pythonanywhere.com` is
/// itself the host.
fn host_of(domain: &str) -> String {
    if domain == "pythonanywhere.com" { BaseUrl::DEFAULT_HOST.to_owned() } else { domain.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<String>, Option<String>, Option<String>) {
        let found =
            Environment::from(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()));
        (found.token, found.user, found.host)
    }

    #[test]
    fn a_laptops_user_is_somebody_else() {
        assert_eq!(read(&[("USER", "root"), ("API_TOKEN", "t")]), (Some("t".into()), None, None));
    }

    #[test]
    fn the_host_names_its_user() {
        let found = read(&[("LOGNAME", "me"), ("PYTHONANYWHERE_SITE", "www.pythonanywhere.com")]);
        assert_eq!(found, (None, Some("me".into()), Some("www.pythonanywhere.com".into())));
        let found = read(&[("USER", "me"), ("LOGNAME", "x"), ("PYTHONANYWHERE_DOMAIN", "eu.pythonanywhere.com")]);
        assert_eq!(found, (None, Some("me".into()), Some("eu.pythonanywhere.com".into())));
    }

    #[test]
    fn the_bare_domain_gets_its_www() {
        let host = |pairs| read(pairs).2;
        assert_eq!(host(&[("PYTHONANYWHERE_DOMAIN", "pythonanywhere.com")]), Some("www.pythonanywhere.com".into()));
        let both = [("PYTHONANYWHERE_DOMAIN", "pythonanywhere.com"), ("PYTHONANYWHERE_SITE", "x.example")];
        assert_eq!(host(&both), Some("x.example".into()));
    }

    #[test]
    fn the_explicit_user_wins_and_empty_is_unset() {
        let pairs =
            [("PYTHONANYWHERE_USERNAME", "ci"), ("USER", "me"), ("PYTHONANYWHERE_SITE", "h"), ("API_TOKEN", "")];
        assert_eq!(read(&pairs), (None, Some("ci".into()), Some("h".into())));
    }
}
