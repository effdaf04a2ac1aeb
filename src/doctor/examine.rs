//! One thing after the other: what depends on something that is missing is left out.

use super::examination::Examination;
use super::finding::{Diagnosis, Finding};
use super::site::Site;
use super::{account, disk, error_log, page, served, settings, site, virtualenv};

/// Looks at everything. What the service or the site answers is a finding, never an error.
pub async fn examine(examination: &Examination) -> Diagnosis {
    let client = &examination.project.client;
    let (mut findings, apps) = account::examine(client, examination.domain.as_deref()).await;
    if let Some(apps) = apps {
        let (found, site) = site::find(&apps, examination.domain.as_deref());
        findings.extend(found);
        if let Some(site) = site {
            findings.extend(examine_site(examination, &site).await);
        }
        if examination.may_write {
            findings.push(disk::examine(client).await);
        }
    }
    client.persist_budget();
    findings.sort_by_key(|finding| finding.check);
    Diagnosis { findings }
}

async fn examine_site(examination: &Examination, site: &Site) -> Vec<Finding> {
    let client = &examination.project.client;
    let (mut findings, names_settings) = site::examine(examination, site).await;
    findings.extend(virtualenv::examine(client, site).await);
    let (agent, answers, is_loaded) = site::examine_agent(examination, site).await;
    findings.push(agent);
    if names_settings || settings::has_any(examination).await {
        let (found, inspected) = settings::examine(examination, site, answers).await;
        findings.extend(found);
        if let Some(inspected) = inspected {
            findings.extend(served::examine(client, site, &inspected).await);
        }
    }
    // What it raises is in the log then.
    findings.extend(page::examine(examination, site).await);
    findings.push(error_log::examine(client, &site.domain, is_loaded).await);
    findings
}
