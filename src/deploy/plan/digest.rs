//! A digest of what a deploy would do, by which a plan that was shown to somebody is told from any other.
//!
//! It is of the facts that decide what is done: the account, the project's two folders, what is sent with its content, the
//! actions in their order, the options, and the notes on the host that the plan builds on. So it differs if a local file,
//! the host or an option has changed. What somebody changed on the host by hand is in no note, and so not in the digest.

use serde_json::{Value, json};

use super::options::DeployOptions;
use super::planner::ResolvedPlan;
use super::sources::Upload;
use super::strategy::Forecast;
use crate::deploy::diff::model::DeployDiff;
use crate::error::Result;

/// The digest of what a deploy of `diff` with these options would do, as `forecast` says; 64 hexadecimal digits.
///
/// # Errors
/// `Config` for options that the diff does not allow.
pub fn plan_digest(diff: &DeployDiff, options: &DeployOptions, forecast: &Forecast) -> Result<String> {
    let (base, work) = (&diff.base, ResolvedPlan::of(diff, options)?);
    let uploads: Vec<Value> = work.uploads.iter().map(upload_facts).collect();
    let (steps, executors) = (&options.steps, &options.executors);
    let facts = json!({
        "account": [base.host, base.user],
        "folders": [base.local_root.to_string_lossy(), base.remote_root.as_str()],
        "notes": [base.generation, base.deploy, base.intent_ids().collect::<Vec<_>>(), base.running, base.set_aside],
        "uploads": uploads,
        "actions": forecast.plan.actions,
        "executor": [forecast.executor, executors.choice.as_str()],
        "executor_options": [executors.console, executors.domain, executors.site_url, executors.allow_tasks],
        "switches": [options.delete, options.delete_unmanaged, options.force, options.keep_owed_reloads],
        "reload": options.reload,
        "include": options.include,
        "steps": [steps.names().collect::<Vec<_>>(), steps.requirements, steps.manage, steps.settings],
        "health": [json!(options.health), json!(options.rollback_on_failure)],
    });
    Ok(crate::digest::sha256(facts.to_string()))
}

fn upload_facts(upload: &Upload) -> Value {
    json!([upload.path, upload.sha256, upload.size, upload.mode, upload.replaces])
}
