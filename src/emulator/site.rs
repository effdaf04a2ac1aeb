//! The listener that serves the account's web apps, in the place of the host's web server.

use std::io::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri, header};
use tokio::net::TcpListener;

use super::answer;
use super::process::WebApp;
use super::routes::files::on_disk;
use super::state::State;
use super::static_files;
use crate::clock;

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

struct Site {
    state: Arc<State>,
    http: reqwest::Client,
}

/// Serves the web apps until the task is dropped.
pub async fn serve(listener: TcpListener, state: Arc<State>) {
    crate::tls::install_provider();
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .pool_max_idle_per_host(0)
        .build();
    let http = match http {
        Ok(http) => http,
        Err(error) => return log::error!("the web apps cannot be served: {error}"),
    };
    let site = axum::Router::new().fallback(handle).with_state(Arc::new(Site { state, http }));
    if let Err(error) = axum::serve(listener, site).await {
        log::error!("the web apps are no longer served: {error}");
    }
}

async fn handle(Shared(site): Shared<Arc<Site>>, request: Request) -> Response {
    let Some(app) = choose(&site.state, request.headers()) else {
        return answer::html(StatusCode::NOT_FOUND, "<h1>Coming Soon!</h1><p>There is no web app here yet.</p>");
    };
    if !app.enabled {
        return answer::html(StatusCode::NOT_FOUND, "<h1>This site is disabled</h1>");
    }
    let line = format!("{} {}", request.method(), request.uri().path_and_query().map_or("/", |path| path.as_str()));
    let asked = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let response = match before(&site.state, &app, asked).await {
        Some(response) => response,
        None => site.forward(&app, request).await.unwrap_or_else(|error| {
            log::info!("{}: {error}", app.domain_name);
            failed()
        }),
    };
    note(&site.state, &app, &line, response.status());
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

/// The web app of the domain asked for, else the account's first: on this machine no domain leads here.
fn choose(state: &State, headers: &HeaderMap) -> Option<WebApp> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let domain = host.rsplit_once(':').map_or(host, |(domain, _)| domain);
    state.processes.webapps.get(domain).or_else(|| state.processes.webapps.all().into_iter().next())
}

fn failed() -> Response {
    answer::html(
        StatusCode::BAD_GATEWAY,
        "<h1>Something went wrong :-(</h1><p>The web app's process did not answer: its error log says why.</p>",
    )
}

impl Site {
    async fn forward(
        &self,
        app: &WebApp,
        request: Request,
    ) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
        let lease = self.state.processes.web.lease(app, &self.state.session()).await?;
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut headers = parts.headers;
        for name in &HOP_BY_HOP {
            headers.remove(name);
        }
        headers.insert("x-real-ip", http::HeaderValue::from_static("127.0.0.1"));
        headers.insert("x-forwarded-proto", http::HeaderValue::from_static("http"));
        // The worker takes bodies of a known length only, as behind the host's web server, which buffers them.
        let body = axum::body::to_bytes(body, usize::MAX).await?;
        headers.remove(header::CONTENT_LENGTH);
        let url = format!("http://127.0.0.1:{}{path}", lease.port);
        let settings = &self.state.settings;
        let limit = if lease.is_first { settings.first_request_limit } else { settings.request_limit };
        let sent = self.http.request(parts.method, url).headers(headers).body(body).send();
        let Ok(answer) = tokio::time::timeout(limit, sent).await else {
            self.state.processes.web.abandon(&app.domain_name, &lease).await;
            return Err(format!("killed after {:.0} s in one request", limit.as_secs_f64()).into());
        };
        let answer = answer?;

        let mut response = Response::builder().status(answer.status());
        if let Some(headers) = response.headers_mut() {
            for (name, value) in answer.headers() {
                if !HOP_BY_HOP.contains(name) {
                    headers.append(name.clone(), value.clone());
                }
            }
        }
        // The lease lasts as long as the body does.
        let body = answer.bytes_stream().inspect(move |_| {
            let _ = &lease;
        });
        Ok(response.body(Body::from_stream(body))?)
    }
}

/// A line in the access log, as the host's web server writes it.
fn note(state: &State, app: &WebApp, line: &str, status: StatusCode) {
    let written = state.processes.web.open_log(&app.domain_name, "access").and_then(|mut log| {
        let date = httpdate::fmt_http_date(clock::wall());
        writeln!(log, "127.0.0.1 - - [{date}] \"{line} HTTP/1.1\" {} -", status.as_u16())
    });
    if let Err(error) = written {
        log::warn!("the access log of {} cannot be written: {error}", app.domain_name);
    }
}
