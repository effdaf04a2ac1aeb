//! One attempt: the body is sent and the answer received, under three time-outs.
//!
//! The time-out between bytes watches both directions, so that a slow but steady upload of any size goes through and a
//! dead connection is noticed. (`reqwest`'s own read time-out also runs while the body is being sent.)

use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::multipart::{Form, Part};

use super::connect;
use super::content::{CHUNK_SIZE, FileContent, Opened};
use super::decode::{Decoder, Gathered, Limit};
use super::observer::Observer;
use super::options::Options;
use super::request::{Body, FilePart, Request};
use super::response::Response;
use super::save::Destination;
use super::secrets::Secrets;
use super::success::Success;
use crate::error::{Error, Result, TimeoutPhase};
use crate::locks::lock;

/// How much of a body the system's buffers may hold, where its progress is invisible, and how fast it leaves them on a
/// slow line.
const BUFFERS: u64 = 4 * 1024 * 1024;
const SLOW_LINE_PER_SECOND: u64 = 32 * 1024;

/// An error of the body itself, which the connection's error does not carry.
type Failure = Arc<Mutex<Option<Error>>>;

/// When the last byte moved, and how many did.
pub(super) struct Activity {
    start: Instant,
    last: AtomicU64,
    /// Bytes of the body that went out, where they are counted.
    pub sent: AtomicU64,
    /// Bytes of the answer's body that came, before they were unpacked.
    pub received: AtomicU64,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0), sent: AtomicU64::new(0), received: AtomicU64::new(0) }
    }

    /// The time since the attempt began.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn receive(&self, chunk: &Bytes) {
        self.received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        self.touch();
    }

    fn touch(&self) {
        let elapsed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(elapsed, Ordering::Relaxed);
    }

    /// Ends once nothing has moved for `limit`.
    async fn idle(&self, limit: Duration) {
        loop {
            let deadline = self.start + Duration::from_millis(self.last.load(Ordering::Relaxed)) + limit;
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline.into()).await;
        }
    }
}

/// What an attempt needs besides the request.
pub(super) struct Attempt<'a> {
    pub pool: &'a reqwest::Client,
    pub request: &'a Request,
    pub url: &'a url::Url,
    pub headers: &'a http::HeaderMap,
    pub options: &'a Options,
    pub observer: Option<&'a Arc<dyn Observer>>,
    /// What means success.
    pub success: Success,
}

