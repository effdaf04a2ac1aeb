//! Forwards requests to the processes of web apps and websites.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, header};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

use crate::emulator::listener::ConnectionError;
use crate::emulator::process::{RunningWebsite, WebApp, Website, WorkerGuard};
use crate::emulator::state::EmulatorState;

/// Headers that belong to one connection and are not forwarded.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How often to check whether a website listens.
const SOCKET_LOOK: Duration = Duration::from_millis(10);

/// The scheme of a request's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scheme(pub(super) &'static str);

/// An HTTP client without redirects, retries, proxies and pooled connections. It never speaks TLS, so the certificates
/// of this machine are not read: that would take most of the time in which an emulator starts.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
}

/// Forwards requests to the account's processes.
pub(super) struct Proxy {
    state: Arc<EmulatorState>,
    http: reqwest::Client,
}

impl Proxy {
    /// A proxy for one emulator.
    pub(super) fn new(state: Arc<EmulatorState>) -> reqwest::Result<Self> {
        Ok(Self { state, http: client().build()? })
    }

    pub(super) async fn ask_webapp(
        &self,
        app: &WebApp,
        scheme: Scheme,
        request: Request,
    ) -> Result<Response, ConnectionError> {
        let guard = self.state.processes.workers.acquire(app, &self.state.session()).await?;
        let settings = &self.state.settings;
        let limit = if guard.is_first { settings.first_request_limit } else { settings.request_limit };
        let deadline = Deadline { at: Instant::now() + limit, limit };
        let sent = forward(&self.http, &format!("http://127.0.0.1:{}", guard.port), scheme, request).await?;
        let worker = BusyWorker { state: Arc::clone(&self.state), domain: app.domain_name.clone(), guard };
        if let Ok(answer) = timeout_at(deadline.at, sent.send()).await {
            return back(answer?, deadline, Some(worker), ());
        }
        worker.abandon(limit).await;
        Err(deadline.exceeded().into())
    }

    pub(super) async fn ask_website(
        &self,
        website: &Website,
        scheme: Scheme,
        request: Request,
    ) -> Result<Response, ConnectionError> {
        let running =
            self.state.processes.websites.running(&website.domain_name).await.ok_or("its command is not running")?;
        let settings = &self.state.settings;
        tokio::time::timeout(settings.first_request_limit, listening(&running))
            .await
            .map_err(|_| "its command is not listening on $DOMAIN_SOCKET")??;
        let http = client().unix_socket(running.socket.clone()).build()?;
        let sent = forward(&http, "http://website", scheme, request).await?;
        let limit = settings.request_limit;
        let deadline = Deadline { at: Instant::now() + limit, limit };
        let answer = timeout_at(deadline.at, sent.send()).await.map_err(|_| deadline.exceeded())?;
        back(answer?, deadline, None, running)
    }
}

/// Returns once the website's command listens on its socket.
async fn listening(running: &RunningWebsite) -> io::Result<()> {
    loop {
        match UnixStream::connect(&running.socket).await {
            Ok(_) => return Ok(()),
            Err(error) if running.has_failed() => return Err(error),
            Err(_) => tokio::time::sleep(SOCKET_LOOK).await,
        }
    }
}

/// The same request, for another address.
async fn forward(
    http: &reqwest::Client,
    address: &str,
    scheme: Scheme,
    request: Request,
) -> Result<reqwest::RequestBuilder, ConnectionError> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.insert("x-real-ip", HeaderValue::from_static("127.0.0.1"));
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme.0));
    // The worker accepts only bodies of known length, as behind the host's web server, which buffers them.
    let body = axum::body::to_bytes(body, usize::MAX).await?;
    headers.remove(header::CONTENT_LENGTH);
    Ok(http.request(parts.method, format!("{address}{path}")).headers(headers).body(body))
}

/// When a request has to be answered, to the last byte.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    fn exceeded(self) -> io::Error {
        let text = format!("its process took longer than {} s for a request", self.limit.as_secs_f64());
        io::Error::new(io::ErrorKind::TimedOut, text)
    }
}

/// A web app's process that handles a request.
struct BusyWorker {
    state: Arc<EmulatorState>,
    domain: String,
    guard: WorkerGuard,
}

impl BusyWorker {
    async fn abandon(self, limit: Duration) {
        self.state.processes.workers.abandon(&self.domain, &self.guard, limit).await;
    }
}

/// The response without its body.
fn head(answer: &reqwest::Response) -> http::response::Builder {
    let forwarded = answer.headers().iter().filter(|(name, _)| !HOP_BY_HOP.contains(name));
    forwarded.fold(Response::builder().status(answer.status()), |head, (name, value)| head.header(name, value))
}

/// The response, streamed; `guard` is dropped at the end of its body. The limit is for the whole request: an answer
/// that takes longer is cut off, and its worker killed, as on the host.
fn back(
    answer: reqwest::Response,
    deadline: Deadline,
    worker: Option<BusyWorker>,
    guard: impl Send + 'static,
) -> Result<Response, ConnectionError> {
    let response = head(&answer);
    let body = stream::unfold(Some((answer.bytes_stream(), worker, guard)), move |state| async move {
        let (mut body, worker, guard) = state?;
        if let Ok(chunk) = timeout_at(deadline.at, body.next()).await {
            return chunk.map(|chunk| (chunk.map_err(io::Error::other), Some((body, worker, guard))));
        }
        if let Some(worker) = worker {
            worker.abandon(deadline.limit).await;
        }
        Some((Err(deadline.exceeded()), None))
    });
    Ok(response.body(Body::from_stream(body))?)
}
