//! The reload, and whether the page answers after it.
//!
//! With `DEBUG` off, a new Django project has no page at `/` and answers 404 there: that is said, and is no failure as long
//! as Django answers.

use std::time::SystemTime;

use super::Outcome;
use crate::api::Reloaded;
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
    if let Reloaded::CnameWarning(warning) = reload_site(launch.client, &domain).await? {
        launch.recorder.warn(warning);
    }
    Ok(Outcome::done(domain))
}

/// Looks at the page as a visitor.
pub(in crate::launch) async fn check(launch: &mut Launch<'_>, since: SystemTime) -> Result<Outcome> {
    let (client, domain) = (launch.client, launch.domain());
    let site_url = launch.options.site_url.as_deref();
    let failed = |words: String| Err(Error::job(words));
    match check_health(client, domain, site_url, "/").await? {
        Health::Well => Ok(Outcome::done("the page answers")),
        Health::Odd(status) if launch.inspected.is_some() || launch.local.settings.is_some() => {
            check_admin(launch, status).await
        }
        Health::Odd(status) => Ok(Outcome::done(format!("the application answers, with {status} at \"/\""))),
        Health::Placeholder => failed(still_placeholder(launch)?),
        Health::RefusesAll => failed(refuses_all(launch)),
        Health::Failed(status) => failed(match raised_since(client, domain, site_url, "/", since).await {
            Some(raised) => format!("{domain} answers with {status}: the error log says: {raised}"),
            None => unexplained(launch, status),
        }),
    }
}

/// Looks where a Django project without a page at `/`, which answers `status` there, shows that it works.
async fn check_admin(launch: &Launch<'_>, status: u16) -> Result<Outcome> {
    let admin = check_health(launch.client, launch.domain(), launch.options.site_url.as_deref(), ADMIN).await?;
    if admin == Health::Well {
        launch.recorder.next(format!("put a page at \"/\": it answers {status} now, while {ADMIN} works"));
        return Ok(Outcome::done(format!("{ADMIN} answers; \"/\" answers {status}, as there is no page at it")));
    }
    launch.recorder.next(format!("put a page at \"/\": it answers {status} now"));
    Ok(Outcome::done(format!("the project answers, with {status} at \"/\"")))
}

fn is_website(launch: &Launch<'_>) -> bool {
    matches!(launch.local.project.kind, ProjectKind::Asgi(_))
}

fn still_placeholder(launch: &Launch<'_>) -> Result<String> {
    let domain = launch.domain();
    if is_website(launch) {
        return Ok(format!(
            "{domain} still shows the host's placeholder page: the command of the website does not serve it; \"pya logs \
             {domain} error\" may say why"
        ));
    }
    let file = crate::host::wsgi_file(domain)?;
    Ok(format!("{domain} still shows the host's placeholder page: {file} does not load the project"))
}

fn refuses_all(launch: &Launch<'_>) -> String {
    let domain = launch.domain();
    if is_website(launch) {
        return format!(
            "{domain} answers every page with 400: let the application accept {domain:?} as its host (Django: ALLOWED_HOSTS; \
             Starlette: allowed_hosts)"
        );
    }
    format!("{domain} answers every page with 400: add {domain:?} to ALLOWED_HOSTS in the settings that serve it")
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
