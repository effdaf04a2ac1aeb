//! `pya logout`: forget the API token that `pya login` kept.

use serde_json::json;

use crate::cli::account::NamedAccount;
use crate::cli::args::Logout;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::prompt;
use crate::error::{Error, Result};
use crate::login::{self, Login};

pub async fn run(args: &Logout, context: &Context) -> Result<Exit> {
    let output = &context.output;
    let named = if args.all { NamedAccount::default() } else { context.settings()?.named()? };
    let logins = named.logins()?;
    if logins.len() > 1 && !args.all {
        return Err(which_of(&logins));
    }
    let notice = || output.say("waiting for the system's keyring, which may ask you to unlock it");
    let waiting: login::Waiting<'_> = if prompt::is_possible() { Some(&notice) } else { None };
    let (mut forgotten, mut lines, mut left) = (Vec::new(), Vec::new(), Vec::new());
    for login in &logins {
        let outcome = login::forget(login, waiting).await?;
        lines.push(format!("logged out: {login}"));
        forgotten.push(json!({ "user": login.user, "host": login.host.as_str() }));
        left.extend(
            outcome.left.map(|why| format!("the token of {login} may still be in the system's keyring: {why}")),
        );
    }
    if lines.is_empty() {
        output.say("not logged in");
    }
    output.answer(&lines.join("\n"), &json!({ "forgotten": forgotten, "warnings": left }));
    output.warn_all(&left);
    Ok(if left.is_empty() { Exit::Ok } else { Exit::Failed })
}

fn which_of(logins: &[Login]) -> Error {
    let names: Vec<String> = logins.iter().map(Login::to_string).collect();
    Error::config(format!(
        "you are logged in as {}: say which of them with --user NAME or --host HOST, or give --all",
        names.join(", ")
    ))
}
