//! The web app itself.

use serde_json::Value;

use super::Outcome;
use crate::error::{Error, Result};
use crate::launch::context::Launch;
use crate::setting::Setting;
use crate::text::first_few;

/// Makes the web app, or lets the one that is there have the version of Python that is wanted.
pub(in crate::launch) async fn make(launch: &mut Launch<'_>) -> Result<Outcome> {
    if launch.survey.web_app.is_some() {
        return set_python(launch).await;
    }
    let domain = launch.domain().to_owned();
    create(launch, &domain).await?;
    // Its record has all the fields, and the WSGI file is another one now.
    let record: Value = launch.client.webapp(&domain).await?;
    launch.survey.web_app = Some(record);
    launch.changes += 1;
    Ok(Outcome::done(format!("{domain}, Python {}", launch.python)))
}

async fn set_python(launch: &mut Launch<'_>) -> Result<Outcome> {
    let (domain, has) = (launch.domain().to_owned(), launch.field("python_version").to_owned());
    if has == launch.python || has.is_empty() {
        return Ok(Outcome::skipped(format!("{domain}, Python {}", launch.python)));
    }
    // The virtualenv of the old version would not load.
    let fields = [("python_version", launch.python.as_str()), ("virtualenv_path", "")];
    launch.survey.web_app = Some(launch.client.update_webapp(&domain, &fields).await?);
    launch.changes += 1;
    Ok(Outcome::done(format!("{domain} gets Python {} in place of {has}", launch.python)))
}

async fn create(launch: &Launch<'_>, domain: &str) -> Result<()> {
    let version = format!("python{}", launch.python.replace('.', ""));
    match launch.client.create_webapp(domain, &version).await {
        Err(error) if error.is_ambiguous() => {
            log::info!("it is unknown whether {domain} was made: {}", error.chain());
            Ok(())
        }
        Err(error) if is_refused(&error) => Err(refused(launch, domain, &error)),
        Ok(answer) if answer["status"] == "ERROR" => {
            let why = answer["error_message"].as_str().unwrap_or("the service refused");
            Err(refused(launch, domain, &Error::config(why)))
        }
        outcome => outcome.map(drop),
    }
}

/// Whether the service refused what was asked for, such as the domain, and not who asked or when. It also does so with 200.
pub(in crate::launch) fn is_refused(error: &Error) -> bool {
    matches!(error, Error::Api { status: 200 | 400 | 409, .. })
}

fn refused(launch: &Launch<'_>, domain: &str, error: &Error) -> Error {
    let others = &launch.survey.others;
    let advice = if others.is_empty() {
        format!("another account may have this domain: give another one ({})", Setting::Domain)
    } else {
        format!(
            "the account has {}, and a free account can have one web app: launch to that one ({} {}), or delete it on the page \
             Web",
            first_few(others.iter().cloned()),
            Setting::Domain,
            others[0]
        )
    };
    Error::config(format!("the web app {domain} cannot be made: {}. {advice}", error.chain()))
}
