//! Progress callbacks: the events of a job, handed to Python in order on the caller's thread while the job goes on.

use std::sync::Arc;

use futures_util::future::try_join;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::convert::refuse_awaitable;
use super::runtime::CallerThread;
use crate::error::Result;

/// How many events are handed over at once: a slow callback must not fall behind by a change of threads for each event.
const BATCH: usize = 256;

pub(super) type Callback = Arc<Py<PyAny>>;

/// A progress callback, if one was given.
pub(super) fn callback(given: Option<Bound<'_, PyAny>>) -> PyResult<Option<Callback>> {
    match given.filter(|given| !given.is_none()) {
        Some(given) if !given.is_callable() => Err(PyTypeError::new_err("progress must be callable")),
        given => Ok(given.map(|given| Arc::new(given.unbind()))),
    }
}

/// What a job tells its events with.
pub(super) struct Tell<E>(UnboundedSender<Option<E>>);

impl<E> Tell<E> {
    pub(super) fn event(&self, event: E) {
        // There is no receiver any more once the callback raised.
        let _ = self.0.send(Some(event));
    }
}

/// Runs a job, and hands its events to the callback until it ends; what the callback raises ends it.
pub(super) async fn with_progress<E, T, F>(
    caller: &CallerThread,
    callback: Option<Callback>,
    job: impl FnOnce(Tell<E>) -> F,
) -> Result<T>
where
    E: for<'py> IntoPyObject<'py> + Send + 'static,
    F: Future<Output = Result<T>>,
{
    let (sender, events) = unbounded_channel();
    let end = sender.clone();
    let work = async {
        let outcome = job(Tell(sender)).await;
        let _ = end.send(None);
        outcome
    };
    try_join(work, forward(caller, callback, events)).await.map(|(value, ())| value)
}

/// Hands the events to the callback, in order, until the job ends.
async fn forward<E>(
    caller: &CallerThread,
    callback: Option<Callback>,
    mut events: UnboundedReceiver<Option<E>>,
) -> Result<()>
where
    E: for<'py> IntoPyObject<'py> + Send + 'static,
{
    let Some(callback) = callback else { return Ok(()) };
    let mut ended = false;
    while !ended {
        let mut batch = Vec::new();
        events.recv_many(&mut batch, BATCH).await;
        ended = batch.is_empty() || batch.iter().any(Option::is_none);
        let callback = Arc::clone(&callback);
        caller
            .call(move |py| {
                let tell = |event| match callback.bind(py).call1((event,))? {
                    // A task goes on by itself; a coroutine would never run.
                    answer if answer.hasattr("close")? => refuse_awaitable(&answer, "progress"),
                    _ => Ok(()),
                };
                batch.into_iter().flatten().try_for_each(tell)
            })
            .await?;
    }
    Ok(())
}
