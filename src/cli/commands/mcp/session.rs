//! A session: stdin to stdout, and the calls that are at work meanwhile.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{FuturesUnordered, StreamExt};
use rmcp::ServiceExt;
use rmcp::service::{RoleServer, RunningService};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::calls::Desk;
use super::input::Input;
use super::server::Server;
use crate::cli::args::Mcp;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::error::{Error, Result};

/// So many calls wait to be begun; more than a client makes at a time.
const QUEUE: usize = 16;

/// How long the last answers may take to be written once stdin has ended. Whoever closed it may not read them.
const LAST_ANSWERS: Duration = Duration::from_millis(500);

/// Serves until stdin ends. Dropping the future ends it as well, with all that is at work.
pub async fn run(args: &Mcp, context: &Context) -> Result<Exit> {
    if context.output.is_json() {
        return Err(Error::config("--json cannot be combined with mcp: stdout belongs to the protocol"));
    }
    let context = &context_in(args.root.as_deref(), context)?;
    if std::io::stdin().is_terminal() {
        context.output.say("waiting for a program that speaks the Model Context Protocol; Ctrl-D ends it");
    }
    let ended = CancellationToken::new();
    let (calls, mut asked) = mpsc::channel(QUEUE);
    let server = Server { allow_deploy: args.allow_deploy, calls };
    let Some(service) = begin(server, &ended).await? else { return Ok(Exit::Ok) };
    let stopped = service.waiting().fuse();
    tokio::pin!(stopped);
    let desk = Desk::new(context);
    let mut working = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(call) = asked.recv() => working.push(Box::pin(desk.serve(call))),
            Some(()) = working.next() => {}
            () = ended.cancelled() => break,
            _ = &mut stopped => return Ok(Exit::Ok),
        }
    }
    // What is at work ends here; what was answered may still have to be written.
    drop(working);
    drop(asked);
    if tokio::time::timeout(LAST_ANSWERS, stopped).await.is_err() {
        log::info!("the last answers were not read");
    }
    Ok(Exit::Ok)
}

/// Begins a session; `None` if stdin ended before it did.
async fn begin(server: Server, ended: &CancellationToken) -> Result<Option<RunningService<RoleServer, Server>>> {
    let input = Input { source: tokio::io::stdin(), ended: ended.clone() };
    match server.serve((input, tokio::io::stdout())).await {
        Ok(service) => Ok(Some(service)),
        Err(_) if ended.is_cancelled() => Ok(None),
        Err(error) => {
            // It quotes messages in the form of this program's own types.
            log::debug!("{error}");
            Err(Error::config("what came on stdin does not begin a session of the Model Context Protocol"))
        }
    }
}

/// The context of a command that was started in `root`. All tools share what it says, the working folder with it.
fn context_in(root: Option<&Path>, context: &Context) -> Result<Context> {
    let mut global = context.global.clone();
    if let Some(root) = root {
        let failed = |source| Error::Local { path: root.to_owned(), source };
        global.token_file = global.token_file.map(std::path::absolute).transpose().map_err(failed)?;
        std::env::set_current_dir(root).map_err(failed)?;
    }
    Ok(Context::new(global, context.python.clone()))
}
