//! Maps a parsed command to the function that runs it.

use super::{
    agent, api, cat, command, completions, createsuperuser, demo, deploy, diff, doctor, endpoint, env, get, history,
    init, launch, login, logout, logs, ls, man, mcp, open, pull, put, reload, rm, rollback, status, verify, webfaction,
    whoami,
};
use crate::cli::args::Command;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::{Error, Result};

/// Runs `command`.
///
/// # Errors
/// Whatever ended it.
pub async fn run(command: Command, context: &Context) -> Result<Exit> {
    match command {
        Command::Ls(args) => ls::run(&args, context).await,
        Command::Cat(args) => cat::run(&args, context).await,
        Command::Get(args) => get::run(&args, context).await,
        Command::Put(args) => put::run(&args, context).await,
        Command::Rm(args) => rm::run(&args, context).await,
        Command::Reload(args) => reload::run(&args, context).await,
        Command::Launch(args) => launch::run(&args, context).await,
        Command::Init(args) => init::run(&args, context),
        Command::Login => login::run(context).await,
        Command::Logout(args) => logout::run(&args, context).await,
        Command::Whoami => whoami::run(context).await,
        Command::Status(args) => status::run(&args, context).await,
        Command::Open(args) => open::run(&args, context).await,
        Command::Createsuperuser(args) => createsuperuser::run(&args, context).await,
        Command::Demo(args) => demo::run(&args, context).await,
        Command::Diff(args) => diff::run(&args, context).await,
        Command::Doctor(args) => doctor::run(&args, context).await,
        Command::Deploy(args) => deploy::run(&args, context).await,
        Command::Agent(args) => agent::run(&args, context).await,
        Command::Env(args) => env::run(&args, context).await,
        Command::Manage(args) => command::manage(&args, context).await,
        Command::Run(args) => command::run(&args, context).await,
        Command::Verify(args) => verify::run(&args, context).await,
        Command::Rollback(args) => rollback::run(&args, context).await,
        Command::History(args) => history::run(&args, context).await,
        Command::Pull(args) => pull::run(&args, context).await,
        Command::Logs(args) => logs::run(&args, context).await,
        Command::Mcp(args) => mcp::run(&args, context).await,
        Command::Api(args) => api::run(&args, context).await,
        Command::Endpoint(command) => endpoint::run(&command, context).await,
        Command::Webfaction(args) => webfaction::run(&args, context).await,
        Command::Completions(args) => Ok(completions::run(&args, context)),
        Command::Man => man::run(context),
        // `run_command` handles it, because it waits for the signals itself.
        Command::Emulator(_) => Err(Error::Closed),
    }
}
