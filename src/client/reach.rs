//! Hosts that cannot be reached: they refuse connections, or their name has no address.
//!
//! Such an answer comes at once and seldom changes, so a request retries for one second at most, and the requests that
//! follow try once: a program that makes twenty calls to a host that is down must not wait twenty times.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::io;
use std::sync::Mutex;
use std::time::Duration;

use crate::clock::{self, Tick};
use crate::error::Error;
use crate::locks::lock;
use crate::per_process::PerProcess;

/// How long one request tries to reach a host that refuses connections or has no address.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// How long the calls that follow to the same host try only once.
const MEMORY: Duration = Duration::from_secs(10);

/// Why no connection was made, where that tells what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The connection was refused, or the name has no address.
    NoHost,
    /// The server's certificate is not trusted, which repetition does not change.
    Certificate,
}

impl Obstacle {
    /// The obstacle behind an error of the connection.
    pub(super) fn behind(error: &Error) -> Option<Self> {
        let Error::Transport { source, .. } = error else { return None };
        let failed = source.downcast_ref::<reqwest::Error>().filter(|error| error.is_connect())?;
        if failed.is_dns() {
            return Some(Self::NoHost);
        }
        let mut cause = failed.source();
        while let Some(error) = cause {
            if let Some(found) = Self::of(error) {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    fn of(error: &(dyn StdError + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            let is_absent = matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable
            );
            // What an error of this type wraps is not among its causes.
            return if is_absent { Some(Self::NoHost) } else { error.get_ref().and_then(|inner| Self::of(inner)) };
        }
        error.downcast_ref::<rustls::Error>().and_then(Self::of_tls)
    }

    fn of_tls(error: &rustls::Error) -> Option<Self> {
        use rustls::Error::{General, InvalidCertRevocationList, InvalidCertificate, NoCertificatesPresented};
        matches!(error, InvalidCertificate(_) | InvalidCertRevocationList(_) | NoCertificatesPresented | General(_))
            .then_some(Self::Certificate)
    }
}

/// When each host was last found absent.
type Absences = Mutex<HashMap<String, Tick>>;

static ABSENT: PerProcess<Absences> = PerProcess::new(|_| Mutex::default());

/// Whether the host was absent a moment ago.
pub(super) fn was_absent(host: &str) -> bool {
    let absent = ABSENT.get();
    let absent = lock(&absent);
    absent.get(host).is_some_and(|at| clock::now() - *at < MEMORY)
}

/// Records whether the host could be reached.
pub(super) fn note(host: &str, is_absent: bool) {
    let absent = ABSENT.get();
    let mut absent = lock(&absent);
    if is_absent {
        let now = clock::now();
        absent.retain(|_, at| now - *at < MEMORY);
        absent.insert(host.to_owned(), now);
    } else if !absent.is_empty() {
        absent.remove(host);
    }
}
