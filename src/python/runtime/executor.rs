//! The tokio runtime of the process, and what pyo3-async-runtimes needs to use it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3_async_runtimes::TaskLocals;
use pyo3_async_runtimes::generic::{ContextExt, JoinError, Runtime};
use tokio::task;

use super::{gate, logging};
use crate::per_process::PerProcess;

static RUNTIME: PerProcess<std::io::Result<tokio::runtime::Runtime>> = PerProcess::new(|_parent| {
    tokio::runtime::Builder::new_multi_thread()
        // Requests spend their time waiting for the network, and a second worker costs more in waking each other than
        // it does: with one, a small request takes half the context switches. Files are hashed on threads of their own.
        .worker_threads(1)
        .thread_name("pythonanywhere-api")
        .enable_all()
        .build()
});

/// The runtime of this process, made at first use.
pub(super) struct Handle(Arc<std::io::Result<tokio::runtime::Runtime>>);

impl Handle {
    /// The runtime for a call, with the logger for what it has to say.
    pub(super) fn for_call(py: Python<'_>) -> PyResult<Self> {
        logging::install_once(py)?;
        Self::get()
    }

    pub(super) fn get() -> PyResult<Self> {
        let runtime = RUNTIME.get();
        match &*runtime {
            Ok(_) => Ok(Self(runtime)),
            Err(error) => Err(PyRuntimeError::new_err(format!("the threads for requests cannot be started: {error}"))),
        }
    }

    fn runtime(&self) -> &tokio::runtime::Runtime {
        self.0.as_ref().as_ref().expect("checked when the handle was made")
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> task::JoinHandle<T> {
        self.runtime().spawn(future)
    }

    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }
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
        Task(Handle::get().ok().map(|handle| handle.spawn(future)))
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
        Task(Handle::get().ok().map(|handle| handle.runtime().spawn_blocking(gated)))
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
