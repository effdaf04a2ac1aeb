//! `launch` and `launch_async`: from a project to a served page.
//!
//! Local mistakes raise before anything is sent; what stops a launch on the host is in its report. A progress callback gets
//! its events in order on the caller's thread; what it raises ends the launch.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::try_join;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use serde_json::json;
use tokio::sync::mpsc;

use super::convert::Json;
use super::errors::{IntoPy, raise_failure};
use super::runtime::{CallerThread, run};
use crate::client::{BaseUrl, Client, Environment, Token};
use crate::error::{Error, Result};
use crate::host::Variables;
use crate::launch as core;
use crate::launch::{
    DetectOptions, LaunchOptions, LaunchRecorder, LocalOptions, LocalPlan, StepRecord, Superuser, own_domain,
};
use crate::project_table::{environments, first_given, load};

/// A step of a launch, as it begins or ends. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen, get_all)]
pub(super) struct LaunchEvent {
    step: &'static str,
    state: &'static str,
    detail: String,
}

#[pymethods]
impl LaunchEvent {
    fn __repr__(&self) -> String {
        format!("<LaunchEvent: {} {}>", self.step, self.state)
    }
}

impl From<&StepRecord> for LaunchEvent {
    fn from(record: &StepRecord) -> Self {
        Self { step: record.step, state: record.state.as_str(), detail: record.detail.clone() }
    }
}

/// What a launch did. Documented in `_core.pyi`.
#[pyclass(module = "pythonanywhere_api", frozen)]
pub(super) struct LaunchReport {
    report: core::LaunchReport,
    #[pyo3(get)]
    ok: bool,
    #[pyo3(get)]
    dry_run: bool,
    #[pyo3(get)]
    url: String,
    #[pyo3(get)]
    domain: String,
    #[pyo3(get)]
    remote_root: String,
    #[pyo3(get)]
    steps: Json,
    #[pyo3(get)]
    failed_step: Option<&'static str>,
    #[pyo3(get)]
    error: Option<String>,
    #[pyo3(get)]
    warnings: Vec<String>,
    #[pyo3(get)]
    next: Vec<String>,
    #[pyo3(get)]
    requests: u64,
    #[pyo3(get)]
    seconds: f64,
}

impl From<core::LaunchReport> for LaunchReport {
    fn from(report: core::LaunchReport) -> Self {
        Self {
            ok: report.ok,
            dry_run: report.dry_run,
            url: report.url.clone(),
            domain: report.domain.clone(),
            remote_root: report.remote_root.clone(),
            steps: Json(json!(report.steps)),
            failed_step: report.failed_step,
            error: report.error.clone(),
            warnings: report.warnings.clone(),
            next: report.next.clone(),
            requests: report.requests,
            seconds: report.seconds,
            report,
        }
    }
}

#[pymethods]
impl LaunchReport {
    fn to_json(&self) -> String {
        self.report.to_json().to_string()
    }

    fn raise_for_failures(&self, py: Python<'_>) -> PyResult<()> {
        raise_failure(py, self.report.error_message())
    }

    fn __bool__(&self) -> bool {
        self.ok
    }

    fn __repr__(&self) -> String {
        let end = self.failed_step.map_or_else(|| "ok".to_owned(), |step| format!("failed at {step}"));
        format!("<LaunchReport: {}, {end}, {} requests>", self.url, self.requests)
    }
}

/// The functions, which differ in how the caller waits.
macro_rules! launch_function {
    ($name:ident, $is_async:literal) => {
        #[pyfunction]
        #[pyo3(signature = (root, *, username=None, token=None, host=None, project=None, domain=None, site_url=None,
            python=None, settings=None, wsgi=None, asgi=None, virtualenv=None, env_file=None, replace_wsgi=false,
            superuser=None, dry_run=false, env=None, progress=None))]
        #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "keywords of Python's")]
        pub(super) fn $name<'py>(
            py: Python<'py>,
            root: PathBuf,
            username: Option<String>,
            token: Option<String>,
            host: Option<String>,
            project: Option<String>,
            domain: Option<String>,
            site_url: Option<String>,
            python: Option<String>,
            settings: Option<String>,
            wsgi: Option<String>,
            asgi: Option<String>,
            virtualenv: Option<String>,
            env_file: Option<PathBuf>,
            replace_wsgi: bool,
            superuser: Option<(String, String)>,
            dry_run: bool,
            env: Option<String>,
            progress: Option<Bound<'py, PyAny>>,
        ) -> PyResult<Bound<'py, PyAny>> {
            let detect = DetectOptions { settings, wsgi, asgi, env_file, ..DetectOptions::default() };
            let local = LocalOptions {
                detect,
                project,
                domain: domain.unwrap_or_default(),
                environment: environments::chosen(env),
                ..LocalOptions::default()
            };
            let options = LaunchOptions { site_url, python, virtualenv, replace_wsgi, dry_run, ..LaunchOptions::default() };
            let request = Request { root, username, token, host, local, options, superuser };
            let prepared = request.prepare(py)?;
            let callback = callback(progress)?;
            run(py, $is_async, stringify!($name), move |caller| perform(caller, prepared, callback))
        }
    };
}

