//! The system's keyring: the Secret Service of Linux desktops, the keychain of macOS, the credential manager of Windows.
//!
//! A keyring that is there answers at once. One that has to be unlocked first asks its owner, who takes as long as they
//! take; on a server there may be none, or one that waits for a person who is not there. So whoever asks goes on after
//! [`ANSWERS_WITHIN`], or, where somebody is at the terminal, is told to look for the question and waits for
//! [`PERSON_WITHIN`].

use std::time::Duration;

use tokio::time::timeout;

use self::system::carry_out;

/// How long a keyring may take that nobody has to unlock.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// How long a person may take to unlock it.
pub(super) const PERSON_WITHIN: Duration = Duration::from_secs(120);

/// The variable that keeps tokens out of it, with the value `off`.
const SWITCH: &str = "PYA_KEYRING";

/// The name of the entries in the keyring; their user names are those of accounts with their hosts.
const SERVICE: &str = "pythonanywhere-api";

/// What is done with an entry.
#[derive(Clone)]
pub(super) enum Operation {
    /// Nothing: whether it answers. No person is asked for it.
    Probe,
    Get,
    Set(String),
    Delete,
}

/// Has the keyring do something with the entry of `account`; a token if it was asked for and is there. While a person may
/// be needed, `notice` is called once after [`ANSWERS_WITHIN`].
///
/// # Errors
/// Why it did not, in words.
pub(super) async fn ask(
    account: &str,
    operation: Operation,
    notice: Option<&(dyn Fn() + Sync)>,
) -> Result<Option<String>, String> {
    if std::env::var_os(SWITCH).is_some_and(|value| value == "off") {
        return Err(format!("{SWITCH} is off"));
    }
    let mut answer = Box::pin(carry_out(account.to_owned(), operation));
    if let Ok(answer) = timeout(ANSWERS_WITHIN, &mut answer).await {
        return answer;
    }
    let Some(notice) = notice else { return Err(late(ANSWERS_WITHIN)) };
    notice();
    timeout(PERSON_WITHIN, answer).await.unwrap_or_else(|_| Err(late(PERSON_WITHIN)))
}

fn late(limit: Duration) -> String {
    format!("it did not answer within {} s", limit.as_secs())
}

/// Over the session bus. Secrets cross it as they are: it is the user's own, and whoever could read along there could ask
/// the keyring as well.
#[cfg(target_os = "linux")]
mod system {
    use std::collections::HashMap;

    use secret_service::{EncryptionType, Error, Item, SecretService};

    use super::{Operation, SERVICE};

    pub(super) async fn carry_out(account: String, operation: Operation) -> Result<Option<String>, String> {
        attempt(&account, &operation).await.map_err(|error| crate::error::chain(&error))?
    }

    async fn attempt(account: &str, operation: &Operation) -> Result<Result<Option<String>, String>, Error> {
        let service = SecretService::connect(EncryptionType::Plain).await?;
        let found = service.search_items(attributes(account)).await?;
        let items: Vec<Item<'_>> = found.unlocked.into_iter().chain(found.locked).collect();
        match operation {
            Operation::Probe => {}
            Operation::Get => return get(items.first()).await,
            Operation::Set(token) => set(&service, account, token).await?,
            Operation::Delete => {
                for item in &items {
                    unlock(item).await?;
                    item.delete().await?;
                }
            }
        }
        Ok(Ok(None))
    }

    /// As Python's `keyring` names them, which can show and delete entries too.
    fn attributes(account: &str) -> HashMap<&str, &str> {
        HashMap::from([("service", SERVICE), ("username", account)])
    }

    async fn get(item: Option<&Item<'_>>) -> Result<Result<Option<String>, String>, Error> {
        let Some(item) = item else { return Ok(Ok(None)) };
        unlock(item).await?;
        let secret = String::from_utf8(item.get_secret().await?);
        Ok(secret.map(Some).map_err(|_| "what it has is not a token".to_owned()))
    }

    async fn set(service: &SecretService<'_>, account: &str, token: &str) -> Result<(), Error> {
        let collection = match service.get_default_collection().await {
            Err(Error::NoResult) => service.get_any_collection().await?,
            collection => collection?,
        };
        if collection.is_locked().await? {
            collection.unlock().await?;
        }
        let label = format!("PythonAnywhere API token of {account}");
        collection.create_item(&label, attributes(account), token.as_bytes(), true, "text/plain").await?;
        Ok(())
    }

    async fn unlock(item: &Item<'_>) -> Result<(), Error> {
        if item.is_locked().await? { item.unlock().await } else { Ok(()) }
    }
}

/// Through the system's own library, which blocks.
#[cfg(any(target_os = "macos", windows))]
mod system {
    use std::collections::HashMap;

    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};
    use tokio::sync::oneshot;

    use super::{Operation, SERVICE};

    pub(super) async fn carry_out(account: String, operation: Operation) -> Result<Option<String>, String> {
        let (sender, receiver) = oneshot::channel();
        // Not on a thread of the runtime, which would wait for it at the end.
        let work = move || {
            // Whoever asked may be gone.
            let _ = sender.send(attempt(&account, &operation).map_err(|error| crate::error::chain(&error)));
        };
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(work);
        thread.map_err(|error| format!("no thread could be started for it: {error}"))?;
        receiver.await.unwrap_or_else(|_| Err("it failed".to_owned()))
    }

    fn attempt(account: &str, operation: &Operation) -> Result<Option<String>, Error> {
        let entry = entry(account)?;
        let outcome = match operation {
            Operation::Probe => Ok(None),
            Operation::Get => entry.get_password().map(Some),
            Operation::Set(token) => entry.set_password(token).map(|()| None),
            Operation::Delete => entry.delete_credential().map(|()| None),
        };
        match outcome {
            Err(Error::NoEntry) => Ok(None),
            outcome => outcome,
        }
    }

    #[cfg(target_os = "macos")]
    fn entry(account: &str) -> Result<Entry, Error> {
        apple_native_keyring_store::keychain::Store::new()?.build(SERVICE, account, Some(&HashMap::new()))
    }

    #[cfg(windows)]
    fn entry(account: &str) -> Result<Entry, Error> {
        windows_native_keyring_store::Store::new()?.build(SERVICE, account, Some(&HashMap::new()))
    }
}

/// Other systems have none that is known here.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod system {
    use super::Operation;

    pub(super) async fn carry_out(_account: String, _operation: Operation) -> Result<Option<String>, String> {
        Err("this system has no keyring that is known here".to_owned())
    }
}
