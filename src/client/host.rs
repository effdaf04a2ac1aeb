//! The server to talk to: `https` anywhere, plain `http` only on this machine.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use crate::error::{Error, Result};
use crate::setting::Setting;

/// Scheme, host and port of the service, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    /// Ends in `/`; no path, query, fragment or credentials.
    url: Url,
}

impl BaseUrl {
    /// The US system.
    pub const DEFAULT_HOST: &str = "www.pythonanywhere.com";
    const ZONE: &str = "pythonanywhere.com";

    /// Takes a host (`www.pythonanywhere.com`, `eu.pythonanywhere.com`) or a URL (`http://127.0.0.1:8000`).
    ///
    /// # Errors
    /// `Config` for anything else: another scheme, `http` to another machine, a path, credentials.
    pub fn parse(text: &str) -> Result<Self> {
        let url = check(text)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(Error::config(format!(
                "{text:?} is not a host: give a host name like {:?} without a path",
                Self::DEFAULT_HOST
            )));
        }
        Ok(Self { url })
    }

    /// The host that a project's file names: a system of the service or this machine, since whoever wrote the file need not
    /// be whose token it is. All other names below pythonanywhere.com are sites of customers.
    ///
    /// # Errors
    /// `Config` for any other.
    pub fn named_by_file(named: &str) -> Result<Self> {
        let host = Self::parse(named)?;
        if host.is_loopback() || host.is_public_system() {
            return Ok(host);
        }
        Err(Error::config(format!(
            "host = {named:?} in pyproject.toml is not PythonAnywhere, and a file alone cannot send the API token to \
             another host: give {} {named} or set PYTHONANYWHERE_SITE if you mean it",
            Setting::Host
        )))
    }

    /// Refuses a site that a project's file names and that need not be the account's: it would be sent signed requests,
    /// files and perhaps a password. `domains` are those of the project's web apps.
    ///
    /// # Errors
    /// `Config` for any other than those, the account's own and this machine.
    pub fn check_site_named_by_file(named: &str, user: &str, domains: &[String]) -> Result<()> {
        let site = Self::parse(named)?;
        let own = ["pythonanywhere.com", "eu.pythonanywhere.com"].map(|zone| format!("{user}.{zone}"));
        let is_at = |domain: &String| domain.eq_ignore_ascii_case(site.authority());
        if site.is_loopback() || own.iter().chain(domains).any(is_at) {
            return Ok(());
        }
        Err(Error::config(format!(
            "site_url = {named:?} in pyproject.toml is neither the web app's domain nor {}, and a file may name no other \
             site: remove it, and give {} {named} if you mean it",
            own.join(" or "),
            Setting::SiteUrl
        )))
    }

    /// The URL, with its closing `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host with its port, as in `127.0.0.1:8000`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.authority()
    }

    /// Whether the server is this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.url)
    }

    /// Whether it is one of the systems of the service that everybody can use.
    #[must_use]
    pub fn is_public_system(&self) -> bool {
        let systems = [Self::DEFAULT_HOST, Self::ZONE, "eu.pythonanywhere.com", "www.eu.pythonanywhere.com"];
        self.url.host_str().is_some_and(|host| systems.contains(&host))
    }

    /// Whether it is reached over https.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(super) fn of(url: &Url) -> Self {
        let mut url = url.clone();
        url.set_path("/");
        url.set_query(None);
        url.set_fragment(None);
        Self { url }
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Parses a host or URL and applies the rules that hold for every server we talk to.
pub(super) fn check(text: &str) -> Result<Url> {
    parse(text).map_err(|why| {
        Error::config(format!(
            "{:?} is not a valid host: {why}; give a host name like {:?} or a URL like \"http://127.0.0.1:8000\"",
            without_credentials(text),
            BaseUrl::DEFAULT_HOST
        ))
    })
}

/// As [`check`], for the URL of a server that is not `PythonAnywhere`.
pub(super) fn check_url(text: &str) -> Result<Url> {
    parse(text).map_err(|why| {
        Error::config(format!(
            "{:?} is not the URL of a server: {why}; give one like \"https://panel.example.com/RPC2\"",
            without_credentials(text)
        ))
    })
}

/// The text without the part before an `@`, which may be a password.
fn without_credentials(text: &str) -> &str {
    text.rsplit('@').next().unwrap_or_default()
}

/// The URL, or the reason why the text is not valid.
fn parse(text: &str) -> Result<Url, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("it is empty".to_owned());
    }
    let with_scheme = if trimmed.contains("://") { trimmed.to_owned() } else { format!("https://{trimmed}") };
    // A URL parser would take the first segment of the path for the host and send the token there.
    if with_scheme.split_once("://").is_none_or(|(_, rest)| rest.is_empty() || rest.starts_with(['/', '\\', '?', '#']))
    {
        return Err("it contains no host name".to_owned());
    }
    let url = Url::parse(&with_scheme).map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains credentials before an '@', which must be given separately".to_owned());
    }
    check_scheme(&url)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it contains no host name".to_owned());
    }
    Ok(url)
}

fn check_scheme(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => {
            Err("plain http would send secrets unencrypted, so it is allowed only on this machine; use https"
                .to_owned())
        }
        other => Err(format!("the scheme {other:?} is neither https nor http")),
    }
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_https() {
        assert_eq!(BaseUrl::parse("eu.pythonanywhere.com").unwrap().as_str(), "https://eu.pythonanywhere.com/");
        assert_eq!(BaseUrl::parse("localhost:1/").unwrap().as_str(), "https://localhost:1/");
    }

    #[test]
    fn http_is_for_this_machine_only() {
        for good in ["http://127.0.0.1:80", "http://127.9.9.9", "http://localhost:5/", "http://[::1]:5"] {
            assert!(BaseUrl::parse(good).unwrap().is_loopback(), "{good}");
        }
        for bad in ["http://www.pythonanywhere.com", "http://127.0.0.1.evil.com", "http://[::2]", "http://localhost.x"]
        {
            assert!(BaseUrl::parse(bad).unwrap_err().to_string().contains("https"), "{bad}");
        }
    }

    #[test]
    fn a_file_names_a_system_of_the_service_or_this_machine() {
        let may = |text: &&str| BaseUrl::named_by_file(text).is_ok();
        assert!(["www.pythonanywhere.com", "EU.pythonanywhere.com:443", "http://127.0.0.1:80"].iter().all(may));
        let others = ["pythonanywhere.com.example.org", "notpythonanywhere.com", "me.pythonanywhere.com", "10.0.0.1"];
        assert!(!others.iter().any(may));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for bad in ["", " ", "ftp://x", "https://", "a b", "https://h/p", "h?q", "https://u:p@h", "h#f"] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(!BaseUrl::parse("https://u:s3cret@h").unwrap_err().to_string().contains("s3cret"));
    }
}