impl Attempt<'_> {
    /// Sends the request once.
    pub(super) async fn run(&self, activity: &Arc<Activity>) -> Result<Response> {
        let opened = self.open().await?;
        activity.touch();
        let total = self.request.timeout.unwrap_or(self.options.total_timeout);
        // A request with a time-out of its own has it for the first byte too: a reload is silent for minutes.
        let idle = self.request.timeout.unwrap_or(self.options.read_timeout + self.time_in_buffers(&opened));
        tokio::select! {
            biased;
            answer = connect::within(self.options.connect_timeout, self.exchange(opened, activity)) => answer,
            () = activity.idle(idle) => Err(self.timed_out(TimeoutPhase::Read, idle)),
            () = tokio::time::sleep(total) => Err(self.timed_out(TimeoutPhase::Total, total)),
        }
    }

    /// The contents of a multipart body, opened for this attempt.
    async fn open(&self) -> Result<Vec<Opened>> {
        let mut opened = Vec::new();
        if let Body::Multipart { files, .. } = &self.request.body {
            for file in files {
                opened.push(file.content.open().await?);
            }
        }
        Ok(opened)
    }

    fn time_in_buffers(&self, opened: &[Opened]) -> Duration {
        let length = match &self.request.body {
            Body::Empty => 0,
            Body::Bytes(content) => content.len() as u64,
            Body::Multipart { .. } => {
                opened.iter().fold(0, |sum: u64, one| sum.saturating_add(one.length.unwrap_or(BUFFERS)))
            }
        };
        Duration::from_secs(length.min(BUFFERS) / SLOW_LINE_PER_SECOND)
    }

    /// Sends and receives. An error of the body itself is the cause of any error of the connection.
    async fn exchange(&self, opened: Vec<Opened>, activity: &Arc<Activity>) -> Result<Response> {
        let failure = Failure::default();
        let answer = self.send_and_receive(opened, activity, &failure).await;
        let error = lock(&failure).take();
        error.map_or(answer, Err)
    }

    async fn send_and_receive(
        &self,
        opened: Vec<Opened>,
        activity: &Arc<Activity>,
        failure: &Failure,
    ) -> Result<Response> {
        let builder = self.pool.request(self.request.method.clone(), self.url.clone()).headers(self.all_headers());
        let builder = self.with_body(builder, opened, activity, failure);
        let mut answer = builder.send().await.map_err(|error| self.failed(error))?;
        activity.touch();
        let mut response = self.without_body(&mut answer);
        let decoder = Decoder::new(&mut response.headers).map_err(|error| self.damaged(error))?;
        match &self.request.destination {
            Some(destination) if response.is_file_content() => {
                self.save(destination, answer, decoder, activity).await?;
            }
            _ => {
                let body = Gathered::new(decoder, self.limit(&response));
                (response.body, response.is_cut) = self.receive(answer, body, activity).await?;
            }
        }
        Ok(response)
    }

    /// The headers of the account with those of the request, which go before them.
    fn all_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.extend(self.request.headers.clone());
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("gzip"));
        headers
    }

    fn without_body(&self, answer: &mut reqwest::Response) -> Response {
        Response {
            method: self.request.method.clone(),
            url: self.url.clone(),
            status: answer.status(),
            headers: std::mem::take(answer.headers_mut()),
            body: Bytes::new(),
            is_cut: false,
            success: self.success,
            secrets: Secrets::of(self.headers, self.request),
        }
    }

    /// How much of the body is kept.
    fn limit(&self, response: &Response) -> Limit {
        let (is_error, is_file) = (!response.status.is_success(), response.is_file_content());
        let head = self.request.head.filter(|_| is_file);
        head.map_or_else(|| Limit::of(is_error, is_file, self.request.max_bytes), Limit::Cut)
    }

    async fn receive(
        &self,
        mut answer: reqwest::Response,
        mut body: Gathered,
        activity: &Activity,
    ) -> Result<(Bytes, bool)> {
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            activity.receive(&chunk);
            if !body.add(&chunk).map_err(|error| self.damaged(error))? {
                break;
            }
        }
        if body.is_too_long {
            return Err(self.too_long(answer.status().as_u16(), body.length()));
        }
        body.finish().map_err(|error| self.damaged(error))
    }

    async fn save(
        &self,
        destination: &Destination,
        mut answer: reqwest::Response,
        mut decoder: Decoder,
        activity: &Activity,
    ) -> Result<()> {
        let mut saving = destination.begin().await?;
        let (status, mut length) = (answer.status().as_u16(), 0);
        let mut pieces = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.failed(error))? {
            activity.receive(&chunk);
            for part in Decoder::steps(&chunk) {
                let unpacked = decoder.unpack(&part, |_, piece| {
                    pieces.push(piece);
                    true
                });
                unpacked.map_err(|error| self.damaged(error))?;
                for piece in pieces.drain(..) {
                    length += piece.len();
                    if self.request.max_bytes.is_some_and(|most| length > most) {
                        return Err(self.too_long(status, length));
                    }
                    saving.write_chunk(&piece).await?;
                    // A disk may be slower than the line.
                    activity.touch();
                }
            }
        }
        saving.write_chunk(&decoder.finish().map_err(|error| self.damaged(error))?).await?;
        saving.finish().await
    }

    fn with_body(
        &self,
        builder: reqwest::RequestBuilder,
        opened: Vec<Opened>,
        activity: &Arc<Activity>,
        failure: &Failure,
    ) -> reqwest::RequestBuilder {
        match &self.request.body {
            Body::Empty => builder,
            Body::Bytes(content) if content.len() <= CHUNK_SIZE => {
                activity.sent.fetch_add(content.len() as u64, Ordering::Relaxed);
                builder.body(content.clone())
            }
            Body::Bytes(content) => {
                let chunks = self.chunks(Opened::of_bytes(content.clone()), activity, failure);
                builder.header(CONTENT_LENGTH, content.len()).body(reqwest::Body::wrap_stream(chunks))
            }
            Body::Multipart { fields, files } => {
                let form =
                    fields.iter().fold(Form::new(), |form, (name, value)| form.text(name.clone(), value.clone()));
                let form = files.iter().zip(opened).fold(form, |form, (file, opened)| {
                    form.part(file.field.clone(), self.part(file, opened, activity, failure))
                });
                builder.multipart(form)
            }
        }
    }

    fn part(&self, file: &FilePart, opened: Opened, activity: &Arc<Activity>, failure: &Failure) -> Part {
        let length = opened.length;
        let content: reqwest::Body = match &file.content {
            FileContent::Bytes(bytes) if bytes.len() <= CHUNK_SIZE && self.observer.is_none() => {
                activity.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                bytes.clone().into()
            }
            _ => reqwest::Body::wrap_stream(self.chunks(opened, activity, failure)),
        };
        let part = match length {
            Some(length) => Part::stream_with_length(content, length),
            None => Part::stream(content),
        };
        part.file_name(file.name.clone())
    }

    /// The content in chunks; a request for the next chunk means that those before it were sent.
    ///
    /// The connection continues to send a body even when its request was dropped. A request that was given up must not
    /// take effect behind the caller's back, so its body is cut off then: `failure` lives as long as the exchange.
    fn chunks(
        &self,
        opened: Opened,
        activity: &Arc<Activity>,
        failure: &Failure,
    ) -> impl futures_util::Stream<Item = std::io::Result<Bytes>> + use<> {
        let (activity, failure, observer) =
            (Arc::clone(activity), Arc::downgrade(failure), self.observer.map(Arc::clone));
        let path = self.request.path.clone();
        let mut chunks = opened.checked();
        stream::poll_fn(move |context| {
            let Some(failure) = failure.upgrade() else {
                return Poll::Ready(Some(Err(std::io::Error::other("the request was given up"))));
            };
            let chunk = ready!(chunks.poll_next_unpin(context));
            activity.touch();
            Poll::Ready(chunk.map(|chunk| match chunk {
                Ok(chunk) => {
                    activity.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                    if let Some(observer) = observer.as_ref().filter(|_| !chunk.is_empty()) {
                        observer.bytes_sent(&path, chunk.len() as u64);
                    }
                    Ok(chunk)
                }
                Err(error) => {
                    *lock(&failure) = Some(error);
                    Err(std::io::Error::other("the content could not be read completely"))
                }
            }))
        })
    }

    fn timed_out(&self, phase: TimeoutPhase, after: Duration) -> Error {
        Error::Timeout { method: self.request.method.to_string(), url: self.plain_url(), phase, after }
    }

    fn too_long(&self, status: u16, bytes: usize) -> Error {
        Error::Decode {
            method: self.request.method.to_string(),
            path: self.url.path().to_owned(),
            status,
            expected: "an answer of a reasonable length",
            snippet: format!("more than {bytes} bytes"),
        }
    }

    /// An answer whose body is not what its headers announce.
    fn damaged(&self, error: std::io::Error) -> Error {
        Error::Transport {
            method: self.request.method.to_string(),
            url: self.plain_url(),
            hint: Some("the answer was cut off or damaged".to_owned()),
            source: Box::new(error),
        }
    }

    /// The URL without its query, which may contain secrets.
    fn plain_url(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.into()
    }

    fn failed(&self, error: reqwest::Error) -> Error {
        // A connection that was lost in the middle counts as a time-out too; that request may have arrived.
        if error.is_timeout() && error.is_connect() {
            return self.timed_out(TimeoutPhase::Connect, self.options.connect_timeout);
        }
        let hint = hint(&error);
        Error::Transport {
            method: self.request.method.to_string(),
            url: self.plain_url(),
            hint: hint.map(str::to_owned),
            source: Box::new(error.without_url()),
        }
    }
}

