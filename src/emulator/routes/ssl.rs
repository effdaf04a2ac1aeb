//! Certificates: `webapps/{domain}/ssl/` and, in version 1, `domains/{domain}/ssl/`.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;
use time::OffsetDateTime;

use super::fields::Fields;
use super::validation::Validator;
use crate::emulator::response::{self, Answer, not_found};
use crate::emulator::state::SharedState;

/// The only kind of certificate that the service issues itself.
const LETS_ENCRYPT: &str = "letsencrypt-auto-renew";

pub(crate) async fn read(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    let is_ours = state.has_site(&domain).await;
    let Some(certificate) = state.certificates.get(&domain).filter(|_| is_ours) else { return not_found() };
    let value = json!({
        "not_after": written(certificate.not_after, state.settings.undocumented.compact_not_after),
        "issuer_name": certificate.issuer,
        "subject_name": certificate.subject,
        "subject_alternate_names": certificate.names,
    });
    response::json(StatusCode::OK, &value)
}

/// A time in one of the two ISO 8601 formats that the service has been seen to use.
fn written(moment: OffsetDateTime, compact: bool) -> String {
    let (year, month, day) = (moment.year(), u8::from(moment.month()), moment.day());
    let (hour, minute, second) = moment.to_hms();
    if compact {
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
    } else {
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+00:00")
    }
}

pub(crate) async fn set(
    State(state): SharedState,
    Path((_, domain)): Path<(String, String)>,
    fields: Fields,
) -> Answer {
    if !state.has_site(&domain).await {
        return Ok(not_found());
    }
    let mut validator = Validator::whole(&fields);
    let kept = if validator.optional("cert_type").is_some() {
        validator.choice("cert_type", &[LETS_ENCRYPT]);
        validator.done()?;
        state.certificates.issue(&domain)
    } else {
        let (certificate, key) = (validator.required("cert"), validator.required("private_key"));
        let (Some(certificate), Some(key)) = (certificate, key) else {
            return validator.done().map(|()| response::empty(StatusCode::BAD_REQUEST));
        };
        state.certificates.set(&domain, certificate, key).map(|kept| {
            if let Err((field, problem)) = kept {
                validator.refuse(field, problem);
            }
        })
    };
    match kept {
        Ok(()) => validator.done().map(|()| response::json(StatusCode::OK, &json!({"status": "OK"}))),
        Err(error) => Ok(response::internal(&error)),
    }
}

/// Unlike other deletions, this one responds like a change: the client `pypawapi` reads a `status` here.
pub(crate) async fn delete(State(state): SharedState, Path((_, domain)): Path<(String, String)>) -> Response {
    match state.certificates.delete(&domain) {
        Ok(true) => response::json(StatusCode::OK, &json!({"status": "OK"})),
        Ok(false) => not_found(),
        Err(error) => response::internal(&error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_have_two_forms() {
        let moment = OffsetDateTime::from_unix_timestamp(1_535_130_983).unwrap();
        assert_eq!(written(moment, true), "20180824T171623Z");
        assert_eq!(written(moment, false), "2018-08-24T17:16:23+00:00");
    }
}
