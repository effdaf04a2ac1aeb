//! The commands of a deploy, run between the new files and the reload. One that fails ends the deploy before the reload.
//!
//! Whoever interrupts the deploy ends its command on the host too; the report then says what became of it, and the intent
//! that the step is still owed.

use std::sync::{Arc, OnceLock};

use super::context::Run;
use super::progress::ProgressEvent;
use super::report::Recorder;
use crate::cleanup;
use crate::deploy::plan::environment::receipt_within;
use crate::deploy::plan::steps::StepReport;
use crate::deploy::remote::Remote;
use crate::deploy::state::lease::Lease;
use crate::error::{Error, Result};
use crate::host::{Cancellation, JobFolder, Receipt, random_id};

impl<R: Remote> Run<'_, R> {
    /// Runs what is asked for; false ends the deploy.
    pub(crate) async fn run_steps(&self, lease: &Lease<R>) -> bool {
        self.try_steps(lease).await.unwrap_or_else(|error| {
            self.recorder.lock().stopped = Some(error.chain());
            false
        })
    }

    async fn try_steps(&self, lease: &Lease<R>) -> Result<bool> {
        if self.options.steps.is_none() {
            return Ok(true);
        }
        let (client, executor) = self.strategy.needed()?;
        // Others must know the tasks of these jobs as those of a deploy that is going on.
        let owner = Some(lease.intent().id.clone());
        let job_folder = JobFolder { owner, ..self.job_folder(client) };
        for (step, operation, variables) in self.options.steps.operations(&self.strategy.environment) {
            self.watcher.tell(ProgressEvent::Running { step: step.to_owned() });
            let job = job_folder.job(&random_id(16)?, &self.base.remote_root, operation).with_variables(variables);
            let mut running = RunningStep::new(self.recorder, step, &job_folder);
            let receipt = lease.guard().wait_for(executor.run(&job_folder, &job, receipt_within(executor))).await;
            running.end();
            let receipt = match receipt {
                Ok(receipt) => receipt,
                Err(error) if job_folder.may_have_begun(&error) => {
                    self.lose(step, &error);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            if !self.note_step(lease, step, &receipt) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes down how a step ended; false if it failed.
    fn note_step(&self, lease: &Lease<R>, step: &str, receipt: &Receipt) -> bool {
        let report = StepReport::of(step, receipt);
        let is_ok = report.ok;
        if is_ok {
            lease.intent().steps.remove(step);
        }
        self.recorder.lock().steps.push(report);
        if !is_ok {
            self.recorder.lock().stopped = Some(format!("{step} failed: {}", receipt.reason()));
        }
        is_ok
    }

    /// Ends the deploy at a step of which nobody knows whether it goes on.
    fn lose(&self, step: &str, error: &Error) {
        let output = "it is unknown whether it ended: check before you run it again".to_owned();
        let mut report = self.recorder.lock();
        report.steps.push(StepReport { step: step.to_owned(), ok: false, exit_status: None, output });
        report.stopped = Some(match error {
            Error::Timeout { .. } => format!("{step} did not end in time"),
            _ => format!("it cannot be seen how {step} ended: {}", error.chain()),
        });
    }
}

/// A step that runs. If it is cut off, the report tells what became of it once that is known.
struct RunningStep {
    recorder: Recorder,
    step: &'static str,
    cancelled: Arc<OnceLock<Cancellation>>,
    is_over: bool,
}

impl RunningStep {
    fn new(recorder: &Recorder, step: &'static str, job_folder: &JobFolder) -> Self {
        recorder.lock().running = Some(step.to_owned());
        Self { recorder: recorder.clone(), step, cancelled: Arc::clone(&job_folder.cancelled), is_over: false }
    }

    fn end(&mut self) {
        self.recorder.lock().running = None;
        self.is_over = true;
    }
}

impl Drop for RunningStep {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (recorder, step, cancelled) = (self.recorder.clone(), self.step, Arc::clone(&self.cancelled));
        // After the cleanup that ends the command, which was deferred before this.
        cleanup::defer(async move {
            let Some(Cancellation { receipt, outcome }) = cancelled.get() else { return };
            let mut report = recorder.lock();
            if let Some(receipt) = receipt {
                report.running = None;
                report.steps.push(StepReport::of(step, receipt));
            }
            report.stopped = Some(format!("{step} {outcome}; it is still owed: the next deploy says so"));
        });
    }
}
