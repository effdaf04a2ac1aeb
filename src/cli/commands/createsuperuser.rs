//! `pya createsuperuser`: a superuser for Django's admin.
//!
//! Django takes what it would ask for from variables of the environment, and these are what the host gets for this one
//! command: a file that the API writes and the runner deletes as soon as it has read it. So the password is in no command
//! line, receipt or history.

use super::command::{manage_py, perform, print_outcome};
use super::project::{executors, remote, variables};
use crate::cli::args::Createsuperuser;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::prompt;
use crate::error::{Error, Result};
use crate::host::Variables;

const USERNAME: &str = "DJANGO_SUPERUSER_USERNAME";
pub const EMAIL: &str = "DJANGO_SUPERUSER_EMAIL";
const PASSWORD: &str = "DJANGO_SUPERUSER_PASSWORD";

pub async fn run(args: &Createsuperuser, context: &Context) -> Result<Exit> {
    let (settings, project) = remote(args.remote_root.as_deref(), context)?;
    let executors = executors(&args.executors, &settings);
    let given = variables(&args.set_env)?;
    let output = &context.output;
    let username =
        asked(args.username.as_deref(), USERNAME, "--username NAME", "Username of the superuser:", output).await?;
    let email = asked(args.email.as_deref(), EMAIL, "--email ADDRESS", "Email address:", output).await?;
    let password = password(output).await?;
    let own = [(USERNAME, username), (EMAIL, email), (PASSWORD, password)];
    let variables = Variables::new(own.map(|(name, value)| (name.to_owned(), value)))?.with(&given);
    let words = ["createsuperuser", "--noinput"].map(str::to_owned);
    let what = manage_py(words.to_vec(), args.settings.as_ref(), &settings);
    let outcome = perform(&project, &executors, what, &variables).await?;
    Ok(print_outcome(&outcome, context))
}

/// What was typed, else the variable, else the answer to a question.
async fn asked(given: Option<&str>, variable: &str, option: &str, question: &str, output: &Output) -> Result<String> {
    if let Some(given) = given.map(str::to_owned).or_else(|| in_environment(variable)) {
        return Ok(given);
    }
    if !prompt::is_possible() {
        return Err(Error::config(format!("without a terminal to ask at, give {option} or set {variable}")));
    }
    Ok(prompt::line(output, question).await?.trim().to_owned())
}

/// The password: that of the variable, else the answer to a question.
///
/// # Errors
/// `Config` without an answer, or a terminal to ask at.
pub(super) async fn password(output: &Output) -> Result<String> {
    if let Some(password) = in_environment(PASSWORD) {
        return Ok(password);
    }
    if !prompt::is_possible() {
        return Err(Error::config(format!("without a terminal to ask at, set {PASSWORD}")));
    }
    loop {
        let password = prompt::hidden(output, "Password (not shown):").await?;
        if password.is_empty() {
            return Err(Error::config("no password was given, so no superuser was made"));
        }
        if prompt::hidden(output, "Password again:").await? == password {
            return Ok(password);
        }
        output.say("The passwords differ: once more.");
    }
}

/// The value of a variable here, if it is not empty.
pub(super) fn in_environment(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
