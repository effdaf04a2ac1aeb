//! The connections of the process: one `reqwest` client for each runtime and kind of host, created on first use. What
//! differs from request to request, such as time-outs, is no part of it.
//!
//! A connection is driven by the runtime it was opened on, so a pool belongs to a runtime (a forked child has its own,
//! and so has each test). TLS trusts what the platform trusts, or, as users of requests expect, only the certificates
//! that `REQUESTS_CA_BUNDLE` or `SSL_CERT_FILE` names; verification cannot be switched off.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use reqwest::Certificate;
use reqwest::redirect::Policy;

use super::connect::TimedConnect;
use super::host::BaseUrl;
use crate::error::{Error, Result, chain};
use crate::locks::lock;
use crate::per_process::PerProcess;
use crate::tls;

/// What distinguishes connections that cannot be shared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ConnectionKind {
    /// Plain http needs no certificates, which take 30 ms to load.
    pub secure: bool,
    /// Loopback bypasses every proxy.
    pub loopback: bool,
    pub trust: Option<PathBuf>,
    /// The proxy variables as they were, since `reqwest` reads them once.
    pub proxies: Vec<Option<OsString>>,
}

const PROXY_VARIABLES: [&str; 8] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"];

impl ConnectionKind {
    /// Reads from the environment which certificates and proxies to use.
    pub(super) fn of(host: &BaseUrl) -> Self {
        let (secure, loopback) = (host.is_secure(), host.is_loopback());
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let trust = if secure { ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"].into_iter().find_map(named) } else { None };
        let proxies = if loopback { Vec::new() } else { PROXY_VARIABLES.into_iter().map(std::env::var_os).collect() };
        Self { secure, loopback, trust, proxies }
    }
}

/// The pools, the one that was used last at the end.
type Pools = Mutex<Vec<((tokio::runtime::Id, ConnectionKind), reqwest::Client)>>;

static POOLS: PerProcess<Pools> = PerProcess::new(|_| Mutex::default());

/// More are only made by a program that changes its proxies or starts runtimes over and over; the oldest goes then.
const MOST_POOLS: usize = 16;

/// Connections to a host that wait for the next request. A burst may open more.
const MOST_IDLE: usize = 32;

/// The pool for a kind of host. Must be called on a runtime.
pub(super) fn get(kind: &ConnectionKind) -> Result<reqwest::Client> {
    let key = (tokio::runtime::Handle::current().id(), kind.clone());
    let pools = POOLS.get();
    let mut pools = lock(&pools);
    let client = match pools.iter().position(|(known, _)| *known == key) {
        Some(at) => pools.remove(at).1,
        None => build(kind)?,
    };
    if pools.len() >= MOST_POOLS {
        pools.remove(0);
    }
    pools.push((key, client.clone()));
    Ok(client)
}

/// Refuses a proxy that cannot be used: silently bypassing it could break a rule of the network.
fn check_proxies(kind: &ConnectionKind) -> Result<()> {
    let secure = kind.secure.then_some(["HTTPS_PROXY", "https_proxy"]).into_iter().flatten();
    let used: Vec<_> = secure.chain(["ALL_PROXY", "all_proxy"]).collect();
    for (name, value) in PROXY_VARIABLES.iter().zip(&kind.proxies).filter(|(name, _)| used.contains(name)) {
        let value = value.as_ref().map(|value| value.to_string_lossy()).unwrap_or_default();
        let with_scheme = if value.contains("://") { value.to_string() } else { format!("http://{value}") };
        let is_proxy = url::Url::parse(&with_scheme)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|h| !h.is_empty()));
        if !value.is_empty() && !is_proxy {
            // Not quoted: it may contain a password.
            return Err(Error::config(format!(
                "{name} does not name a usable proxy: set it to one like \"http://proxy.example.com:3128\", or unset it"
            )));
        }
    }
    Ok(())
}

fn build(kind: &ConnectionKind) -> Result<reqwest::Client> {
    check_proxies(kind)?;
    tls::install_provider();
    let mut builder = builder();
    if kind.loopback {
        builder = builder.no_proxy();
    }
    if let Some(path) = &kind.trust {
        builder = builder.tls_certs_only(certificates(path)?);
    } else if !kind.secure {
        builder = builder.tls_certs_only([]);
    }
    builder.build().map_err(|error| {
        Error::config(format!(
            "connections cannot be set up: {}; if the system has no certificates (package ca-certificates), set \
             SSL_CERT_FILE to a file with those to trust; check the proxy variables too",
            chain(&error)
        ))
    })
}

/// What all connections have in common.
fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .user_agent(user_agent())
        // The API needs no redirect, and following one could carry the token to another host.
        .redirect(Policy::none())
        .referer(false)
        // Retries are decided in one place, which is not here.
        .retry(reqwest::retry::never())
        .connector_layer(TimedConnect)
        .pool_max_idle_per_host(MOST_IDLE)
        .tcp_keepalive(Duration::from_secs(30))
}

/// The certificates in a PEM file, or in the PEM files of a folder (requests takes both).
fn certificates(path: &Path) -> Result<Vec<Certificate>> {
    let explain =
        |why: String| Error::config(format!("cannot load trusted certificates from {}: {why}", path.display()));
    let read = |file: &Path| std::fs::read(file).map_err(|error| explain(error.to_string()));
    let mut found = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|error| explain(error.to_string()))? {
            let file = entry.map_err(|error| explain(error.to_string()))?.path();
            if file.is_file() {
                // A folder may hold other things than certificates.
                found.extend(Certificate::from_pem_bundle(&read(&file)?).unwrap_or_default());
            }
        }
    } else {
        found = Certificate::from_pem_bundle(&read(path)?).map_err(|error| explain(chain(&error)))?;
    }
    if found.is_empty() {
        return Err(explain("none found: REQUESTS_CA_BUNDLE and SSL_CERT_FILE must name PEM certificates".to_owned()));
    }
    Ok(found)
}

/// Our name, and that of the calling program if it gives one.
fn user_agent() -> String {
    let own = concat!("pythonanywhere-api/", env!("CARGO_PKG_VERSION"));
    let caller = std::env::var("PYTHONANYWHERE_CLIENT").unwrap_or_default();
    let caller: String = caller.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(100).collect();
    if caller.trim().is_empty() { own.to_owned() } else { format!("{own} {}", caller.trim()) }
}
