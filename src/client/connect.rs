//! The time-out for connecting, which each request has of its own.
//!
//! The connections of a host belong together, whatever time-outs its clients have, so that time-out cannot be a property
//! of the pool. The pool's connector is called while the request is being polled: it reads there how long it may take.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use crate::error::BoxError;

tokio::task_local! {
    static TIMEOUT: Duration;
}

/// Runs a request whose connections may take `timeout`, TLS handshake included.
pub(super) async fn within<T>(timeout: Duration, request: impl Future<Output = T>) -> T {
    TIMEOUT.scope(timeout, request).await
}

/// Gives the connector the time-out of the request that it connects for.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimedConnect;

impl<S> Layer<S> for TimedConnect {
    type Service = TimedConnector<S>;

    fn layer(&self, inner: S) -> Self::Service {
        TimedConnector(inner)
    }
}

/// A connector with a time-out.
#[derive(Debug, Clone)]
pub(super) struct TimedConnector<S>(S);

impl<S, T> Service<T> for TimedConnector<S>
where
    S: Service<T, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, target: T) -> Self::Future {
        let timeout = TIMEOUT.try_with(|timeout| *timeout).ok();
        let connecting = self.0.call(target);
        Box::pin(async move {
            let Some(timeout) = timeout else { return connecting.await };
            tokio::time::timeout(timeout, connecting)
                .await
                .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}
