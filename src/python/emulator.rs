//! The emulator in Python: `pythonanywhere_api.testing`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pyo3::exceptions::{PyOSError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::class_body::class_body;
use super::convert::{interpreter, json_to_py};
use super::errors::IntoPy;
use super::runtime::wait::wait;
use crate::client::{BaseUrl, Client, Options, RateLimit, Token};
use crate::clock::{self, Tick};
use crate::emulator::{self, AccountKind, FaultSpec, Settings, Switch, Undocumented};
use crate::error::Result;
use crate::locks::lock;

/// How often a wait for held requests checks signals.
const WAKE: Duration = Duration::from_millis(50);

/// A running emulator. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api.testing", frozen, weakref)]
pub(super) struct Emulator {
    settings: Mutex<Option<Settings>>,
    running: Mutex<Option<Arc<emulator::Emulator>>>,
}

impl Emulator {
    fn running(&self) -> PyResult<Arc<emulator::Emulator>> {
        let running = lock(&self.running);
        running
            .clone()
            .ok_or_else(|| PyRuntimeError::new_err("the emulator is not running: use it in a \"with\" statement"))
    }
}

class_body! {
    Emulator, this => {
        url: PyResult<String> = Ok(this.running()?.url().to_owned()),
        user: PyResult<String> = Ok(this.running()?.user().to_owned()),
        token: PyResult<String> = Ok(this.running()?.token().to_owned()),
        root: PyResult<OsString> = Ok(this.running()?.root().as_os_str().to_owned()),
        site_url: PyResult<String> = Ok(this.running()?.site_url().to_owned()),
        package_index: PyResult<Option<String>> = Ok(this.running()?.package_index().map(str::to_owned)),
        page: PyResult<Option<String>> = Ok(this.running()?.page()),
        paths: PyResult<&'static str> = Ok(this.running()?.paths()),
        requests: PyResult<Vec<LoggedRequest>> =
            Ok(this.running()?.requests().into_iter().map(LoggedRequest).collect()),
        faults: PyResult<Faults> = Ok(Faults(this.running()?)),
    }

    #[new]
    #[pyo3(signature = (
        *, root=None, port=0, user="demo", token=None, rate_limit=Some(40), send_input_limit=Some(120),
        account="free", disk_quota=None, students=Vec::new(), mysql_databases=Vec::new(), latency=0.0, tls=None,
        python=None, private_paths=true, request_limit=300.0, webapp_days=31, package_index=None, page=true, uwsgi=None,
        **undocumented
    ), text_signature = "(*, root=None, port=0, user='demo', token=None, rate_limit=40, send_input_limit=120, \
        account='free', disk_quota=None, students=(), mysql_databases=(), latency=0.0, tls=None, python=None, \
        private_paths=True, request_limit=300.0, webapp_days=31, package_index=None, page=True, uwsgi=None, \
        **undocumented)")]
    #[allow(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        py: Python<'_>,
        root: Option<PathBuf>,
        port: u16,
        user: &str,
        token: Option<String>,
        rate_limit: Option<u32>,
        send_input_limit: Option<u32>,
        account: &str,
        disk_quota: Option<u64>,
        students: Vec<String>,
        mysql_databases: Vec<String>,
        latency: f64,
        tls: Option<PathBuf>,
        python: Option<PathBuf>,
        private_paths: bool,
        request_limit: f64,
        webapp_days: u32,
        package_index: Option<PathBuf>,
        page: bool,
        uwsgi: Option<PathBuf>,
        undocumented: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let account = AccountKind::named(account).ok_or_else(|| {
            PyValueError::new_err(format!("account must be \"free\" or \"paid\", not {account:?}"))
        })?;
        let python = python.map_or_else(|| interpreter(py), Ok)?;
        let latency = seconds("latency", latency)?;
        let request_limit = seconds("request_limit", request_limit)?;
        let undocumented = switches(undocumented)?;
        let settings = Settings {
            root,
            port,
            user: user.to_owned(),
            token,
            rate_limit,
            send_input_limit,
            account,
            disk_quota,
            students,
            mysql_databases,
            latency,
            tls,
            python,
            private_paths,
            request_limit,
            webapp_days,
            package_index,
            page,
            uwsgi,
            undocumented,
            ..Settings::default()
        };
        Ok(Self { settings: Mutex::new(Some(settings)), running: Mutex::new(None) })
    }

    fn start(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        let this = slf.get();
        let Some(settings) = lock(&this.settings).take() else {
            return Err(PyRuntimeError::new_err("an emulator can be started only once: create another one"));
        };
        let started = slf.py().detach(|| emulator::Emulator::start(settings));
        let started = started.map_err(|error| PyOSError::new_err(format!("cannot start the emulator: {error}")))?;
        *lock(&this.running) = Some(Arc::new(started));
        Ok(slf)
    }

    fn stop(&self, py: Python<'_>) {
        let running = lock(&self.running).take();
        if let Some(running) = running {
            py.detach(|| running.stop());
        }
    }

    fn __enter__(slf: Bound<'_, Self>) -> PyResult<Bound<'_, Self>> {
        Self::start(slf)
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.stop(py);
    }

    fn clear_requests(&self) -> PyResult<()> {
        self.running()?.clear_requests();
        Ok(())
    }

    fn held(&self) -> PyResult<Vec<HeldRequest>> {
        Ok(self.running()?.held().into_iter().map(HeldRequest).collect())
    }

    fn release(&self, number: u64) -> PyResult<bool> {
        Ok(self.running()?.release(number))
    }

    fn release_all(&self) -> PyResult<()> {
        self.running()?.release_all();
        Ok(())
    }

    #[pyo3(signature = (count, timeout=10.0))]
    fn wait_held(&self, py: Python<'_>, count: usize, timeout: f64) -> PyResult<bool> {
        let running = self.running()?;
        let deadline = Instant::now() + seconds("timeout", timeout)?;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if py.detach(|| running.wait_held(count, left.min(WAKE))) {
                return Ok(true);
            }
            if left.is_zero() {
                return Ok(false);
            }
            py.check_signals()?;
        }
    }

    /// Creates a web app as a client would, for tests that start with one.
    #[pyo3(signature = (domain=None, *, python_version="3.11", virtualenv=None))]
    fn create_webapp<'py>(
        &self,
        py: Python<'py>,
        domain: Option<String>,
        python_version: &str,
        virtualenv: Option<PathBuf>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let running = self.running()?;
        let domain = domain.unwrap_or_else(|| format!("{}.pythonanywhere.com", running.user()));
        let client = client(&running).into_py(py)?;
        let version = format!("python{}", python_version.trim_start_matches("python").replace('.', ""));
        let made = wait(py, |_caller| async move {
            client.create_webapp(&domain, &version).await?;
            match virtualenv {
                Some(path) => client.update_webapp(&domain, &[("virtualenv_path", &path.to_string_lossy())]).await,
                None => client.webapp(&domain).await,
            }
        })?
        .into_py(py)?;
        json_to_py(py, &made)
    }

    fn __repr__(&self) -> String {
        match self.running() {
            Ok(running) => format!("<Emulator at {}>", running.url()),
            Err(_) => "<Emulator, not running>".to_owned(),
        }
    }
}

