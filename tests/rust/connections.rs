//! Connections that fail, and those that are shared: a host that is down, certificates, time-outs, pools.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pythonanywhere_api::client::{Options, Request};
use pythonanywhere_api::error::{Error, ErrorKind, TimeoutPhase};

use crate::engine::{client_with, options, path};
use crate::script::{Script, say};

/// A port of this machine where nothing listens.
async fn closed_port() -> u16 {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn what_is_wrong_with_a_connection_is_said() {
    let quick = Options { retries: 0, ..options() };
    for (url, hint) in [
        ("http://127.0.0.1:1", "nothing is listening there"),
        ("https://no-such-host.invalid", "could not be resolved"),
    ] {
        let error = client_with(url, quick).list_dir(&path("/home/me")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transport);
        assert!(error.to_string().contains(hint), "{error}");
    }
}

#[tokio::test]
async fn a_host_that_is_down_costs_a_second_and_the_next_calls_try_once() {
    let client = client_with(&format!("http://127.0.0.1:{}", closed_port().await), options());
    let start = Instant::now();
    for _ in 0..20 {
        assert!(client.list_dir(&path("/home/me")).await.unwrap_err().is_unsent());
    }
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    let sent = client.requests_sent();
    assert!((21..=25).contains(&sent), "the first call alone is repeated: {sent} attempts");
}

#[tokio::test]
async fn a_host_that_returns_within_a_second_is_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client_with(&format!("http://{address}"), options());
    let asked = tokio::spawn(async move { client.list_dir(&path("/home/me")).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let server = Script::listen(tokio::net::TcpListener::bind(address).await.unwrap(), [say(200, "{}")]);
    assert_eq!(asked.await.unwrap().unwrap(), []);
    assert_eq!(server.heads().len(), 1);
}

/// A server whose certificate is of no authority that anybody trusts, and how many connections it had.
async fn untrusted(names: &[&str], valid_years: std::ops::Range<i32>) -> (String, Arc<AtomicUsize>) {
    let mut parameters =
        rcgen::CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap();
    parameters.not_before = rcgen::date_time_ymd(valid_years.start, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(valid_years.end, 1, 1);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&signing_key).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            // The client is expected to break the handshake off.
            let _ = acceptor.accept(stream).await;
        }
    });
    (url, connections)
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused_at_the_first_attempt() {
    for (names, years) in
        [(["localhost"], 2020..2100), (["localhost"], 2000..2001), (["other.example.com"], 2020..2100)]
    {
        let (url, connections) = untrusted(&names, years).await;
        let start = Instant::now();
        let error = client_with(&url, options()).list_dir(&path("/home/me")).await.unwrap_err();
        assert!(error.to_string().contains("SSL_CERT_FILE"), "{error}");
        assert_eq!(connections.load(Ordering::Relaxed), 1, "it was repeated: {error}");
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn each_request_has_its_own_time_to_connect() {
    // Takes connections and says nothing, so that no TLS handshake ends.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    for milliseconds in [50, 400] {
        let connect_timeout = Duration::from_millis(milliseconds);
        let client = client_with(&url, Options { retries: 0, connect_timeout, ..options() });
        let start = Instant::now();
        let error = client.list_dir(&path("/home/me")).await.unwrap_err();
        let is_right =
            matches!(error, Error::Timeout { phase: TimeoutPhase::Connect, after, .. } if after == connect_timeout);
        assert!(is_right && error.is_unsent(), "{error:?}");
        assert!(
            start.elapsed() >= connect_timeout && start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
    }
}

#[tokio::test]
async fn clients_with_other_time_outs_share_the_connections() {
    let server = Script::start([say(200, "{}")]).await;
    for number in 0..50 {
        let connect_timeout = Duration::from_millis(5000 + number);
        let client = client_with(&server.url, Options { connect_timeout, ..options() });
        client.send(Request::get("cpu/")).await.unwrap().error_for_status().unwrap();
    }
    assert_eq!((server.heads().len(), server.connections()), (50, 1));
}
