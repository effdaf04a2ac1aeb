//! A deploy in two steps: a plan with its digest, and carrying out just that.
//!
//! A person sees the plan between the two, and what happens then is what was seen: the plan is made again, and must have the
//! same digest. What a deploy of the command line may do and this one never does is refused in the plan, not left to the
//! options alone: a configuration may delete, or send what is protected.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::answer::Answer;
use super::arguments::{OfApply, OfPlan};
use super::reads::{Cut, cost};
use super::untrusted::Veil;
use crate::cli::args::Deploy;
use crate::cli::budget::keeping_budget;
use crate::cli::commands::deploy::options;
use crate::cli::commands::project::{Prepared, destination};
use crate::cli::context::Context;
use crate::deploy::{
    Action, DeployDiff, DeployOptions, DeployReport, Forecast, Plan, Protection, Recorder, SelectOptions, StepReport,
    plan_digest,
};
use crate::error::{Error, Result};
use crate::locks::lock;
use crate::text::{cut, first_few};

/// How many lines of a log are shown, and how many bytes of what a command printed.
const MOST_LINES: usize = 100;
const MOST_OUTPUT: usize = 8 << 10;

/// The deploys of a session.
#[derive(Default)]
pub struct Deploys {
    /// The last plan that was given out and not carried out.
    planned: Mutex<Option<Planned>>,
}

struct Planned {
    digest: String,
    asked: OfPlan,
}

/// A deploy that could begin.
struct Ready<'a> {
    prepared: Prepared<'a>,
    diff: DeployDiff,
    options: DeployOptions,
    forecast: Forecast,
    digest: String,
}

impl Deploys {
    /// Plans, and remembers the plan in place of the last one.
    ///
    /// # Errors
    /// `Held` if another deploy is under way; `Config` if the deploy would be refused; whatever kept it from being planned.
    pub async fn plan(&self, asked: OfPlan, context: &Context) -> Result<Answer> {
        let ready = ready(&asked, context).await?;
        let plan = &ready.forecast.plan;
        let is_idle = plan.actions.is_empty();
        let mut cut = Cut::default();
        let changes: Vec<String> = plan.changes().iter().map(ToString::to_string).collect();
        let warnings: Vec<&String> = ready.diff.warnings.iter().chain(&ready.forecast.warnings).collect();
        let mut document = cost(&ready.forecast);
        document["to"] = json!(destination(&ready.prepared.project));
        document["digest"] = json!((!is_idle).then_some(&ready.digest));
        document["changes"] = json!(cut.list(&changes));
        document["steps"] = json!(steps(&ready.options));
        document["reload"] = json!(reloads(plan).collect::<Vec<_>>());
        document["removed"] = json!(cut.list(&ready.diff.removed));
        document["protected"] = json!(cut.list(&ready.diff.protected));
        document["warnings"] = json!(warnings);
        document["cut"] = json!(cut.entries);
        *self.lock() = (!is_idle).then_some(Planned { digest: ready.digest, asked });
        Ok(Answer::Document(document))
    }

    /// Carries the plan with this digest out, if it is still what would be done.
    ///
    /// # Errors
    /// As for [`Self::plan`], before anything is changed.
    pub async fn apply(&self, wanted: &OfApply, context: &Context, veil: &Veil) -> Result<Answer> {
        let Some(Planned { digest, asked }) = self.lock().take_if(|planned| planned.digest == wanted.digest) else {
            return Ok(Answer::Refusal(
                "nothing was done: this is not the digest of the last plan, or that was applied already. Call plan_deploy \
                 again"
                    .to_owned(),
            ));
        };
        let ready = ready(&asked, context).await?;
        if ready.digest != digest {
            return Ok(Answer::Refusal(
                "nothing was done: a local file, the host or an option has changed since the plan was made. Call \
                 plan_deploy again, and show the new plan"
                    .to_owned(),
            ));
        }
        let Ready { prepared, diff, options, .. } = &ready;
        let recorder = Recorder::default();
        let deploy = crate::deploy::deploy(&prepared.project, diff, options, Arc::new(()), &recorder);
        Ok(reported(&keeping_budget(&prepared.project.client, deploy).await?, veil))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Planned>> {
        lock(&self.planned)
    }
}

/// Compares and plans anew, and refuses what is not done here.
async fn ready<'a>(asked: &OfPlan, context: &'a Context) -> Result<Ready<'a>> {
    let args =
        Deploy { collectstatic: asked.collectstatic, requirements: asked.requirements.clone(), ..Deploy::default() };
    let mut prepared = Prepared::new(&args.select, context)?;
    spare_what_is_protected(&mut prepared.select);
    let options = DeployOptions { delete: false, ..options(&args, &prepared)? };
    options.check()?;
    let diff = prepared.diff(&options.executors_in_effect(), &context.output).await?;
    if let Some(other) = diff.under_way().first() {
        return Err(Error::held(format!("{other}: plan again when it has finished")));
    }
    let forecast = crate::deploy::forecast(&prepared.project, &diff, &options);
    let forecast = keeping_budget(&prepared.project.client, forecast).await?;
    check(&forecast.plan, &diff.base.protection.by_default(&diff.base.local_root)?)?;
    let digest = plan_digest(&diff, &options, &forecast)?;
    Ok(Ready { prepared, diff, options, forecast, digest })
}

