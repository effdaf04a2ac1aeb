//! The tokio runtime of the process, and what pyo3-async-runtimes needs to use it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{ContextExt, JoinError, Runtime};
use tokio::task;

use super::driver::Driver;
use super::wait::LEAVE_WITHIN;
use super::{gate, logging};
use crate::leaving;
use crate::per_process::PerProcess;

static DRIVER: PerProcess<io::Result<Arc<Driver>>> = PerProcess::new(|_parent| Driver::new().map(Arc::new));

/// The runtime of this process, made at first use.
///
/// # Errors
/// `RuntimeError` if the system refuses what it needs.
pub(super) fn driver() -> PyResult<Arc<Driver>> {
    logging::install_once();
    DRIVER.get().as_ref().as_ref().map(Arc::clone).map_err(cannot_start)
}

/// As [`driver`], for calls that nobody waits for.
pub(super) fn attended_driver() -> PyResult<Arc<Driver>> {
    let driver = driver()?;
    driver.attend().map_err(|error| cannot_start(&error))?;
    Ok(driver)
}

pub(super) fn cannot_start(error: &io::Error) -> PyErr {
    PyRuntimeError::new_err(format!("the threads for requests cannot be started: {error}"))
}

/// Our runtime as pyo3-async-runtimes sees it. Its own tokio support keeps one runtime for ever, a forked child's too.
pub(super) struct Executor;

/// Why a task did not end by itself.
pub(super) struct Ended(task::JoinError);

impl JoinError for Ended {
    fn is_panic(&self) -> bool {
        self.0.is_panic()
    }

    fn into_panic(self) -> Box<dyn std::any::Any + Send + 'static> {
        self.0.into_panic()
    }
}

/// A task whose failure is told in the terms of pyo3-async-runtimes.
pub(super) struct Task(Option<task::JoinHandle<()>>);

impl Future for Task {
    type Output = Result<(), Ended>;

    fn poll(mut self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        match &mut self.0 {
            Some(handle) => Pin::new(handle).poll(context).map_err(Ended),
            None => std::task::Poll::Ready(Ok(())),
        }
    }
}

impl Runtime for Executor {
    type JoinError = Ended;
    type JoinHandle = Task;

    fn spawn<F>(future: F) -> Task
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // A runtime that could not be made was told when the coroutine was started, before anything is spawned.
        Task(driver().ok().map(|driver| {
            driver.spawn(async move {
                future.await;
                // If it was cancelled, something may be left on the host.
                leaving::settle(LEAVE_WITHIN).await;
            })
        }))
    }

    /// Is given nothing but work that attaches to the interpreter; an interpreter that exits gets none any more.
    fn spawn_blocking<F>(work: F) -> Task
    where
        F: FnOnce() + Send + 'static,
    {
        let gated = move || {
            if let Some(_inside) = gate::enter() {
                work();
            }
        };
        Task(driver().ok().map(|driver| driver.spawn_blocking(gated)))
    }
}

tokio::task_local! {
    static LOCALS: TaskLocals;
}

impl ContextExt for Executor {
    fn scope<F, R>(locals: TaskLocals, future: F) -> Pin<Box<dyn Future<Output = R> + Send>>
    where
        F: Future<Output = R> + Send + 'static,
    {
        Box::pin(LOCALS.scope(locals, future))
    }

    fn get_task_locals() -> Option<TaskLocals> {
        LOCALS.try_with(TaskLocals::clone).ok()
    }
}