/// What the causes of an error say, in lower case.
fn words_of_causes(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(|cause| cause.to_string().to_ascii_lowercase() + "\n").collect()
}

/// What to check. Only a hint: no decision depends on it.
fn hint(error: &reqwest::Error) -> Option<&'static str> {
    if error.is_dns() {
        return Some("the host name could not be resolved: check its spelling and the network");
    }
    let words = words_of_causes(error);
    if words.contains("tunnel") || words.contains("proxy") {
        Some("the proxy refused the connection: check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")
    } else if words.contains("certificate") {
        Some("the server's certificate is not trusted: set SSL_CERT_FILE to a file with the certificates to trust")
    } else if words.contains("refused") {
        Some("nothing is listening there: check host and port")
    } else if error.is_body() || error.is_decode() || words.contains("closed before") || words.contains("incomplete") {
        Some("the answer was cut off")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_lost_in_the_middle_is_no_failure_to_connect() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url: url::Url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        // What the system reports when nothing is acknowledged any more.
        let lost = futures_util::stream::once(std::future::ready(Err::<Bytes, _>(std::io::Error::from(
            std::io::ErrorKind::TimedOut,
        ))));
        crate::tls::install_provider();
        let pool = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let error = pool.post(url.clone()).body(reqwest::Body::wrap_stream(lost)).send().await.unwrap_err();
        assert!(error.is_timeout(), "the test's premise: {error:?}");
        let (request, headers, options) = (Request::post("x/"), http::HeaderMap::new(), Options::default());
        let attempt = Attempt {
            pool: &pool,
            request: &request,
            url: &url,
            headers: &headers,
            options: &options,
            observer: None,
            success: Success::Any,
        };
        assert!(matches!(attempt.failed(error), Error::Transport { .. }));
    }
}
