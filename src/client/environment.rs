//! The account as the environment names it: the variables that PythonAnywhere sets in its consoles, web apps and tasks,
//! and those that people set in CI. They are read when needed, never at import.
//!
//! `USER` counts only on the host itself: on a laptop it names another account, in CI it is `runner`. The host sets
//! `PYTHONANYWHERE_DOMAIN` to one of two values, and home folders there are `/home/$USER`. Other values of that variable,
//! such as the domain of a web app, are not the service's: the token would go to that site.
//! See <https://help.pythonanywhere.com/pages/API/>.

use super::host::BaseUrl;
use crate::error::{Error, Result};

/// The account as the environment names it; `None` for what it does not name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `API_TOKEN`.
    pub token: Option<String>,
    /// `PYTHONANYWHERE_USERNAME`.
    pub user: Option<String>,
    /// On the host, `USER` or `LOGNAME`.
    pub login: Option<String>,
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
        let domain = get("PYTHONANYWHERE_DOMAIN").and_then(|name| host_of(&name));
        let at_home = |user: &String| get("HOME").is_some_and(|home| home == format!("/home/{user}"));
        let login = domain.and_then(|_| get("USER").or_else(|| get("LOGNAME"))).filter(at_home);
        let host = get("PYTHONANYWHERE_SITE").or(domain.map(str::to_owned));
        Self { token: get(Self::TOKEN), user: get(Self::USER), login, host }
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
        let user = self.user.or(self.login).ok_or_else(|| {
            Error::config(format!("the user name is missing: set {} to that of the PythonAnywhere account", Self::USER))
        })?;
        Ok((self.host.unwrap_or_else(|| BaseUrl::DEFAULT_HOST.to_owned()), user, token))
    }
}

/// The host behind the values that the service gives `PYTHONANYWHERE_DOMAIN`: `pythonanywhere.com` means its `www.`,
/// while `eu.pythonanywhere.com` is itself the host.
fn host_of(domain: &str) -> Option<&'static str> {
    match domain {
        "pythonanywhere.com" => Some(BaseUrl::DEFAULT_HOST),
        "eu.pythonanywhere.com" => Some("eu.pythonanywhere.com"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Environment {
        Environment::from(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
    }

    const EU: (&str, &str) = ("PYTHONANYWHERE_DOMAIN", "eu.pythonanywhere.com");

    #[test]
    fn the_user_of_a_laptop_is_not_the_account() {
        let laptop = [("USER", "me"), ("LOGNAME", "me"), ("HOME", "/home/me")];
        assert_eq!(read(&laptop).login, None);
        let with = |more| read(&[&laptop[..], &[more]].concat()).login;
        assert_eq!(with(("PYTHONANYWHERE_SITE", "eu.pythonanywhere.com")), None);
        assert_eq!(with(("PYTHONANYWHERE_DOMAIN", "www.example.com")), None);
        assert_eq!(read(&[EU, ("USER", "runner"), ("HOME", "/root")]).login, None);
        assert_eq!(read(&[EU, ("USER", "me")]).login, None);
    }

    #[test]
    fn the_host_names_its_user() {
        let found = read(&[EU, ("USER", "me"), ("LOGNAME", "x"), ("HOME", "/home/me")]);
        assert_eq!((found.login, found.host), (Some("me".into()), Some("eu.pythonanywhere.com".into())));
        assert_eq!(read(&[EU, ("LOGNAME", "me"), ("HOME", "/home/me")]).login, Some("me".into()));
    }

    #[test]
    fn only_the_services_own_domains_name_a_host() {
        let host = |domain| read(&[("PYTHONANYWHERE_DOMAIN", domain)]).host;
        assert_eq!(host("pythonanywhere.com"), Some("www.pythonanywhere.com".into()));
        assert_eq!(host("eu.pythonanywhere.com"), Some("eu.pythonanywhere.com".into()));
        for other in ["www.example.com", "me.pythonanywhere.com", "pythonanywhere.com.example.org", "127.0.0.1:80"] {
            assert_eq!(host(other), None, "{other}");
        }
        assert_eq!(read(&[EU, ("PYTHONANYWHERE_SITE", "x.example")]).host, Some("x.example".into()));
    }

    #[test]
    fn the_explicit_user_wins_and_empty_is_unset() {
        let found =
            read(&[EU, ("PYTHONANYWHERE_USERNAME", "ci"), ("USER", "me"), ("HOME", "/home/me"), ("API_TOKEN", "")]);
        assert_eq!((found.user.as_deref(), found.token.as_deref()), (Some("ci"), None));
        assert!(found.account().is_err());
        let found = read(&[EU, ("USER", "me"), ("HOME", "/home/me"), ("API_TOKEN", "t")]).account().unwrap();
        assert_eq!(found, ("eu.pythonanywhere.com".into(), "me".into(), "t".into()));
    }
}
