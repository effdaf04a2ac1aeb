//! The environment variables of a web app, which may be passwords.
//!
//! They are one file on the host, outside of every project, in a folder that only the account may enter. The agent makes
//! and changes it, since what the API makes can be read by everybody on the machine; so there are none without an agent. It
//! is read through the API, which needs the token: no receipt and no answer of a site has a value in it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::maintenance::carry_out;
use crate::api::{checked_domain, if_there};
use crate::client::{Client, RemotePath};
use crate::deploy::plan::executor::{ExecutorChoice, ExecutorOptions};
use crate::deploy::project::Project;
use crate::error::{Error, Result};
use crate::host::{Operation, Variables};
use crate::setting::Setting;

/// The longest file, in bytes: each command gets all of it with its environment.
const MOST_BYTES: usize = 64 << 10;

/// A change of the variables of a web app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct VariablesResult {
    /// The names of all that there are now, sorted.
    pub names: Vec<String>,
    /// Whether anything is different now.
    pub changed: bool,
    /// Whether these are the ones that the web app was loaded with.
    pub loaded: bool,
}

/// The file with the variables of the web app of `domain`.
///
/// # Errors
/// `Config` for an invalid domain.
pub fn file(user: &str, domain: &str) -> Result<RemotePath> {
    let domain = checked_domain(domain)?.to_lowercase();
    RemotePath::home(user)?.join(&format!(".pya/variables-{domain}/variables.json"))
}

/// The variables of the web app of `domain`, with their values. Sends one request.
///
/// # Errors
/// As the service answers; `Job` if the file is damaged.
pub async fn list(client: &Client, domain: &str) -> Result<BTreeMap<String, String>> {
    let file = file(client.user(), domain)?;
    let answer = client.read_file_at_most(&file, 2 * MOST_BYTES).await;
    let Some(content) = if_there(answer)? else { return Ok(BTreeMap::new()) };
    // The cause may quote a value.
    serde_json::from_slice(&content)
        .map_err(|_| Error::job(format!("{file} is damaged: it is not a JSON object of texts")))
}

/// Sets variables of the web app of `executors`, removes others, and leaves the rest as they are. The web app has them
/// once it is reloaded.
///
/// # Errors
/// `Config` without an agent, or where there would be more than 64 KiB of them; as the service answers.
pub async fn change(
    project: &Project,
    executors: &ExecutorOptions,
    set: &Variables,
    unset: &BTreeSet<String>,
) -> Result<VariablesResult> {
    let domain = domain_of(executors)?;
    check(executors.choice, set)?;
    let executors =
        ExecutorOptions { choice: ExecutorChoice::Webapp, domain: Some(domain.clone()), ..executors.clone() };
    let executor = executors.for_job(&project.client, "variables of a web app are kept by its agent").await?;
    let operation = Operation::Variables {
        domain: domain.to_lowercase(),
        set: set.names().map(str::to_owned).collect(),
        unset: unset.clone(),
    };
    carry_out(project, &executors, &executor, operation, set.clone()).await
}

fn domain_of(executors: &ExecutorOptions) -> Result<String> {
    let missing = || Error::config(format!("which web app's variables? Give the domain ({})", Setting::Domain));
    executors.domain.clone().ok_or_else(missing)
}

/// Refuses more variables than fit, and executors that do not keep any.
fn check(choice: ExecutorChoice, set: &Variables) -> Result<()> {
    if set.to_text().len() > MOST_BYTES {
        return Err(Error::config("the variables are longer than 64 KiB: put long texts in files"));
    }
    if !matches!(choice, ExecutorChoice::Auto | ExecutorChoice::Webapp) {
        return Err(Error::config("variables of a web app are kept by its agent only: choose no other executor"));
    }
    Ok(())
}
