//! What every request passes through before its handler: log, faults, latency, authentication, rate limit.
//!
//! The order is the service's. A fault before the effect stands for the network and the load balancer, so the rate
//! limit does not count such a request. Django REST framework authenticates before it throttles, and throttles before
//! it checks the method.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes, HttpBody};
use axum::response::Response;
use http::{HeaderName, Request, StatusCode, Uri, header};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;

use super::fault::hold::HeldRequest;
use super::fault::response::{drip, fault_response};
use super::fault::rules::{FaultKind, Stage};
use super::fault::wire::WireFault;
use super::request_log::LoggedRequest;
use super::routes::table::{self, Endpoint};
use super::routes::{router, unknown_path};
use super::state::EmulatorState;
use super::{auth, page, response};
use crate::clock;

/// A refused upload is read up to this size, so that its sender sees the response.
const MAX_DRAIN: u64 = 256 << 20;

/// What answers requests: the service, and the page to look at beside it.
#[derive(Debug, Clone)]
pub(crate) struct Routers {
    pub service: axum::Router,
    pub page: axum::Router,
}

impl Routers {
    pub(crate) fn new(state: &Arc<EmulatorState>) -> Self {
        Self { service: router().with_state(Arc::clone(state)), page: page::router().with_state(Arc::clone(state)) }
    }
}

/// Responds to one request. Those of the page are none of the service's: no log, limit, fault or latency is about them.
pub(crate) async fn serve(
    state: Arc<EmulatorState>,
    routers: Routers,
    wire_fault: Arc<WireFault>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let read = Arc::new(AtomicU64::new(0));
    let mut request = request.map(|body| counting(body, Arc::clone(&read)));
    if let Some(token) = &state.page_token
        && page::is_at(request.uri().path())
    {
        return Ok(page::answer(token, routers.page, request).await);
    }
    let raw_path = request.uri().path().to_owned();
    if state.settings.undocumented.merge_slashes {
        merge_slashes(request.uri_mut());
    }
    let context = RequestContext::begin(&state, &request, raw_path, read);
    let taken = state.faults.take(&context.request.method, &context.request.path);
    if !taken.is_empty() {
        state.log.spoil(context.request.number, taken.iter().map(|(_, kind)| kind.name()).collect());
    }
    let response = with_clock(context.answer(routers.service, &wire_fault, &taken, request).await);
    context.end(&response);
    Ok(response)
}

/// A body whose bytes are counted as they are read.
fn counting(body: Incoming, read: Arc<AtomicU64>) -> Body {
    Body::new(body.map_frame(move |frame| {
        read.fetch_add(data_length(&frame), Ordering::Relaxed);
        frame
    }))
}

/// The bytes of the body in one of its frames: trailers have none.
fn data_length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

/// Adds the time, and the clock's speed if it is not the usual one.
fn with_clock(response: Response) -> Response {
    let response = response::with_header(response, header::DATE, &httpdate::fmt_http_date(clock::wall()));
    if (clock::speed() - 1.0).abs() <= f64::EPSILON {
        return response;
    }
    response::with_header(response, HeaderName::from_static(clock::SPEED_HEADER), &clock::speed().to_string())
}

/// Merges consecutive slashes, as nginx in front of a service does by default.
fn merge_slashes(uri: &mut Uri) {
    if !uri.path().contains("//") {
        return;
    }
    let mut merged = with_single_slashes(uri.path());
    if let Some(query) = uri.query() {
        merged.push('?');
        merged.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = merged.parse().ok();
    // An address stays valid with fewer slashes.
    if let Ok(merged) = Uri::from_parts(parts) {
        *uri = merged;
    }
}

fn with_single_slashes(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for character in path.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    merged
}

/// A request in progress. If the client disconnects, it is dropped and logged as unanswered.
struct RequestContext<'a> {
    state: &'a EmulatorState,
    request: HeldRequest,
    endpoint: Option<&'static Endpoint>,
    read: Arc<AtomicU64>,
    answered: AtomicU64,
}