launch_function!(launch, false);
launch_function!(launch_async, true);

struct Request {
    root: PathBuf,
    username: Option<String>,
    token: Option<String>,
    host: Option<String>,
    local: LocalOptions,
    options: LaunchOptions,
    superuser: Option<(String, String)>,
}

struct Prepared {
    client: Client,
    local: LocalPlan,
    options: LaunchOptions,
}

impl Request {
    fn prepare(mut self, py: Python<'_>) -> PyResult<Prepared> {
        let executable: Option<PathBuf> = py.import("sys")?.getattr("executable")?.extract().ok();
        self.local.detect.interpreter = executable;
        self.plan().into_py(py)
    }

    fn plan(self) -> Result<Prepared> {
        let Self { root, username, token, host, mut local, mut options, superuser } = self;
        // Another account or project than the one that was meant would be worse than an error.
        for (name, value) in [("username", &username), ("token", &token), ("host", &host), ("project", &local.project)]
        {
            if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
                return Err(Error::config(format!("{name} is empty: leave it out, or say which")));
            }
        }
        let (table, folder) = load(&root, local.environment.as_deref())?;
        if let Some(folder) = &folder {
            table.check_root(folder, &root)?;
        }
        local.table_folder = folder;
        let domains = table.domains();
        local.detect = local.detect.or(&table);
        local.project = first_given([&local.project, &table.project]);
        let found = Environment::read();
        let named_by_file = match (&host, &found.host) {
            (None, None) => first_given([&table.host]).map(|host| BaseUrl::named_by_file(&host)).transpose()?,
            _ => None,
        };
        let (host, user, token) = Environment {
            token: token.or(found.token),
            user: first_given([&username, &found.user, &table.user]),
            host: host.or(found.host),
            ..found
        }
        .account()?;
        let host = named_by_file.map_or_else(|| BaseUrl::parse(&host), Ok)?;
        if let (None, Some(site)) = (&options.site_url, &table.site_url) {
            BaseUrl::check_site_named_by_file(site, &user, &domains)?;
        }
        let client = Client::new(&host, &user, &Token::new(&token)?, table.client_options()?)?;
        if local.domain.is_empty() {
            let first = domains.into_iter().next().filter(|domain| !domain.is_empty());
            local.domain = first.unwrap_or_else(|| own_domain(&user, &host));
        }
        options.remote_root = table.remote_root(&user)?;
        (options.select, options.deploy) = (table.select()?, table.deploy());
        local.user = Some(user);
        local.site_url.clone_from(&options.site_url);
        options.site_url = options.site_url.or(table.site_url);
        if let Some((name, password)) = superuser {
            let password = Variables::new([("DJANGO_SUPERUSER_PASSWORD".to_owned(), password)])?;
            options.superuser = Some(Superuser { name, email: None, password });
        }
        let local = core::plan(&root, &local)?;
        Ok(Prepared { client, local, options })
    }
}

type Callback = Arc<Py<PyAny>>;

fn callback(progress: Option<Bound<'_, PyAny>>) -> PyResult<Option<Callback>> {
    match progress {
        Some(progress) if progress.is_none() => Ok(None),
        Some(progress) if !progress.is_callable() => Err(PyTypeError::new_err("progress must be callable")),
        progress => Ok(progress.map(|progress| Arc::new(progress.unbind()))),
    }
}

/// A report, or the exception.
pub(super) struct Ended(Result<core::LaunchReport>);

impl<'py> IntoPyObject<'py> for Ended {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(Bound::new(py, LaunchReport::from(self.0.into_py(py)?))?.into_any())
    }
}

async fn perform(caller: CallerThread, prepared: Prepared, callback: Option<Callback>) -> Ended {
    let Prepared { client, local, options } = prepared;
    let (sender, events) = mpsc::unbounded_channel();
    let end = sender.clone();
    let tell = move |record: &StepRecord| {
        // There is no receiver any more once the callback raised.
        let _ = sender.send(Some(LaunchEvent::from(record)));
    };
    let work = async {
        let report = core::launch(&client, &local, &options, &LaunchRecorder::new(Arc::new(tell))).await;
        let _ = end.send(None);
        Ok(report)
    };
    Ended(try_join(work, forward(&caller, callback, events)).await.map(|(report, ())| report))
}

/// Hands the events to the callback, in order, until the launch ends.
async fn forward(
    caller: &CallerThread,
    callback: Option<Callback>,
    mut events: mpsc::UnboundedReceiver<Option<LaunchEvent>>,
) -> Result<()> {
    while let Some(Some(event)) = events.recv().await {
        let Some(callback) = callback.clone() else { continue };
        caller
            .call(move |py| {
                callback.bind(py).call1((event,))?;
                Ok(())
            })
            .await
            .map_err(|error: Error| error)?;
    }
    Ok(())
}
