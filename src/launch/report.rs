//! What a launch did: step by step, and where it stopped.

use std::sync::{Arc, Mutex, MutexGuard};

use serde::Serialize;
use serde_json::{Value, json};

use super::survey::SeenHost;
use crate::error::{Error, ErrorKind};
use crate::host::FREE_SPACE;
use crate::locks::lock;

/// What the API answers where a file does not fit.
const INSUFFICIENT_STORAGE: u16 = 507;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// It is being done.
    Running,
    /// It was done.
    Done,
    /// It was so already.
    Skipped,
    /// It is what a dry run would do.
    Planned,
    /// It failed.
    Failed,
}

impl StepState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Planned => "planned",
            Self::Failed => "failed",
        }
    }
}

/// A step, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// Its name, such as `web app`.
    pub step: &'static str,
    /// How it ended.
    pub state: StepState,
    /// In a few words.
    pub detail: String,
}

impl StepRecord {
    /// Whether what the step is for is there now. The account and the page are only looked at.
    fn is_in_place(&self) -> bool {
        match self.state {
            StepState::Done => !matches!(self.step, "account" | "page"),
            StepState::Skipped => self.step != "project",
            StepState::Running | StepState::Planned | StepState::Failed => false,
        }
    }
}

/// What a launch did.
#[derive(Debug, Clone, Default)]
pub struct LaunchReport {
    /// Whether the page answers.
    pub ok: bool,
    /// Whether it was a dry run.
    pub dry_run: bool,
    /// The address of the site.
    pub url: String,
    /// The web app's domain.
    pub domain: String,
    /// The project's folder on the host.
    pub remote_root: String,
    /// The steps, in their order.
    pub steps: Vec<StepRecord>,
    /// The step that failed.
    pub failed_step: Option<&'static str>,
    /// Why.
    pub error: Option<String>,
    /// Of what kind that is, for exit codes.
    pub kind: Option<ErrorKind>,
    /// What to know about.
    pub warnings: Vec<String>,
    /// What a person does next.
    pub next: Vec<String>,
    /// Requests to the API, retries included.
    pub requests: u64,
    /// How long it took.
    pub seconds: f64,
}

impl LaunchReport {
    /// What went wrong: the step, the reason, and the way on; `None` if nothing did.
    #[must_use]
    pub fn error_message(&self) -> Option<String> {
        let (step, error) = (self.failed_step?, self.error.as_ref()?);
        let done: Vec<&str> =
            self.steps.iter().filter(|record| record.is_in_place()).map(|record| record.step).collect();
        if done.is_empty() && self.dry_run {
            return Some(format!("{step}: {error}\nnothing was changed"));
        }
        let stands =
            if done.is_empty() { "nothing was changed".to_owned() } else { format!("in place: {}", done.join(", ")) };
        Some(format!("{step}: {error}\n{stands}. Launch it again to go on from there"))
    }

    /// Everything as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "ok": self.ok,
            "dry_run": self.dry_run,
            "url": self.url,
            "domain": self.domain,
            "remote_root": self.remote_root,
            "steps": self.steps,
            "failed_step": self.failed_step,
            "error": self.error,
            "warnings": self.warnings,
            "next": self.next,
            "requests": self.requests,
            "seconds": self.seconds,
        })
    }
}

/// Takes the records of steps, as they begin and end. Must not block.
pub trait LaunchProgress: Send + Sync + 'static {
    /// Takes one.
    fn step(&self, record: &StepRecord);
}

impl LaunchProgress for () {
    fn step(&self, _record: &StepRecord) {}
}

impl<F: Fn(&StepRecord) + Send + Sync + 'static> LaunchProgress for F {
    fn step(&self, record: &StepRecord) {
        self(record);
    }
}

/// A handle on the report of a launch, readable also when the launch is dropped half-way.
#[derive(Clone)]
pub struct LaunchRecorder {
    report: Arc<Mutex<LaunchReport>>,
    progress: Arc<dyn LaunchProgress>,
    seen: Arc<Mutex<Option<SeenHost>>>,
}

impl LaunchRecorder {
    /// One that tells `progress` of each step.
    #[must_use]
    pub fn new(progress: Arc<dyn LaunchProgress>) -> Self {
        Self { report: Arc::default(), progress, seen: Arc::default() }
    }

    /// The report as it stands.
    #[must_use]
    pub fn report(&self) -> LaunchReport {
        self.lock().clone()
    }

    /// What was seen of the host before anything was changed.
    #[must_use]
    pub fn seen(&self) -> Option<SeenHost> {
        lock(&self.seen).clone()
    }

    pub(super) fn set_seen(&self, seen: SeenHost) {
        *lock(&self.seen) = Some(seen);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LaunchReport> {
        lock(&self.report)
    }

    pub(super) fn tell(&self, step: &'static str, state: StepState, detail: impl Into<String>) {
        let record = StepRecord { step, state, detail: detail.into() };
        self.progress.step(&record);
        let mut report = self.lock();
        match report.steps.last_mut().filter(|last| last.step == step) {
            Some(last) => *last = record,
            None => report.steps.push(record),
        }
    }

    /// What a dry run says that a step would do.
    pub(super) fn plan(&self, step: &'static str, detail: impl Into<String>) {
        self.tell(step, StepState::Planned, detail);
    }

    /// Tells of steps that the last launch did.
    pub(super) fn tell_launched(&self, steps: &[&'static str]) {
        for step in steps {
            self.tell(step, StepState::Skipped, "as it was launched");
        }
    }

    pub(super) fn warn(&self, warning: impl Into<String>) {
        let warning = warning.into();
        let mut report = self.lock();
        if !report.warnings.contains(&warning) {
            report.warnings.push(warning);
        }
    }

    pub(super) fn next(&self, what: impl Into<String>) {
        self.lock().next.push(what.into());
    }

    pub(super) fn fail(&self, step: &'static str, error: &Error) {
        let text = format!("{}{}", error.chain(), advice(error));
        self.tell(step, StepState::Failed, text.clone());
        let mut report = self.lock();
        report.failed_step = Some(step);
        report.error = Some(text);
        report.kind = Some(error.kind());
    }
}

/// What to do about an error that does not say it.
fn advice(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Authentication => {
            ". Is this the token of this account? An account of the EU system is at the host eu.pythonanywhere.com"
                .to_owned()
        }
        ErrorKind::Forbidden => {
            ". The token belongs to another account than the user that was named, or the account is on the \
                                 other system (www.pythonanywhere.com, eu.pythonanywhere.com)"
                .to_owned()
        }
        _ if error.status() == Some(INSUFFICIENT_STORAGE) => format!(". {FREE_SPACE}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_only_looked_at_is_not_in_place() {
        let message = |steps: &[(&'static str, StepState)], dry_run| {
            let recorder = LaunchRecorder::new(Arc::new(()));
            recorder.lock().dry_run = dry_run;
            for (step, state) in steps {
                recorder.tell(step, *state, "");
            }
            recorder.fail("website", &Error::config("no"));
            recorder.report().error_message().unwrap()
        };
        let looked = [("account", StepState::Done), ("project", StepState::Skipped)];
        assert_eq!(message(&looked, false), "website: no\nnothing was changed. Launch it again to go on from there");
        assert_eq!(message(&looked, true), "website: no\nnothing was changed");
        let changed = [("account", StepState::Done), ("files", StepState::Done), ("requirements", StepState::Skipped)];
        assert!(message(&changed, false).contains("\nin place: files, requirements. Launch it again"));
    }
}
