//! The listener that serves the account's web apps and websites, in the place of the host's web server.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::static_files;
use crate::clock;
use crate::emulator::fault::wire::{Stream, Wire};
use crate::emulator::process::{Serving, WebApp, Website};
use crate::emulator::routes::files::on_disk;
use crate::emulator::state::State;
use crate::emulator::{calendar, response};

/// Headers that belong to one connection and are not passed on.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// How often it is looked whether a website listens.
const SOCKET_LOOK: Duration = Duration::from_millis(10);

/// What the first byte of a TLS connection is.
const TLS_HANDSHAKE: u8 = 0x16;

struct Site {
    state: Arc<State>,
    http: reqwest::Client,
    has_https: bool,
}

/// How a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scheme(&'static str);

/// Serves the web apps until the task is dropped. With an `acceptor`, https and http are understood at the same port.
pub async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<State>) {
    crate::tls::install_provider();
    let http = match client().build() {
        Ok(http) => http,
        Err(error) => return log::error!("the web apps cannot be served: {error}"),
    };
    let has_https = acceptor.is_some();
    let site = axum::Router::new().fallback(handle).with_state(Arc::new(Site { state, http, has_https }));
    crate::emulator::server::accept_all(listener, |socket| connection(socket, acceptor.clone(), site.clone())).await;
}

async fn connection(socket: TcpStream, acceptor: Option<TlsAcceptor>, site: axum::Router) -> Result<(), Failure> {
    let (stream, scheme) = match acceptor {
        Some(acceptor) if is_handshake(&socket).await? => {
            (Stream::Tls(Box::new(acceptor.accept(socket).await?)), "https")
        }
        _ => (Stream::Plain(socket), "http"),
    };
    let wire = TokioIo::new(Wire::new(stream, Arc::default()));
    let site = TowerToHyperService::new(site.layer(Extension(Scheme(scheme))));
    auto::Builder::new(TokioExecutor::new()).serve_connection(wire, site).await
}

/// Whether a client begins with TLS, as its first byte tells.
async fn is_handshake(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(socket.peek(&mut first).await? == 1 && first[0] == TLS_HANDSHAKE)
}

/// A client that does as it is told.
fn client() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
}

async fn handle(Shared(site): Shared<Arc<Site>>, Extension(scheme): Extension<Scheme>, request: Request) -> Response {
    let Some(target) = choose(&site.state, request.headers()).await else {
        return response::html(StatusCode::NOT_FOUND, "<h1>Coming Soon!</h1><p>There is no web app here yet.</p>");
    };
    let (domain, enabled) = match &target {
        Target::WebApp(app) => (app.domain_name.clone(), app.enabled),
        Target::Website(website) => (website.domain_name.clone(), website.enabled),
    };
    if !enabled {
        return response::html(StatusCode::NOT_FOUND, "<h1>This site is disabled</h1>");
    }
    let visit = Visit::of(&request);
    let response = match &target {
        Target::WebApp(app) if site.forces_https(app) && scheme.0 != "https" => to_https(&request),
        _ => site.answer(&target, scheme, request).await.unwrap_or_else(|error| {
            log::info!("{domain}: {error}");
            failed()
        }),
    };
    visit.note(&site.state, &domain, &response);
    response
}

/// What the web server answers before the web app is asked.
async fn before(
    state: &Arc<State>,
    app: &WebApp,
    (method, uri, headers): (Method, Uri, HeaderMap),
) -> Option<Response> {
    let app = state.processes.webapps.as_loaded(app);
    if let Some(refused) = static_files::check_password(&app, &headers) {
        return Some(refused);
    }
    if app.static_files.is_empty() {
        return None;
    }
    let state = Arc::clone(state);
    on_disk(move || static_files::find(&state, &app, &method, &uri, &headers)).await.unwrap_or_else(Some)
}

/// Who answers a request.
enum Target {
    WebApp(Box<WebApp>),
    Website(Website),
}

/// The site of the domain asked for, else the account's first: on this machine no domain leads here.
async fn choose(state: &State, headers: &HeaderMap) -> Option<Target> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let domain = host.rsplit_once(':').map_or(host, |(domain, _)| domain);
    let (webapps, websites) = (&state.processes.webapps, &state.processes.websites);
    if let Some(website) = websites.get(domain).await {
        return Some(Target::Website(website));
    }
    let app = webapps.get(domain).or_else(|| webapps.all().into_iter().next());
    match app {
        Some(app) => Some(Target::WebApp(Box::new(app))),
        None => websites.all().await.into_iter().next().map(Target::Website),
    }
}

