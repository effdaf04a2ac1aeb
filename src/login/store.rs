//! Finding, saving and forgetting logins.

use std::fmt;
use std::path::PathBuf;

use super::keyring::{self, Operation};
use super::list::{self, Record};
use crate::client::{BaseUrl, Token};
use crate::error::{Error, Result};

/// An account that somebody logged in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its host.
    pub host: BaseUrl,
    /// Its user name.
    pub user: String,
    /// Where its token is.
    pub place: Place,
}

/// Where a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the system's keyring.
    Keyring,
    /// In the list of logins.
    File(PathBuf),
}

/// What to do while the keyring waits for a person to unlock it. `None` where there is no person: then it has three
/// seconds.
pub type Waiting<'a> = Option<&'a (dyn Fn() + Sync)>;

/// What became of a login that was to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgotten {
    /// The login.
    pub login: Login,
    /// Why its token may still be in the keyring.
    pub left: Option<String>,
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.user, self.host.authority())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyring => f.write_str("the system's keyring"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Login {
    /// Whether it is that of this host and this user, of those that are named.
    fn is_of(&self, host: Option<&BaseUrl>, user: Option<&str>) -> bool {
        host.is_none_or(|host| *host == self.host) && user.is_none_or(|user| user == self.user)
    }

    /// Its name in the keyring.
    fn account(&self) -> String {
        account(&self.host, &self.user)
    }
}

/// What the keyring calls the account of a user at a host.
fn account(host: &BaseUrl, user: &str) -> String {
    format!("{user}@{}", host.as_str().trim_end_matches('/'))
}

/// All logins, sorted by user and host. Asks no keyring.
///
/// # Errors
/// `Config` if the list of logins is not to be used; `Local` if it cannot be read.
pub fn logins() -> Result<Vec<Login>> {
    let path = list::path()?;
    let mut logins = Vec::new();
    for Record { host, user, token } in list::read(&path)? {
        let place = if token.is_some() { Place::File(path.clone()) } else { Place::Keyring };
        // Another version may know hosts that this one refuses.
        match BaseUrl::parse(&host) {
            Ok(host) => logins.push(Login { host, user, place }),
            Err(error) => log::warn!("{}: {}", path.display(), error.chain()),
        }
    }
    logins.sort_by(|one, other| (&one.user, one.host.as_str()).cmp(&(&other.user, other.host.as_str())));
    Ok(logins)
}

/// The login of `user` at `host` with its token. Where one of them is not named, it is that of the only login that fits;
/// `None` if none fits.
///
/// # Errors
/// `Config` if several fit, naming them, or if the keyring does not give the token; as for [`logins`].
pub async fn find(host: Option<&BaseUrl>, user: Option<&str>, waiting: Waiting<'_>) -> Result<Option<(Login, Token)>> {
    let mut fitting: Vec<Login> = logins()?.into_iter().filter(|login| login.is_of(host, user)).collect();
    let login = match (fitting.pop(), fitting.is_empty()) {
        (None, _) => return Ok(None),
        (Some(only), true) => only,
        (Some(last), false) => {
            fitting.push(last);
            let names: Vec<String> = fitting.iter().map(Login::to_string).collect();
            return Err(Error::config(format!(
                "you are logged in as {}: say which of them with --user NAME or --host HOST",
                names.join(", ")
            )));
        }
    };
    let token = token_of(&login, waiting).await?;
    Ok(Some((login, token)))
}

async fn token_of(login: &Login, waiting: Waiting<'_>) -> Result<Token> {
    let again = format!("log in again (\"pya login --user {} --host {}\")", login.user, login.host.authority());
    let token = match &login.place {
        Place::File(path) => {
            let records = list::read(path)?;
            let own = records.into_iter().find(|record| is_record_of(record, &login.host, &login.user));
            own.and_then(|record| record.token)
        }
        Place::Keyring => keyring::ask(&login.account(), Operation::Get, waiting).await.map_err(|why| {
            Error::config(format!("the token of {login} is in the system's keyring, which did not give it: {why}. Unlock it and try again, or {again}"))
        })?,
    };
    let Some(token) = token else {
        return Err(Error::config(format!("the token of {login} is no longer in {}: {again}", login.place)));
    };
    Token::new(&token).map_err(|error| Error::config(format!("{}: {again}", error.chain())))
}

/// Saves the token of `user` at `host`: in the keyring if one answers, else in the list. Also says why no keyring has it.
///
/// # Errors
/// `Config` if there is a list that is not to be used; `Local` if it cannot be written.
pub async fn save(host: &BaseUrl, user: &str, token: &Token, waiting: Waiting<'_>) -> Result<(Login, Option<String>)> {
    let path = list::path()?;
    // One that is refused is not to be found out when the token is in the keyring already.
    list::read(&path)?;
    let account = account(host, user);
    let silence = match keyring::ask(&account, Operation::Probe, None).await {
        // It is there, and may take as long as a person needs to unlock it.
        Ok(_) => keyring::ask(&account, Operation::Set(token.text().to_owned()), waiting).await.err(),
        Err(why) => Some(why),
    };
    let in_file = silence.is_some().then(|| token.text().to_owned());
    let place = if in_file.is_some() { Place::File(path.clone()) } else { Place::Keyring };
    let added = Record { host: host.as_str().to_owned(), user: user.to_owned(), token: in_file };
    list::change(&path, |records| {
        records.retain(|record| !is_record_of(record, host, user));
        records.push(added);
    })
    .await?;
    Ok((Login { host: host.clone(), user: user.to_owned(), place }, silence))
}

/// Forgets a login, and removes its token from where it is.
///
/// # Errors
/// As for [`save`]. A keyring that does not answer is none: then the token may still be there.
pub async fn forget(login: &Login, waiting: Waiting<'_>) -> Result<Forgotten> {
    let left = match login.place {
        Place::Keyring => keyring::ask(&login.account(), Operation::Delete, waiting).await.err(),
        Place::File(_) => None,
    };
    list::change(&list::path()?, |records| {
        records.retain(|record| !is_record_of(record, &login.host, &login.user));
    })
    .await?;
    Ok(Forgotten { login: login.clone(), left })
}

fn is_record_of(record: &Record, host: &BaseUrl, user: &str) -> bool {
    record.user == user && record.host == host.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_of_one_user_at_one_host() {
        let host = |text: &str| BaseUrl::parse(text).unwrap();
        let login = Login { host: host("eu.pythonanywhere.com"), user: "ada".into(), place: Place::Keyring };
        let (own, other) = (host("https://eu.pythonanywhere.com/"), host("www.pythonanywhere.com"));
        assert!(login.is_of(None, None) && login.is_of(Some(&own), None) && login.is_of(Some(&own), Some("ada")));
        assert!(!login.is_of(Some(&other), Some("ada")) && !login.is_of(Some(&own), Some("Ada")));
        assert!(!login.is_of(None, Some("bob")) && !login.is_of(Some(&other), None));
        assert_eq!(login.account(), "ada@https://eu.pythonanywhere.com");
    }
}
