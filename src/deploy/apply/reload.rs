//! The reloads that a deploy owes.

use super::context::Run;
use super::progress::ProgressEvent;
use crate::api::Reloaded;
use crate::deploy::operations::reload::{is_refused, reload, reload_website};
use crate::deploy::remote::Remote;
use crate::deploy::state::lease::Lease;
use crate::error::{Error, Result};

impl<R: Remote> Run<'_, R> {
    /// Reloads every domain, also after one failed: the others would go on with the old code. False if one failed.
    pub(super) async fn reload_all(&self, lease: &Lease<R>) -> bool {
        let mut are_reloaded = true;
        for domain in &self.work.reload {
            are_reloaded &= self.reload(domain, lease).await;
        }
        are_reloaded
    }

    async fn reload(&self, domain: &str, lease: &Lease<R>) -> bool {
        if let Err(error) = lease.guard().check() {
            self.recorder.fail(domain, format!("not reloaded: {}", error.chain()));
            return false;
        }
        if let Some(reason) = self.strategy.sites.refused.get(domain) {
            // It was known before the upload, and the other domains need the new files.
            lease.intent().reload.remove(domain);
            self.recorder.fail(domain, format!("not reloaded: {reason}"));
            return false;
        }
        match self.ask_for_reload(domain).await {
            Ok(reloaded) => self.note_reloaded(domain, lease, reloaded),
            Err(error) => return self.note_not_reloaded(domain, lease, &error),
        }
        true
    }

    async fn ask_for_reload(&self, domain: &str) -> Result<Reloaded> {
        self.watcher.tell(ProgressEvent::Reloading { domain: domain.to_owned() });
        match self.remote.as_client() {
            Some(client) if self.strategy.sites.is_website(domain) => reload_website(client, domain).await,
            _ => reload(self.remote, domain).await,
        }
    }

    fn note_reloaded(&self, domain: &str, lease: &Lease<R>, reloaded: Reloaded) {
        if let Reloaded::CnameWarning(warning) = reloaded {
            self.recorder.warn(format!("{domain} was reloaded, and the service warns: {warning}"));
        }
        lease.intent().reload.remove(domain);
        self.recorder.lock().reloaded.push(domain.to_owned());
        self.watcher.tell(ProgressEvent::Reloaded { domain: domain.to_owned() });
    }

    /// Takes down a domain that was not reloaded; true if that is no failure of this deploy.
    fn note_not_reloaded(&self, domain: &str, lease: &Lease<R>, error: &Error) -> bool {
        let reason = format!("not reloaded: {}", error.chain());
        if is_refused(error) {
            // There is no such web app: a debt that could never be paid would stop every later deploy.
            lease.intent().reload.remove(domain);
            if !self.options.reload.iter().any(|asked| asked == domain) {
                self.recorder.warn(format!("{domain}, which an earlier deploy wanted reloaded, was {reason}"));
                return true;
            }
        }
        self.recorder.fail(domain, reason);
        false
    }
}
