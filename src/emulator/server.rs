//! Starting and stopping an emulator.
//!
//! It has its own runtime and threads, so it can be used from a test's thread, from another runtime, or from Python. It
//! has its own accept loop, because faults need the sockets.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use super::account::Account;
use super::certificates::Certificates;
use super::fault::hold::{HeldRequest, HeldRequests};
use super::fault::rules::Faults;
use super::fault::wire::{SocketStream, Wire, WireFault};
use super::latency::Latency;
use super::listener::{self, ConnectionError, accept_all};
use super::middleware::{self, Routers};
use super::package_index;
use super::preferences::PreferenceStore;
use super::process::Processes;
use super::request_log::{LoggedRequest, RequestLog};
use super::settings::Settings;
use super::shares::Shares;
use super::site::server as site;
use super::state::EmulatorState;
use super::throttle::Throttle;
use super::tls;
use crate::digest::random_hex;
use crate::locks::lock;

const PROCESSES_END_WITHIN: Duration = Duration::from_millis(700);
const TASKS_END_WITHIN: Duration = Duration::from_millis(200);

/// A running emulator, until it is dropped or stopped. All methods may be called from any thread.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<EmulatorState>,
    runtime: Mutex<Option<Runtime>>,
    /// A forked child inherits the value, but not the threads, and it must not remove the root.
    process: u32,
}

impl Emulator {
    /// Starts an emulator. It accepts requests when this returns.
    ///
    /// # Errors
    /// If the root cannot be written, the port is in use, or the system refuses threads or sockets.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let workers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 4);
        let runtime =
            Builder::new_multi_thread().worker_threads(workers).thread_name("emulator").enable_all().build()?;
        match launch(&runtime, settings) {
            Ok(state) => Ok(Self { state, runtime: Mutex::new(Some(runtime)), process: std::process::id() }),
            Err(error) => {
                // Dropping it would block, which panics if the caller is inside another runtime.
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// The API's address, as in `http://127.0.0.1:8000`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.state.url
    }

    /// The account's user name.
    #[must_use]
    pub fn user(&self) -> &str {
        self.state.account.user()
    }

    /// The account's API token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.state.token
    }

    /// The real directory that stands for the account's `/`.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.state.account.root()
    }

    /// The address at which the account's web apps are served.
    #[must_use]
    pub fn site_url(&self) -> &str {
        &self.state.site_url
    }

    /// The address of the account's package index, if it was given a folder of packages.
    #[must_use]
    pub fn package_index(&self) -> Option<&str> {
        self.state.package_index.as_deref()
    }

    /// The address of the page to look at, with its token, unless it is turned off.
    #[must_use]
    pub fn page(&self) -> Option<String> {
        self.state.page_token.as_ref().map(|token| format!("{}/?token={token}", self.state.url))
    }

    /// `"host"` if the account's processes see it at its own paths, `"root"` if only below [`Emulator::root`].
    #[must_use]
    pub fn paths(&self) -> &'static str {
        self.state.processes.paths()
    }

    /// Every request since the last [`Emulator::clear_requests`], oldest first, including unanswered ones.
    #[must_use]
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.state.log.all()
    }

    /// Clears the request log.
    pub fn clear_requests(&self) {
        self.state.log.clear();
    }

    /// The rules for faults.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.state.faults
    }

    /// The requests that are held by a [`super::FaultKind::Hold`], oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<HeldRequest> {
        self.state.held.held()
    }

    /// Releases a held request; false if no request with this number is held.
    pub fn release(&self, number: u64) -> bool {
        self.state.held.release(number)
    }

    /// Releases all held requests. The rules remain and hold further requests.
    pub fn release_all(&self) {
        self.state.held.release_all();
    }

    /// Blocks until `count` requests are held; false if that takes longer than `timeout`.
    #[must_use]
    pub fn wait_held(&self, count: usize, timeout: Duration) -> bool {
        self.state.held.wait_held(count, timeout)
    }

    /// Stops within a second: closes every connection, kills every process, removes a temporary root.
    pub fn stop(&self) {
        let Some(runtime) = lock(&self.runtime).take() else { return };
        if std::process::id() != self.process {
            // Waiting for the parent's threads would never end.
            std::mem::forget(runtime);
            return;
        }
        let state = Arc::clone(&self.state);
        // A runtime cannot be awaited from inside another, and the caller may be inside one.
        let ended = thread::spawn(move || shut_down(runtime, &state));
        if ended.join().is_err() {
            log::error!("the emulator failed to stop");
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if std::process::id() != self.process {
            std::mem::forget(Arc::clone(&self.state));
        }
        self.stop();
    }
}

