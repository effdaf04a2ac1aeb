//! `pya login`: keep an API token on this machine.
//!
//! The token is tried before it is kept: one that was cut off while it was copied, or that belongs to another account, is
//! found out now and not by the first deploy.

use serde_json::{Value, json};

use crate::cli::account::{NamedAccount, keyring_notice};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::prompt;
use crate::cli::settings::{Settings, bare_token, read_token};
use crate::client::{BaseUrl, Environment, Token};
use crate::error::{Error, Result};
use crate::login::{self, Attempt, Login, Place};

/// Where accounts are: the token of one is not known at the other.
const SYSTEMS: [&str; 2] = [BaseUrl::DEFAULT_HOST, "eu.pythonanywhere.com"];

pub async fn run(context: &Context) -> Result<Exit> {
    let settings = context.settings()?;
    let NamedAccount { host, user } = settings.named()?;
    let user = match user {
        Some(user) => user,
        None => asked_user(context).await?,
    };
    let hosts = host.map_or_else(all_systems, |host| Ok(vec![host]))?;
    let token = asked_token(&user, &hosts, context).await?;
    let output = &context.output;
    match login::attempt(&hosts, &user, &token, &settings.options()?).await? {
        Attempt::Accepted(host) => keep(&host, &user, &token, &settings, context).await,
        Attempt::OtherAccount(host, error) => Ok(refuse(&other_account(&user, &host), &error, output)),
        Attempt::Unknown(error) => Ok(refuse(&not_accepted(&hosts), &error, output)),
    }
}

fn all_systems() -> Result<Vec<BaseUrl>> {
    SYSTEMS.iter().map(|name| BaseUrl::parse(name)).collect()
}

/// What is said where no host takes the token.
fn not_accepted(hosts: &[BaseUrl]) -> String {
    let names = hosts.iter().map(BaseUrl::authority).collect::<Vec<_>>().join(" and ");
    format!("this token is not accepted by {names}: copy it once more from the Account page, tab 'API Token'")
}

async fn keep(host: &BaseUrl, user: &str, token: &Token, settings: &Settings<'_>, context: &Context) -> Result<Exit> {
    let output = &context.output;
    let notice = keyring_notice(output);
    let (login, silence) = login::save(host, user, token, notice.as_ref().map(|say| say as _)).await?;
    output.answer(&format!("logged in as {login}; the token is in {}", login.place), &document(&login));
    if let Some(why) = silence {
        output.say(&format!("no keyring of the system has it: {why}. Nobody else can read the file"));
    }
    if settings.has_token_in_environment() {
        output.warn(&format!("{} is set here, and is used before what is kept", Environment::TOKEN));
    }
    Ok(Exit::Ok)
}

/// A login as the document of `--json` has it.
fn document(login: &Login) -> Value {
    let path = match &login.place {
        Place::Keyring => None,
        Place::File(path) => Some(path.display().to_string()),
    };
    json!({
        "user": login.user,
        "host": login.host.as_str(),
        "place": if path.is_some() { "file" } else { "keyring" },
        "path": path,
    })
}

async fn asked_user(context: &Context) -> Result<String> {
    if !prompt::is_possible() {
        return Err(Error::config("the user name is missing: without a terminal to ask at, give --user NAME"));
    }
    let user = prompt::line(&context.output, "User name at PythonAnywhere:").await?;
    let user = user.trim();
    if user.is_empty() { Err(Error::config("no user name was given")) } else { Ok(user.to_owned()) }
}

/// The token: of `--token-file`, else typed in answer to a question, else a line of stdin.
async fn asked_token(user: &str, hosts: &[BaseUrl], context: &Context) -> Result<Token> {
    let text = match &context.global.token_file {
        Some(path) => read_token(path)?,
        None if prompt::is_possible() => {
            let page = account_page(user, hosts);
            context.output.say(&format!("The API token is on the Account page, tab 'API Token': {page}"));
            prompt::hidden(&context.output, &format!("API token of {user} (not shown):")).await?
        }
        None => prompt::piped().await?,
    };
    Token::new(bare_token(&text))
}

/// Where the token is shown.
fn account_page(user: &str, hosts: &[BaseUrl]) -> String {
    match hosts {
        [host] => format!("{host}user/{user}/account/#api_token"),
        _ => format!("https://{}/user/{user}/account/#api_token", BaseUrl::DEFAULT_HOST),
    }
}

/// What is said where a host takes the token, but not for this user.
pub fn other_account(user: &str, host: &BaseUrl) -> String {
    format!(
        "the token belongs to another account than {user}: {} knows it, and refuses it for this user. Check the user name, \
         which is part of the addresses of your pages there, or take the token from the Account page of {user}",
        host.authority()
    )
}

/// Says why nothing was kept.
fn refuse(message: &str, error: &Error, output: &Output) -> Exit {
    output.failure(&format!("{message}. Nothing was kept"));
    output.refuse(&format!("{:?}", error.kind()), message);
    Exit::of(error)
}