impl<'a> RequestContext<'a> {
    fn begin(state: &'a EmulatorState, request: &Request<Body>, raw_path: String, read: Arc<AtomicU64>) -> Self {
        let endpoint = table::find(request.uri().path());
        let agent = request.headers().get(header::USER_AGENT).map(|agent| String::from_utf8_lossy(agent.as_bytes()));
        let mut facts = HeldRequest {
            number: 0,
            method: request.method().to_string(),
            path: percent_decode_str(&raw_path).decode_utf8_lossy().into_owned(),
            user_agent: agent.unwrap_or_default().into_owned(),
        };
        facts.number = state.log.begin(LoggedRequest {
            number: 0,
            method: facts.method.clone(),
            path: facts.path.clone(),
            raw_path,
            query: request.uri().query().unwrap_or_default().to_owned(),
            user_agent: facts.user_agent.clone(),
            endpoint: endpoint.map(|endpoint| endpoint.name),
            status: None,
            started: clock::now(),
            finished: None,
            bytes_in: 0,
            bytes_out: 0,
            faults: Vec::new(),
        });
        Self { state, request: facts, endpoint, read, answered: AtomicU64::new(0) }
    }

    async fn answer(
        &self,
        app: axum::Router,
        wire_fault: &WireFault,
        taken: &[(Stage, FaultKind)],
        request: Request<Body>,
    ) -> Response {
        let mut request = Some(request);
        let mut response = None;
        for (stage, kind) in taken.iter().filter(|(stage, _)| *stage == Stage::Before) {
            self.apply_fault(wire_fault, *stage, kind, &mut request, &mut response).await;
        }
        self.state.latency.pass().await;
        if let Some(request) = request.take() {
            response = Some(self.handle(app, request).await);
        }
        for (stage, kind) in taken.iter().filter(|(stage, _)| *stage == Stage::After) {
            self.apply_fault(wire_fault, *stage, kind, &mut request, &mut response).await;
        }
        let response = response.unwrap_or_else(|| response::empty(StatusCode::OK));
        let rate = taken.iter().find_map(|(_, kind)| match kind {
            FaultKind::Slow { bytes_per_second, .. } => *bytes_per_second,
            _ => None,
        });
        match rate {
            Some(rate) => drip(response, rate).await,
            None => response,
        }
    }

    /// Applies one fault: delays the request, or replaces its response.
    async fn apply_fault(
        &self,
        wire_fault: &WireFault,
        stage: Stage,
        kind: &FaultKind,
        request: &mut Option<Request<Body>>,
        response: &mut Option<Response>,
    ) {
        match kind {
            FaultKind::Hold => return self.state.held.hold(self.request.clone()).await,
            FaultKind::Slow { delay, .. } => return clock::sleep(*delay).await,
            FaultKind::Reset => wire_fault.reset().await,
            _ => {}
        }
        if let Some(request) = request.take() {
            drain(request.into_body()).await;
        }
        *response = Some(fault_response(wire_fault, stage, kind, response.take()).await);
    }

    async fn handle(&self, app: axum::Router, request: Request<Body>) -> Response {
        if let Err(refused) = self.admit(&request) {
            drain(request.into_body()).await;
            return refused;
        }
        if self.endpoint.is_none() && request.uri().path().starts_with("/api/") {
            // The router would accept an empty segment as a name or a number.
            let answer = unknown_path(self.state, request.uri());
            drain(request.into_body()).await;
            return answer;
        }
        match TowerToHyperService::new(app).call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    /// Authentication and rate limit, which apply to the API only, not to the pages beside it.
    #[allow(clippy::result_large_err, reason = "the error is the answer itself, made once for each refused request")]
    fn admit(&self, request: &Request<Body>) -> Result<(), Response> {
        let path = request.uri().path();
        if !path.starts_with("/api/") {
            return Ok(());
        }
        auth::check(self.state, request.headers(), path)?;
        match self.endpoint.map_or(Ok(()), |endpoint| self.state.throttle.admit(endpoint.name, &self.request.method)) {
            Ok(()) => Ok(()),
            Err(wait) => Err(response::throttled(wait, self.state.settings.undocumented.retry_after)),
        }
    }

    fn end(&self, response: &Response) {
        self.answered.store(1, Ordering::Relaxed);
        let sent = response.body().size_hint().exact().unwrap_or(0);
        self.log_end(Some(response.status().as_u16()), sent);
    }

    fn log_end(&self, status: Option<u16>, sent: u64) {
        self.state.log.end(self.request.number, status, self.read.load(Ordering::Relaxed), sent);
    }
}

impl Drop for RequestContext<'_> {
    fn drop(&mut self) {
        if self.answered.load(Ordering::Relaxed) == 0 {
            self.log_end(None, 0);
        }
    }
}

/// Reads what a client still sends: closing the connection earlier could discard the response before it is read.
pub(crate) async fn drain(mut body: Body) {
    let mut left = MAX_DRAIN;
    while let Some(Ok(frame)) = body.frame().await {
        let Some(rest) = left.checked_sub(data_length(&frame)) else { return };
        left = rest;
    }
}
