//! An emulator for a test, and the plain HTTP clients that drive it: never ours, which must not vouch for itself.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;
use std::sync::Once;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use pythonanywhere_api::emulator::{Emulator, Settings};
use reqwest::multipart::{Form, Part};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::Value;

/// A running emulator and a client with its token.
pub struct Host {
    pub emulator: Emulator,
    client: Client,
}

/// Settings without a rate limit.
pub fn unlimited() -> Settings {
    Settings { rate_limit: None, send_input_limit: None, ..Settings::default() }
}

/// A client that follows nothing and knows no proxy.
pub fn plain_client() -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Another test may have installed it already.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(Duration::from_secs(20))
}

impl Host {
    pub fn start(settings: Settings) -> Self {
        Self { emulator: Emulator::start(settings).unwrap(), client: plain_client().build().unwrap() }
    }

    /// The address of an endpoint, given below the user, or with the API's version from `/api/` on.
    pub fn url(&self, endpoint: &str) -> String {
        if endpoint.starts_with("/api/") {
            return format!("{}{endpoint}", self.emulator.url());
        }
        format!("{}/api/v0/user/demo/{endpoint}", self.emulator.url())
    }

    /// A request with the token.
    pub fn request(&self, method: Method, endpoint: &str) -> RequestBuilder {
        let token = format!("Token {}", self.emulator.token());
        self.client.request(method, self.url(endpoint)).header("Authorization", token)
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub async fn get(&self, endpoint: &str) -> Response {
        self.request(Method::GET, endpoint).send().await.unwrap()
    }

    /// Sends a JSON body and returns the status and the JSON answer, null where there is none.
    pub async fn call(&self, method: Method, endpoint: &str, body: Value) -> (u16, Value) {
        let answer = self.request(method, endpoint).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// The status and the text of a page of a site, asked for by its domain.
    pub async fn page(&self, domain: &str, path: &str) -> (u16, String) {
        let address = format!("{}{path}", self.emulator.site_url());
        let answer = self.client.get(address).header("Host", domain).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// A log file of the account.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.emulator.root().join("var/log").join(name)).unwrap_or_default()
    }

    pub async fn delete(&self, endpoint: &str) -> Response {
        self.request(Method::DELETE, endpoint).send().await.unwrap()
    }

    /// Uploads `content` to a path whose every byte is quoted, and returns the status.
    pub async fn upload(&self, path: impl AsRef<[u8]>, content: impl Into<Vec<u8>>) -> u16 {
        let form = Form::new().part("content", Part::bytes(content.into()).file_name("ignored"));
        self.request(Method::POST, &file(path)).multipart(form).send().await.unwrap().status().as_u16()
    }

    /// The real path of a path below the home folder.
    pub fn home(&self, path: &str) -> PathBuf {
        self.emulator.root().join("home/demo").join(path)
    }

    /// Sends bytes on a bare socket and returns what comes back until the connection ends.
    pub fn raw(&self, bytes: &str) -> String {
        read_all(self.send_raw(bytes))
    }

    /// The same, by a client that stops sending in the middle.
    pub fn raw_and_leave(&self, bytes: &str) -> String {
        let socket = self.send_raw(bytes);
        socket.shutdown(Shutdown::Write).unwrap();
        read_all(socket)
    }

    fn send_raw(&self, bytes: &str) -> TcpStream {
        let mut socket = TcpStream::connect(self.emulator.url().trim_start_matches("http://")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.write_all(bytes.as_bytes()).unwrap();
        socket
    }

    /// A request with the token and a path that no URL library touches.
    pub fn raw_request(&self, method: &str, target: &str) -> String {
        let token = self.emulator.token();
        self.raw(&format!(
            "{method} {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {token}\r\nConnection: close\r\n\r\n"
        ))
    }
}

fn read_all(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// `files/path` and a path in the account, each byte but the slashes quoted where it is not a letter or digit.
pub fn file(path: impl AsRef<[u8]>) -> String {
    const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');
    format!("files/path{}", percent_encode(path.as_ref(), QUOTED))
}

/// Asks again and again until there is an answer, which there must be at all.
pub async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < Duration::from_secs(30), "what was waited for did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process runs; one that is dead and not yet waited for does not.
pub fn is_there(process: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

pub fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// The status and the JSON body.
pub async fn said(response: Response) -> (u16, Value) {
    (response.status().as_u16(), response.json().await.unwrap())
}
