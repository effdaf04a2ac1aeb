//! What a deploy may do, as its caller asks for it.

use super::executor::ExecutorOptions;
use super::steps::Steps;
use crate::api::checked_domain;
use crate::error::{Error, Result};
use crate::host::checked_settings;
use crate::setting::Setting;
use crate::text::first_few;

/// What a deploy may do beyond uploading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct DeployOptions {
    /// Delete what earlier deploys put there and is gone locally.
    pub delete: bool,
    /// Delete what no deploy of ours put there; needs a diff with a complete listing.
    pub delete_unmanaged: bool,
    /// Refuse to delete more files than this; by default the larger of 10 and 20 % of the manifest.
    pub max_delete: Option<usize>,
    /// Masks of protected files that are touched all the same.
    pub include: Vec<String>,
    /// Plan only.
    pub dry_run: bool,
    /// Domains to reload if anything changed.
    pub reload: Vec<String>,
    /// Leave the reloads that earlier deploys owe as they are, with a warning, instead of making them as well.
    pub keep_owed_reloads: bool,
    /// Go on although another deploy seems to be working.
    pub force: bool,
    /// How many uploads go on at a time; 0 is the default, 16.
    pub concurrency: usize,
    /// What does the work that the API cannot do.
    pub executors: ExecutorOptions,
    /// What is run on the host before the reload.
    pub steps: Steps,
    /// A path of the site that must not answer with a server error after the reload.
    pub health: Option<String>,
    /// Whether the old files are put back if a step, the reload or the health check fails.
    pub rollback_on_failure: bool,
}

impl DeployOptions {
    /// Refuses what is wrong whatever is on the host.
    ///
    /// # Errors
    /// `Config` for a domain or a settings module that is none, and for an address that could belong to several domains.
    pub fn check(&self) -> Result<()> {
        self.executors.check()?;
        self.reload.iter().try_for_each(|domain| checked_domain(domain).map(drop))?;
        self.steps.settings.as_deref().map_or(Ok(()), |module| checked_settings(module).map(drop))?;
        if self.executors.site_url.is_some() && self.executors.domain.is_none() && self.reload.len() > 1 {
            return Err(Error::config(format!(
                "{} is the address of one site, and {} are reloaded: name the one that it belongs to ({})",
                Setting::SiteUrl,
                first_few(self.reload.iter().cloned()),
                Setting::Domain
            )));
        }
        Ok(())
    }

    /// The web app that executors work in and that commands run for: the one named, else the only one that is reloaded.
    #[must_use]
    pub(crate) fn executors_in_effect(&self) -> ExecutorOptions {
        let only = self.reload.first().filter(|_| self.reload.len() == 1);
        let domain = self.executors.domain.as_ref().or(only).cloned();
        ExecutorOptions { domain, ..self.executors.clone() }
    }

    /// The address of the site of `domain`, if another one than its domain was given.
    pub(crate) fn site_url_of(&self, domain: &str) -> Option<String> {
        let executors = self.executors_in_effect();
        executors.site_url.filter(|_| executors.domain.is_some_and(|own| own.eq_ignore_ascii_case(domain)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(domain: Option<&str>, reload: &[&str]) -> DeployOptions {
        let executors = ExecutorOptions {
            domain: domain.map(str::to_owned),
            site_url: Some("http://127.0.0.1:1".to_owned()),
            ..ExecutorOptions::default()
        };
        let reload = reload.iter().map(|&domain| domain.to_owned()).collect();
        DeployOptions { reload, executors, ..DeployOptions::default() }
    }

    #[test]
    fn the_sites_address_belongs_to_the_one_domain_that_is_reloaded_however_it_was_named() {
        for (domain, reload) in [(None, &["a.b"][..]), (Some("a.b"), &[]), (Some("a.b"), &["a.b", "c.d"])] {
            let options = options(domain, reload);
            options.check().unwrap();
            assert!(options.site_url_of("a.b").is_some(), "{options:?}");
            assert!(options.site_url_of("c.d").is_none(), "{options:?}");
        }
        let error = options(None, &["a.b", "c.d"]).check().unwrap_err().to_string();
        assert!(error.contains("a.b, c.d") && error.contains("domain="), "{error}");
    }

    #[test]
    fn a_malformed_domain_is_refused_wherever_it_is_given() {
        assert!(options(Some("https://a.b/"), &[]).check().is_err());
        assert!(options(None, &["a.b/"]).check().is_err());
    }
}
