//! From a call to its answer.

use std::time::Duration;

use rmcp::model::{CallToolResult, ContentBlock, JsonObject};
use serde_json::Value;

use super::answer::{Answer, failed, given};
use super::arguments::parsed;
use super::deploys::Deploys;
use super::reads;
use super::server::Call;
use super::tools::Kind;
use super::untrusted::Veil;
use crate::cleanup;
use crate::cli::context::Context;
use crate::error::Result;

/// Time that a cancelled call has to end what it started on the host.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Performs the calls of a session.
pub struct Desk<'a> {
    context: &'a Context,
    deploys: Deploys,
}

impl<'a> Desk<'a> {
    /// One without any plan.
    pub fn new(context: &'a Context) -> Self {
        Self { context, deploys: Deploys::default() }
    }

    /// Performs a call and answers it, unless it is cancelled.
    pub async fn serve(&self, call: Call) {
        let Call { kind, arguments, cancelled, answer } = call;
        let Ok(veil) = Veil::new(self.context) else { return drop(answer.send(unveiled())) };
        let outcome = tokio::select! {
            outcome = self.perform(kind, arguments, &veil) => Some(outcome),
            () = cancelled.cancelled() => None,
        };
        match outcome {
            // An error means that nobody waits for it any more.
            Some(outcome) => drop(answer.send(result(outcome, &veil))),
            None => cleanup::run_pending(CLEANUP_TIMEOUT).await,
        }
    }

    async fn perform(&self, kind: Kind, arguments: JsonObject, veil: &Veil) -> Result<Answer> {
        let (context, arguments) = (self.context, Value::Object(arguments));
        match kind {
            Kind::Status => reads::status(parsed(arguments)?, context).await,
            Kind::Diff => reads::diff(parsed(arguments)?, context).await,
            Kind::Forecast => reads::forecast(parsed(arguments)?, context).await,
            Kind::Verify => reads::verify(parsed(arguments)?, context).await,
            Kind::History => reads::history(parsed(arguments)?, context).await,
            Kind::Doctor => reads::doctor(parsed(arguments)?, context).await,
            Kind::Logs => reads::logs(parsed(arguments)?, context, veil).await,
            Kind::Ls => reads::ls(parsed(arguments)?, context).await,
            Kind::Cat => reads::cat(parsed(arguments)?, context, veil).await,
            Kind::PlanDeploy => self.deploys.plan(parsed(arguments)?, context).await,
            Kind::ApplyDeploy => self.deploys.apply(&parsed(arguments)?, context, veil).await,
        }
    }
}

fn result(outcome: Result<Answer>, veil: &Veil) -> CallToolResult {
    let result = outcome.map_or_else(|error| failed(&error, veil), |answer| given(answer, veil));
    result.unwrap_or_else(|error| CallToolResult::error(vec![ContentBlock::text(error.to_string())]))
}

/// The answer where nothing could be masked. The reason is not in it: it may quote the table, and a token in that.
fn unveiled() -> CallToolResult {
    let text = "Config:\nnothing was done: the settings or the token cannot be read, so no secret could be kept out of the \
                answer; \"pya doctor\" in a terminal tells why";
    CallToolResult::error(vec![ContentBlock::text(text)])
}