/// Drops what a configuration has that brings protected files back.
fn spare_what_is_protected(select: &mut SelectOptions) {
    select.include.clear();
    select.include_if_there.clear();
    let Some(own) = select.protected.take() else { return };
    let patterns: Vec<String> = own.iter().filter(|pattern| !pattern.starts_with('!')).cloned().collect();
    // Where there were only exceptions, the defaults hold.
    select.protected = (own.is_empty() || !patterns.is_empty()).then_some(patterns);
}

/// Refuses a plan that deletes something of the site, or sends what is `protected` by default.
fn check(plan: &Plan, protected: &Protection) -> Result<()> {
    let mut deleted = Vec::new();
    let mut secret = Vec::new();
    for action in &plan.actions {
        match action {
            Action::Delete { path } | Action::DeleteFolder { path } => deleted.push(path.clone()),
            Action::Upload { path, .. } | Action::Copy { path, .. } if protected.covers(path) => {
                secret.push(path.clone());
            }
            _ => {}
        }
    }
    let why = match (deleted.is_empty(), secret.is_empty()) {
        (true, true) => return Ok(()),
        (false, _) => format!("it would delete {} to make room", first_few(deleted.into_iter())),
        (true, false) => {
            format!("it would send {}, which may be secrets, databases or uploads", first_few(secret.into_iter()))
        }
    };
    Err(Error::config(format!("this deploy is for a person, with \"pya deploy\": {why}")))
}

fn reloads(plan: &Plan) -> impl Iterator<Item = &String> {
    plan.actions.iter().filter_map(|action| match action {
        Action::Reload { domain } => Some(domain),
        _ => None,
    })
}

fn steps(options: &DeployOptions) -> Vec<String> {
    let requirements = options.steps.requirements.as_ref().map(|file| format!("pip install -r {file}"));
    let collectstatic = options.steps.collectstatic.then(|| "manage.py collectstatic --noinput".to_owned());
    requirements.into_iter().chain(collectstatic).collect()
}

fn step_document(step: &StepReport, veil: &Veil) -> Value {
    json!({
        "step": step.step,
        "ok": step.ok,
        "exit_status": step.exit_status,
        // Masked before it is cut: half a secret is not recognised.
        "output": cut(&veil.over(&step.output), MOST_OUTPUT),
    })
}

fn reported(report: &DeployReport, veil: &Veil) -> Answer {
    let steps: Vec<Value> = report.steps.iter().map(|step| step_document(step, veil)).collect();
    let document = json!({
        "ok": report.ok,
        "id": report.id,
        "held": report.held,
        "stopped": report.stopped,
        "uploaded": report.uploaded.len(),
        "failed": report.failed,
        "reloaded": report.reloaded,
        "steps": steps,
        "error_log": report.error_log.iter().rev().take(MOST_LINES).rev().collect::<Vec<_>>(),
        "executor": report.executor,
        "requests": report.requests,
        "seconds": report.seconds,
        "warnings": report.warnings,
    });
    if report.ok { Answer::Document(document) } else { Answer::Failure(document) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(action: Action) -> Plan {
        Plan { actions: vec![action], ..Plan::default() }
    }

    #[test]
    fn a_plan_that_deletes_or_sends_what_is_protected_is_refused() {
        let upload = |path: &str| plan(Action::Upload { path: path.to_owned(), size: 1, replaces: false });
        let protection = Protection::new(None, &[]).unwrap();
        let check = |plan: &Plan| check(plan, &protection);
        for path in ["db.sqlite3", ".env", "x/.env.local", "media/upload.png"] {
            assert!(check(&upload(path)).unwrap_err().to_string().contains(path));
        }
        assert!(check(&upload(".env.example")).is_ok() && check(&upload("static/logo.png")).is_ok());
        let copied = Action::Copy { path: "a.db".to_owned(), from: "b".to_owned(), size: 1, replaces: true };
        assert!(check(&plan(copied)).is_err());
        assert!(check(&plan(Action::Delete { path: "a.py".to_owned() })).is_err());
        assert!(check(&plan(Action::DeleteFolder { path: "a".to_owned() })).is_err());
        assert!(check(&plan(Action::RemoveManifest { generation: 1 })).is_ok());
    }

    #[test]
    fn no_configuration_brings_protected_files_back() {
        let spared = |protected: Option<&[&str]>| {
            let protected = protected.map(|patterns| patterns.iter().map(|&pattern| pattern.to_owned()).collect());
            let named = vec!["db.sqlite3".to_owned()];
            let mut select = SelectOptions { protected, include_if_there: named, ..SelectOptions::default() };
            spare_what_is_protected(&mut select);
            assert!(select.include_if_there.is_empty());
            select.protected
        };
        assert_eq!((spared(None), spared(Some(&["!demo.db"]))), (None, None));
        assert_eq!(spared(Some(&["*.dump", "!demo.dump"])), Some(vec!["*.dump".to_owned()]));
        assert_eq!(spared(Some(&[])), Some(Vec::new()));
    }
}
