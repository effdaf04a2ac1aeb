//! The commands of a deploy, run between the new files and the reload. One that fails ends the deploy before the reload.

use super::context::Run;
use super::progress::ProgressEvent;
use crate::deploy::plan::environment::receipt_within;
use crate::deploy::plan::steps::StepReport;
use crate::deploy::remote::Remote;
use crate::deploy::state::lease::Lease;
use crate::error::{Error, Result};
use crate::host::{JobFolder, random_id};

impl<R: Remote> Run<'_, R> {
    /// Runs what is asked for; false ends the deploy.
    pub(crate) async fn run_steps(&self, lease: &Lease<R>) -> bool {
        match self.try_steps(lease).await {
            Ok(is_ok) => is_ok,
            Err(error) => {
                self.recorder.lock().stopped = Some(error.chain());
                false
            }
        }
    }

    async fn try_steps(&self, lease: &Lease<R>) -> Result<bool> {
        if self.options.steps.is_none() {
            return Ok(true);
        }
        let (client, executor) = self.strategy.needed()?;
        // Others must know the tasks of these jobs as those of a deploy that is going on.
        let owner = Some(lease.intent().id.clone());
        let job_folder = JobFolder { owner, ..self.job_folder(client) };
        for (step, operation) in self.options.steps.operations(&self.strategy.environment) {
            self.watcher.tell(ProgressEvent::Running { step: step.to_owned() });
            let job = job_folder.job(&random_id(16)?, &self.base.remote_root, operation);
            self.recorder.lock().running = Some(step.to_owned());
            let receipt = lease.guard().wait_for(executor.run(&job_folder, &job, receipt_within(executor))).await;
            self.recorder.lock().running = None;
            let receipt = match receipt {
                Ok(receipt) => receipt,
                Err(Error::Timeout { .. }) => {
                    let output = "it is unknown whether it ended: check before you run it again".to_owned();
                    let report = StepReport { step: step.to_owned(), ok: false, exit_status: None, output };
                    self.recorder.lock().steps.push(report);
                    self.recorder.lock().stopped = Some(format!("{step} did not end in time"));
                    return Ok(false);
                }
                Err(error) => return Err(error),
            };
            let report = StepReport::of(step, &receipt);
            let is_ok = report.ok;
            if is_ok {
                lease.intent().steps.remove(step);
            }
            self.recorder.lock().steps.push(report);
            if !is_ok {
                self.recorder.lock().stopped = Some(format!("{step} failed: {}", receipt.reason()));
                return Ok(false);
            }
        }
        Ok(true)
    }
}
