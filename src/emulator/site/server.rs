//! The server for the account's web apps and websites, in place of the host's web server.

use std::io;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::access_log::PageRequest;
use super::local_name::LocalName;
use super::proxy::{Proxy, Scheme};
use super::static_files;
use crate::clock;
use crate::emulator::fault::wire::{SocketStream, Wire};
use crate::emulator::files::on_disk;
use crate::emulator::listener::{ConnectionError, accept_all};
use crate::emulator::named_host::{is_this_machine, named_host};
use crate::emulator::process::{WebApp, Website};
use crate::emulator::response;
use crate::emulator::state::EmulatorState;

/// The first byte of a TLS connection.
const TLS_HANDSHAKE: u8 = 0x16;

struct SiteServer {
    state: Arc<EmulatorState>,
    proxy: Proxy,
    has_https: bool,
}

/// Serves the web apps until the task is dropped. With an `acceptor`, one port accepts both HTTPS and HTTP.
pub async fn serve(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<EmulatorState>) {
    crate::tls::install_provider();
    let proxy = match Proxy::new(Arc::clone(&state)) {
        Ok(proxy) => proxy,
        Err(error) => return log::error!("cannot serve web apps: {error}"),
    };
    let has_https = acceptor.is_some();
    let site = Router::new().fallback(handle).with_state(Arc::new(SiteServer { state, proxy, has_https }));
    accept_all(listener, |socket| connection(socket, acceptor.clone(), site.clone())).await;
}

async fn connection(socket: TcpStream, acceptor: Option<TlsAcceptor>, site: Router) -> Result<(), ConnectionError> {
    let acceptor = match acceptor {
        Some(acceptor) if is_handshake(&socket).await? => Some(acceptor),
        _ => None,
    };
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let wire = TokioIo::new(Wire::new(SocketStream::open(socket, acceptor).await?, Arc::default()));
    let site = TowerToHyperService::new(site.layer(Extension(Scheme(scheme))));
    auto::Builder::new(TokioExecutor::new()).serve_connection(wire, site).await
}

/// Whether a client starts with TLS, judged by its first byte.
async fn is_handshake(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    Ok(socket.peek(&mut first).await? == 1 && first[0] == TLS_HANDSHAKE)
}

async fn handle(
    State(site): State<Arc<SiteServer>>,
    Extension(scheme): Extension<Scheme>,
    mut request: Request,
) -> Response {
    site.state.latency.pass().await;
    let local = LocalName::take(request.headers_mut());
    let response = respond(&site, scheme, request).await;
    match local {
        Some(local) => local.restore(response),
        None => response,
    }
}

async fn respond(site: &Arc<SiteServer>, scheme: Scheme, request: Request) -> Response {
    let domain = named_host(&request).unwrap_or_default().to_owned();
    let Some(target) = choose(&site.state, &domain).await else {
        return response::html(StatusCode::NOT_FOUND, "<h1>Coming Soon!</h1><p>There is no web app here yet.</p>");
    };
    if !target.is_served() {
        return response::html(StatusCode::NOT_FOUND, "<h1>This site is disabled</h1>");
    }
    let (page, domain) = (PageRequest::of(&request), target.domain());
    let response = match &target {
        SiteTarget::WebApp(app) if site.forces_https(app) && scheme.0 != "https" => to_https(&request),
        _ => site.answer(&target, scheme, request).await.unwrap_or_else(|error| {
            log::info!("{domain}: {error}");
            failed()
        }),
    };
    page.log(&site.state, domain, &response);
    response
}

/// The web server's own response, if it does not pass the request to the web app.
async fn before(
    state: &Arc<EmulatorState>,
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

/// The site that a request is for.
enum SiteTarget {
    WebApp(Box<WebApp>),
    Website(Website),
}

impl SiteTarget {
    fn domain(&self) -> &str {
        match self {
            Self::WebApp(app) => &app.domain_name,
            Self::Website(website) => &website.domain_name,
        }
    }

    fn is_served(&self) -> bool {
        match self {
            Self::WebApp(app) => app.is_served(clock::wall()),
            Self::Website(website) => website.enabled,
        }
    }
}

/// The site of the requested domain. This machine, which no domain resolves to, stands for the account's first site.
async fn choose(state: &EmulatorState, domain: &str) -> Option<SiteTarget> {
    let (webapps, websites) = (&state.processes.webapps, &state.processes.websites);
    if let Some(website) = websites.get(domain).await {
        return Some(SiteTarget::Website(website));
    }
    if let Some(app) = webapps.get(domain) {
        return Some(SiteTarget::WebApp(Box::new(app)));
    }
    if !domain.is_empty() && !is_this_machine(domain) {
        return None;
    }
    match webapps.all().into_iter().next() {
        Some(app) => Some(SiteTarget::WebApp(Box::new(app))),
        None => websites.all().await.into_iter().next().map(SiteTarget::Website),
    }
}

/// A redirect to the same address over HTTPS.
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

impl SiteServer {
    /// Whether visitors are redirected to HTTPS. Without HTTPS there is nowhere to redirect them.
    fn forces_https(&self, app: &WebApp) -> bool {
        self.has_https && self.state.processes.webapps.as_loaded(app).force_https
    }

    async fn answer(&self, target: &SiteTarget, scheme: Scheme, request: Request) -> Result<Response, ConnectionError> {
        match target {
            SiteTarget::WebApp(app) => {
                let asked = (request.method().clone(), request.uri().clone(), request.headers().clone());
                match before(&self.state, app, asked).await {
                    Some(response) => Ok(response),
                    None => self.proxy.ask_webapp(app, scheme, request).await,
                }
            }
            SiteTarget::Website(website) => self.proxy.ask_website(website, scheme, request).await,
        }
    }
}
