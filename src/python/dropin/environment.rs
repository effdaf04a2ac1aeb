//! `from_env`: account and host from the environment, read at the call.

use crate::client::BaseUrl;
use crate::error::{Error, Result};

/// What a constructor needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Account {
    pub host: String,
    pub user: String,
    pub token: String,
}

impl Account {
    pub(super) fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let site = get("PYTHONANYWHERE_SITE");
        let domain = get("PYTHONANYWHERE_DOMAIN");
        let token = get("API_TOKEN").ok_or_else(|| {
            Error::config(
                "the API token is missing: set API_TOKEN to the one on the Account page of PythonAnywhere, tab 'API \
                 Token'",
            )
        })?;
        // The host sets these names; elsewhere USER is the user of this machine, who is somebody else.
        let is_host = site.is_some() || domain.is_some();
        let system_user = || if is_host { get("USER").or_else(|| get("LOGNAME")) } else { None };
        let user = get("PYTHONANYWHERE_USERNAME").or_else(system_user).ok_or_else(|| {
            Error::config("the user name is missing: set PYTHONANYWHERE_USERNAME to that of the PythonAnywhere account")
        })?;
        let host = site.unwrap_or_else(|| match domain.as_deref() {
            None | Some("pythonanywhere.com") => BaseUrl::DEFAULT_HOST.to_owned(),
            Some(domain) => domain.to_owned(),
        });
        Ok(Self { host, user, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(variables: &[(&str, &str)]) -> Result<Account> {
        Account::from_variables(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_host_tells_user_and_site() {
        let on_host = account(&[("API_TOKEN", "t"), ("USER", "u"), ("PYTHONANYWHERE_SITE", "www.pythonanywhere.com")]);
        let on_host = on_host.unwrap();
        assert_eq!((on_host.user.as_str(), on_host.host.as_str()), ("u", "www.pythonanywhere.com"));
        for (domain, host) in
            [("pythonanywhere.com", "www.pythonanywhere.com"), ("eu.pythonanywhere.com", "eu.pythonanywhere.com")]
        {
            let found = account(&[("API_TOKEN", "t"), ("LOGNAME", "l"), ("PYTHONANYWHERE_DOMAIN", domain)]).unwrap();
            assert_eq!((found.user.as_str(), found.host.as_str()), ("l", host));
        }
    }

    #[test]
    fn on_a_laptop_user_is_somebody_else() {
        assert!(account(&[("API_TOKEN", "t"), ("USER", "u")]).unwrap_err().to_string().contains("USERNAME"));
        let named = account(&[("API_TOKEN", "t"), ("USER", "u"), ("PYTHONANYWHERE_USERNAME", "me")]).unwrap();
        assert_eq!((named.user.as_str(), named.host.as_str()), ("me", "www.pythonanywhere.com"));
        assert!(account(&[("PYTHONANYWHERE_USERNAME", "me")]).unwrap_err().to_string().contains("API_TOKEN"));
    }
}
