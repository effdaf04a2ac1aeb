//! The responses that faults send instead of the service's.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{StatusCode, header};
use http_body_util::BodyExt;

use super::rules::{FaultKind, Stage};
use super::wire::WireFault;
use crate::clock;
use crate::emulator::response;

const DRIPS_PER_SECOND: u32 = 20;

/// The response of a fault; `real` is the service's, if the request took effect.
pub(crate) async fn fault_response(
    wire_fault: &WireFault,
    stage: Stage,
    kind: &FaultKind,
    real: Option<Response>,
) -> Response {
    match kind {
        FaultKind::Status { code, body, content_type } => {
            response::with_header(response::with_body(status(*code), body.clone()), header::CONTENT_TYPE, content_type)
        }
        FaultKind::Html { code } => error_page(*code),
        FaultKind::ThrottledWithoutHeader => response::throttled(Duration::from_secs(30), false),
        FaultKind::Truncate { bytes } => {
            let whole = real.filter(|_| stage == Stage::After).unwrap_or_else(|| filler(*bytes));
            truncate(wire_fault, whole, *bytes).await
        }
        // The connection replaces whatever is sent.
        FaultKind::Garbage => {
            wire_fault.garble();
            response::empty(StatusCode::OK)
        }
        // These do not respond themselves.
        FaultKind::Reset | FaultKind::Slow { .. } | FaultKind::Hold => {
            real.unwrap_or_else(|| response::empty(StatusCode::OK))
        }
    }
}

fn error_page(code: u16) -> Response {
    let status = status(code);
    let title = format!("{code} {}", status.canonical_reason().unwrap_or("Error"));
    response::html(status, format!("<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"))
}

fn status(code: u16) -> StatusCode {
    // `Faults::add` accepts valid codes only.
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A response longer than `bytes`, for a request that did not take effect.
fn filler(bytes: u64) -> Response {
    let filling = "x".repeat(usize::try_from(bytes).unwrap_or(0).saturating_add(64));
    response::detail(StatusCode::OK, &filling)
}

/// Announces the whole body, but sends only `bytes` of it, at most all but one.
async fn truncate(wire_fault: &WireFault, response: Response, bytes: u64) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = collect(body).await;
    let Some(all_but_one) = whole.len().checked_sub(1) else {
        // There is no body to cut, so the head is cut.
        wire_fault.cut_head();
        return response::with_body(StatusCode::OK, "cut");
    };
    let sent = whole.slice(..usize::try_from(bytes).unwrap_or(usize::MAX).min(all_but_one));
    parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let cut = async {
        // hyper sends what it has buffered when the body makes it wait, and discards it when the body fails.
        tokio::task::yield_now().await;
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "cut by a fault"))
    };
    let pieces = stream::iter((!sent.is_empty()).then_some(Ok(sent)));
    Response::from_parts(parts, Body::from_stream(pieces.chain(stream::once(cut))))
}

/// Sends a body at `rate` bytes per second.
pub(crate) async fn drip(response: Response, rate: u32) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = collect(body).await;
    if whole.is_empty() {
        return Response::from_parts(parts, Body::empty());
    }
    parts.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    let piece = usize::try_from((rate / DRIPS_PER_SECOND).max(1)).unwrap_or(usize::MAX);
    let pause =
        Duration::from_secs(1).mul_f64(f64::from(u32::try_from(piece).unwrap_or(u32::MAX)) / f64::from(rate.max(1)));
    let drops = stream::unfold(whole, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        clock::sleep(pause).await;
        let drop = left.split_to(piece.min(left.len()));
        Some((Ok::<_, Infallible>(drop), left))
    });
    Response::from_parts(parts, Body::from_stream(drops))
}

async fn collect(body: Body) -> Bytes {
    // A body that fails while it is read is treated as empty: it would be cut anyway.
    body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default()
}