fn shut_down(runtime: Runtime, state: &EmulatorState) {
    let stopped = runtime.block_on(async { tokio::time::timeout(PROCESSES_END_WITHIN, state.processes.stop()).await });
    if stopped.is_err() {
        log::warn!("the emulator's processes did not stop in time");
    }
    runtime.shutdown_timeout(TASKS_END_WITHIN);
    state.account.remove_temporary();
}

fn launch(runtime: &Runtime, settings: Settings) -> io::Result<Arc<EmulatorState>> {
    let _inside = runtime.enter();
    let account = Arc::new(Account::open(&settings)?);
    let acceptor = settings.tls.as_deref().map(tls::acceptor).transpose()?;
    let api = listener::bind(settings.port)?;
    let site = listener::bind(0)?;
    let packages = settings.package_index.clone().map(packages).transpose()?;
    let processes = Processes::new(&settings, &account)?;
    let scheme = if acceptor.is_some() { "https" } else { "http" };
    let state = Arc::new(EmulatorState {
        token: settings.token.clone().map_or_else(|| random_hex(40), Ok)?,
        url: format!("{scheme}://{}", api.local_addr()?),
        site_url: format!("{scheme}://{}", site.local_addr()?),
        package_index: packages.as_ref().map(|(_, listener)| index_address(listener)).transpose()?,
        throttle: Throttle::new(&settings),
        page_token: settings.page.then(|| random_hex(32)).transpose()?,
        latency: Latency::new(settings.latency),
        faults: Faults::default(),
        held: HeldRequests::default(),
        log: RequestLog::default(),
        shares: Shares::default(),
        certificates: Certificates::open(&account)?,
        preferences: PreferenceStore::new(&settings, processes.python_version()),
        processes,
        account,
        settings,
    });
    runtime.spawn(accept(api, acceptor.clone(), Arc::clone(&state)));
    if let Some((folder, listener)) = packages {
        runtime.spawn(package_index::serve(listener, folder));
    }
    runtime.spawn(site::serve(site, acceptor, Arc::clone(&state)));
    Ok(state)
}

/// A folder of packages with what listens for it. It exists: a mistyped one would only show when pip finds nothing.
fn packages(folder: PathBuf) -> io::Result<(PathBuf, TcpListener)> {
    fs::read_dir(&folder)
        .map_err(|error| io::Error::new(error.kind(), format!("the package index {}: {error}", folder.display())))?;
    Ok((folder, listener::bind(0)?))
}

fn index_address(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}{}", listener.local_addr()?, package_index::PATH))
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, state: Arc<EmulatorState>) {
    let routers = Routers::new(&state);
    accept_all(listener, |socket| connection(socket, acceptor.clone(), Arc::clone(&state), routers.clone())).await;
}

async fn connection(
    socket: TcpStream,
    acceptor: Option<TlsAcceptor>,
    state: Arc<EmulatorState>,
    routers: Routers,
) -> Result<(), ConnectionError> {
    let stream = SocketStream::open(socket, acceptor).await?;
    let wire_fault = Arc::new(WireFault::default());
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&wire_fault)));
    let asked = Arc::clone(&wire_fault);
    let service = service_fn(move |request| {
        middleware::serve(Arc::clone(&state), routers.clone(), Arc::clone(&wire_fault), request)
    });
    let server = auto::Builder::new(TokioExecutor::new());
    tokio::select! {
        () = asked.reset_requested() => Ok(()),
        ended = server.serve_connection(wire, service) => ended,
    }
}