/// A client without a rate limit.
fn client(emulator: &emulator::Emulator) -> Result<Client> {
    let (host, token) = (BaseUrl::parse(emulator.url())?, Token::new(emulator.token())?);
    let options = Options { rate_limit: RateLimit::Off, ..Options::default() };
    Client::new(&host, emulator.user(), &token, options)
}

fn seconds(name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| PyValueError::new_err(format!("{name} must be a non-negative number of seconds")))
}

/// The switches for undocumented behaviour, by name.
fn switches(given: Option<&Bound<'_, PyDict>>) -> PyResult<Undocumented> {
    let mut switches = Undocumented::default();
    for (name, value) in given.into_iter().flatten() {
        let name: String = name.extract()?;
        match switches.switch(&name) {
            Some(Switch::Flag(flag)) => *flag = value.extract()?,
            Some(Switch::Limit(limit)) => *limit = value.extract()?,
            None => {
                let words = format!("Emulator() got an unexpected keyword argument {name:?}");
                return Err(PyTypeError::new_err(words));
            }
        }
    }
    Ok(switches)
}

/// One request that the emulator got. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api.testing", frozen)]
pub(super) struct LoggedRequest(emulator::LoggedRequest);

class_body! {
    LoggedRequest, this => {
        number: u64 = this.0.number,
        method: &str = &this.0.method,
        path: &str = &this.0.path,
        raw_path: &str = &this.0.raw_path,
        query: &str = &this.0.query,
        user_agent: &str = &this.0.user_agent,
        endpoint: Option<&'static str> = this.0.endpoint,
        status: Option<u16> = this.0.status,
        started: f64 = since_start(this.0.started),
        finished: Option<f64> = this.0.finished.map(since_start),
        bytes_in: u64 = this.0.bytes_in,
        bytes_out: u64 = this.0.bytes_out,
    }

    fn __repr__(&self) -> String {
        let status = self.0.status.map_or_else(|| "unanswered".to_owned(), |status| status.to_string());
        format!("<{} {} {} {status}>", self.0.number, self.0.method, self.0.path)
    }
}

