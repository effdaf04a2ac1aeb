//! The access logs of web apps and websites: the combined log format, with the fields that the host appends.

use std::io::Write;
use std::time::Instant;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, header};

use crate::clock;
use crate::emulator::calendar;
use crate::emulator::process::site_log;
use crate::emulator::state::EmulatorState;

/// What the access log records of a request before there is a response.
pub(super) struct PageRequest {
    line: String,
    referer: String,
    agent: String,
    start: Instant,
}

impl PageRequest {
    pub(super) fn of(request: &Request) -> Self {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let header = |name: HeaderName| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or("-").replace('"', "\\\"")
        };
        Self {
            line: format!("{} {path} HTTP/1.1", request.method()),
            referer: header(header::REFERER),
            agent: header(header::USER_AGENT),
            start: Instant::now(),
        }
    }

    /// Writes the line, with the fields that the host appends to the combined format.
    pub(super) fn log(&self, state: &EmulatorState, domain: &str, response: &Response) {
        let written = state.processes.logs.open(&site_log(domain, "access")).and_then(|mut log| {
            let length = response.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
            let length =
                length.map(str::to_owned).or_else(|| response.body().size_hint().exact().map(|n| n.to_string()));
            let (Self { line, referer, agent, start }, date) = (self, calendar::access_date(clock::wall()));
            let (status, length) = (response.status().as_u16(), length.as_deref().unwrap_or("-"));
            let seconds = start.elapsed().as_secs_f64();
            writeln!(
                log,
                "127.0.0.1 - - [{date}] \"{line}\" {status} {length} \"{referer}\" \"{agent}\" \"-\" \
                 response-time={seconds:.3}"
            )
        });
        if let Err(error) = written {
            log::warn!("cannot write the access log of {domain}: {error}");
        }
    }
}
