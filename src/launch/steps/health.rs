//! The reload, and whether the page answers after it.
//!
//! With `DEBUG` off, a new Django project has no page at `/` and answers 404 there: that is said, and is no failure as long
//! as Django answers.

use std::time::SystemTime;

use super::Outcome;
use crate::deploy::{Health, check_health, raised_since, reload_site};
use crate::error::{Error, Result};
use crate::launch::context::Launch;
use crate::launch::detect::project::ProjectKind;

/// Where a Django project shows that it works, if it has no page at `/`.
const ADMIN: &str = "/admin/login/";

/// Reloads the web app if anything was changed.
pub(in crate::launch) async fn reload(launch: &mut Launch<'_>) -> Result<Outcome> {
    if launch.changes == 0 {
        return Ok(Outcome::skipped("nothing changed"));
    }
    let domain = launch.domain().to_owned();
    match reload_site(launch.client, &domain).await? {
        crate::api::Reloaded::Done => Ok(Outcome::done(domain)),
        crate::api::Reloaded::CnameWarning(warning) => {
            launch.recorder.warn(warning);
            Ok(Outcome::done(domain))
        }
    }
}

/// Looks at the page as a visitor.
pub(in crate::launch) async fn check(launch: &mut Launch<'_>, since: SystemTime) -> Result<Outcome> {
    let (client, domain) = (launch.client, launch.domain().to_owned());
    let site_url = launch.options.site_url.as_deref();
    let look = |path: &'static str| check_health(client, &domain, site_url, path);
    let is_website = matches!(launch.local.project.kind, ProjectKind::Asgi(_));
    let failed = |words: String| Err(Error::job(words));
    match look("/").await? {
        Health::Well => Ok(Outcome::done("the page answers")),
        Health::Odd(status) if launch.inspected.is_some() || launch.local.settings.is_some() => {
            if look(ADMIN).await? == Health::Well {
                launch.recorder.next(format!("put a page at \"/\": it answers {status} now, while {ADMIN} works"));
                return Ok(Outcome::done(format!(
                    "{ADMIN} answers; \"/\" answers {status}, as there is no page at it"
                )));
            }
            launch.recorder.next(format!("put a page at \"/\": it answers {status} now"));
            Ok(Outcome::done(format!("the project answers, with {status} at \"/\"")))
        }
        Health::Odd(status) => Ok(Outcome::done(format!("the application answers, with {status} at \"/\""))),
        Health::Placeholder if is_website => failed(format!(
            "{domain} still shows the host's placeholder page: the command of the website does not serve it; \"pya logs \
             {domain} error\" may say why"
        )),
        Health::RefusesAll if is_website => failed(format!(
            "{domain} answers every page with 400: let the application accept {domain:?} as its host (Django: ALLOWED_HOSTS; \
             Starlette: allowed_hosts)"
        )),
        Health::Placeholder => failed(format!(
            "{domain} still shows the host's placeholder page: {} does not load the project",
            crate::host::wsgi_file(&domain)?
        )),
        Health::RefusesAll => failed(format!(
            "{domain} answers every page with 400: add {domain:?} to ALLOWED_HOSTS in the settings that serve it"
        )),
        Health::Failed(status) => failed(match raised_since(client, &domain, site_url, "/", since).await {
            Some(raised) => format!("{domain} answers with {status}: the error log says: {raised}"),
            None => unexplained(launch, status),
        }),
    }
}

/// An error of which the error log tells nothing, as Django's of settings that are not ours with `DEBUG` off.
fn unexplained(launch: &Launch<'_>, status: u16) -> String {
    let domain = launch.domain();
    let logs = format!("\"pya logs {domain} error\"");
    if status == 500 && launch.local.settings.is_some() {
        return format!(
            "{domain} answers with 500, and its error log does not say why: let LOGGING in the settings send \
             \"django.request\" to the console and launch again, and {logs} will"
        );
    }
    format!("{domain} answers with {status}, and its error log has no exception of it; {logs} may say more")
}