fn since_start(tick: Tick) -> f64 {
    tick.since_start().as_secs_f64()
}

/// A request that waits at a `"hold"` fault. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api.testing", frozen)]
pub(super) struct HeldRequest(emulator::HeldRequest);

class_body! {
    HeldRequest, this => {
        number: u64 = this.0.number,
        method: &str = &this.0.method,
        path: &str = &this.0.path,
        user_agent: &str = &this.0.user_agent,
    }

    fn __repr__(&self) -> String {
        format!("<{} {} {} held>", self.0.number, self.0.method, self.0.path)
    }
}

/// The faults to inject. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api.testing", frozen)]
pub(super) struct Faults(Arc<emulator::Emulator>);

#[pymethods]
impl Faults {
    #[pyo3(signature = (
        kind, *, method=None, path=None, after=0, times=None, stage="before", code=500,
        body=r#"{"detail": "Server error."}"#, content_type="application/json", bytes=0,
        delay=0.0, bytes_per_second=None
    ))]
    #[allow(clippy::too_many_arguments, reason = "keywords of Python")]
    fn add(
        &self,
        kind: &str,
        method: Option<String>,
        path: Option<String>,
        after: u32,
        times: Option<u32>,
        stage: &str,
        code: u16,
        body: &str,
        content_type: &str,
        bytes: u64,
        delay: f64,
        bytes_per_second: Option<u32>,
    ) -> PyResult<u64> {
        let spec = FaultSpec {
            kind: kind.to_owned(),
            method,
            path,
            after,
            times,
            stage: stage.to_owned(),
            code,
            body: body.to_owned(),
            content_type: content_type.to_owned(),
            bytes,
            delay,
            bytes_per_second,
        };
        let added = spec.rule().and_then(|rule| self.0.faults().add(rule));
        added.map_err(|error| PyValueError::new_err(error.to_string()))
    }

    fn remove(&self, id: u64) -> bool {
        self.0.faults().remove(id)
    }

    fn clear(&self) {
        self.0.faults().clear();
    }
}

/// Sets the speed of the clock of client and emulator.
#[pyfunction]
pub(super) fn set_clock_speed(factor: f64) -> PyResult<()> {
    if !(factor.is_finite() && factor > 0.0) {
        return Err(PyValueError::new_err("factor must be a positive number"));
    }
    clock::set_speed(factor);
    Ok(())
}

/// Moves the clock that client and emulator share ahead.
#[pyfunction]
pub(super) fn advance_clock(by: f64) -> PyResult<()> {
    clock::advance(seconds("by", by)?);
    Ok(())
}

/// Gives the clock the pace and the time of day of the system's again.
#[pyfunction]
pub(super) fn restore_clock() {
    clock::restore();
}