/// The same address by https.
fn to_https(request: &Request) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut response = response::html(StatusCode::MOVED_PERMANENTLY, "<h1>301 Moved Permanently</h1>");
    if let Ok(address) = HeaderValue::try_from(format!("https://{host}{path}")) {
        response.headers_mut().insert(header::LOCATION, address);
    }
    response
}

fn failed() -> Response {
    response::html(
        StatusCode::BAD_GATEWAY,
        "<h1>Something went wrong :-(</h1><p>The web app's process did not answer: its error log says why.</p>",
    )
}

type Failure = crate::emulator::server::Failure;

impl Site {
    /// Whether visitors by http are sent to https. Without https there is nowhere to send them.
    fn forces_https(&self, app: &WebApp) -> bool {
        self.has_https && self.state.processes.webapps.as_loaded(app).force_https
    }

    async fn answer(&self, target: &Target, scheme: Scheme, request: Request) -> Result<Response, Failure> {
        match target {
            Target::WebApp(app) => {
                let asked = (request.method().clone(), request.uri().clone(), request.headers().clone());
                match before(&self.state, app, asked).await {
                    Some(response) => Ok(response),
                    None => self.ask_webapp(app, scheme, request).await,
                }
            }
            Target::Website(website) => self.ask_website(website, scheme, request).await,
        }
    }

    async fn ask_webapp(&self, app: &WebApp, scheme: Scheme, request: Request) -> Result<Response, Failure> {
        let lease = self.state.processes.web.lease(app, &self.state.session()).await?;
        let settings = &self.state.settings;
        let limit = if lease.is_first { settings.first_request_limit } else { settings.request_limit };
        let sent = forward(&self.http, &format!("http://127.0.0.1:{}", lease.port), scheme, request).await?;
        let Ok(answer) = tokio::time::timeout(limit, sent.send()).await else {
            self.state.processes.web.abandon(&app.domain_name, &lease).await;
            return Err(format!("killed after {:.0} s in one request", limit.as_secs_f64()).into());
        };
        back(answer?, lease)
    }

    async fn ask_website(&self, website: &Website, scheme: Scheme, request: Request) -> Result<Response, Failure> {
        let serving = self.state.processes.websites.serving(&website.domain_name).await.ok_or("no process")?;
        let settings = &self.state.settings;
        tokio::time::timeout(settings.first_request_limit, listening(&serving))
            .await
            .map_err(|_| "its command does not listen on $DOMAIN_SOCKET")??;
        let http = client().unix_socket(serving.socket.clone()).build()?;
        let sent = forward(&http, "http://website", scheme, request).await?;
        let answer = tokio::time::timeout(settings.request_limit, sent.send()).await;
        back(answer.map_err(|_| "no answer in time")??, serving)
    }
}

/// Returns once somebody listens on a website's socket.
async fn listening(serving: &Serving) -> io::Result<()> {
    loop {
        match UnixStream::connect(&serving.socket).await {
            Ok(_) => return Ok(()),
            Err(error) if serving.has_failed() => return Err(error),
            Err(_) => tokio::time::sleep(SOCKET_LOOK).await,
        }
    }
}

/// The same request to another address.
async fn forward(
    http: &reqwest::Client,
    address: &str,
    scheme: Scheme,
    request: Request,
) -> Result<reqwest::RequestBuilder, Failure> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut headers = parts.headers;
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    headers.insert("x-real-ip", HeaderValue::from_static("127.0.0.1"));
    headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme.0));
    // The worker takes bodies of a known length only, as behind the host's web server, which buffers them.
    let body = axum::body::to_bytes(body, usize::MAX).await?;
    headers.remove(header::CONTENT_LENGTH);
    Ok(http.request(parts.method, format!("{address}{path}")).headers(headers).body(body))
}

/// The answer as it comes; `lease` lasts as long as its body does.
fn back(answer: reqwest::Response, lease: impl Send + 'static) -> Result<Response, Failure> {
    let mut response = Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        for (name, value) in answer.headers() {
            if !HOP_BY_HOP.contains(name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    let body = answer.bytes_stream().inspect(move |_| {
        let _ = &lease;
    });
    Ok(response.body(Body::from_stream(body))?)
}

/// What the access log says of a request, as far as it is known before the answer.
struct Visit {
    line: String,
    referer: String,
    agent: String,
    start: Instant,
}

impl Visit {
    fn of(request: &Request) -> Self {
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

    /// Writes the line, in the combined format that the host uses, with what it appends of its own.
    fn note(&self, state: &State, domain: &str, response: &Response) {
        let written = state.processes.web.open_log(domain, "access").and_then(|mut log| {
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
            log::warn!("the access log of {domain} cannot be written: {error}");
        }
    }
}
