//! `pya logout`: forget the API token that `pya login` kept.

use serde_json::{Value, json};

use crate::cli::account::{NamedAccount, keyring_notice};
use crate::cli::args::Logout;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::error::{Error, Result};
use crate::login::{self, Login};

pub async fn run(args: &Logout, context: &Context) -> Result<Exit> {
    let output = &context.output;
    let named = if args.all { NamedAccount::default() } else { context.settings()?.named()? };
    let logins = named.logins()?;
    if logins.len() > 1 && !args.all {
        return Err(which_of(&logins));
    }
    let left = forget(&logins, output).await?;
    if logins.is_empty() {
        output.say("not logged in");
    }
    let lines: Vec<String> = logins.iter().map(|login| format!("logged out: {login}")).collect();
    let forgotten: Vec<Value> = logins.iter().map(document).collect();
    output.answer(&lines.join("\n"), &json!({ "forgotten": forgotten, "warnings": left }));
    output.warn_all(&left);
    Ok(if left.is_empty() { Exit::Ok } else { Exit::Failed })
}

/// Forgets logins, and returns what is left of them.
async fn forget(logins: &[Login], output: &Output) -> Result<Vec<String>> {
    let notice = keyring_notice(output);
    let mut left = Vec::new();
    for login in logins {
        let why = login::forget(login, notice.as_ref().map(|say| say as _)).await?.left;
        left.extend(why.map(|why| format!("the token of {login} may still be in the system's keyring: {why}")));
    }
    Ok(left)
}

fn document(login: &Login) -> Value {
    json!({ "user": login.user, "host": login.host.as_str() })
}

fn which_of(logins: &[Login]) -> Error {
    let names = logins.iter().map(Login::to_string).collect::<Vec<_>>().join(", ");
    Error::config(format!(
        "you are logged in as {names}: say which of them with --user NAME or --host HOST, or give --all"
    ))
}
