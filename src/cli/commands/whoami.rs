//! `pya whoami`: the account that commands work with here, where its token comes from, and whether that is accepted.

use serde_json::json;

use super::login::other_account;
use crate::cli::account::Account;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::error::{Error, Result};
use crate::login::{self, Attempt};

pub async fn run(context: &Context) -> Result<Exit> {
    let (settings, output) = (context.settings()?, &context.output);
    let account = settings.account()?;
    let Account { host, user, token, source } = &account;
    match login::attempt(std::slice::from_ref(host), user, token, &settings.options()?).await? {
        Attempt::Accepted(_) => {
            print_account(&account, settings.environment_name(), output);
            Ok(Exit::Ok)
        }
        Attempt::OtherAccount(host, error) => {
            let message = format!("{} (it comes from {source})", other_account(user, &host));
            Ok(refuse(&message, &error, output))
        }
        Attempt::Unknown(error) => {
            let message = format!("{} does not accept the token of {source}: {}", host.authority(), error.chain());
            Ok(refuse(&message, &error, output))
        }
    }
}

fn print_account(Account { host, user, source, .. }: &Account, environment: Option<&str>, output: &Output) {
    let document = json!({
        "user": user,
        "host": host.as_str(),
        "token": source.as_str(),
        "environment": environment,
    });
    output.answer(&format!("{user} at {}, with the token of {source}", host.authority()), &document);
}

/// Says why the token is of no use.
fn refuse(message: &str, error: &Error, output: &Output) -> Exit {
    output.failure(message);
    output.refuse(&format!("{:?}", error.kind()), message);
    Exit::of(error)
}
