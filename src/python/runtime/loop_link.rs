//! Hands results from the runtime to an event loop, in batches.
//!
//! To wake a loop takes the interpreter's lock, which its thread may hold for a while, and a system call. So results are
//! gathered: the first wakes the loop, and those that come before it looks go along. A link lives as long as a coroutine
//! on its loop does; no loop is kept between calls.

use std::process;
use std::sync::{Arc, Mutex, Weak};

use pyo3::intern;
use pyo3::prelude::*;

use super::shutdown;
use crate::driver::Driver;
use crate::locks::lock;

/// Makes the result of an operation, where the interpreter is at hand.
type Outcome = Box<dyn for<'py> FnOnce(Python<'py>) -> PyResult<Py<PyAny>> + Send>;

/// An operation that has ended, and the asyncio future that waits for it.
struct Ended {
    future: Py<PyAny>,
    outcome: Outcome,
}

/// An event loop that has operations under way.
pub(super) struct LoopLink {
    event_loop: Py<PyAny>,
    ended: Mutex<Vec<Ended>>,
}

/// The links that live: address of the loop, process, link. Few programs have more than one loop at a time.
static LINKS: Mutex<Vec<(usize, u32, Weak<LoopLink>)>> = Mutex::new(Vec::new());

impl LoopLink {
    /// The link to a loop, made if there is none. A forked child makes its own: the parent's may be locked for ever.
    pub(super) fn to(event_loop: &Bound<'_, PyAny>) -> Arc<Self> {
        let key = (event_loop.as_ptr() as usize, process::id());
        let mut links = lock(&LINKS);
        // A loop of the same address is the same loop: the link keeps it from being freed.
        let living = links.iter().find(|(address, process, _)| (*address, *process) == key);
        if let Some(link) = living.and_then(|(_, _, link)| link.upgrade()) {
            return link;
        }
        links.retain(|(_, _, link)| link.strong_count() > 0);
        let link = Arc::new(Self { event_loop: event_loop.clone().unbind(), ended: Mutex::default() });
        links.push((key.0, key.1, Arc::downgrade(&link)));
        link
    }

    /// Hands a result to the loop. Called on a thread that must not wait for the interpreter.
    pub(super) fn hand_over(self: &Arc<Self>, driver: &Driver, future: Py<PyAny>, outcome: Outcome) {
        let mut ended = lock(&self.ended);
        ended.push(Ended { future, outcome });
        if ended.len() > 1 {
            // The one before it wakes the loop.
            return;
        }
        drop(ended);
        let link = Arc::clone(self);
        drop(driver.spawn_blocking(move || {
            if let Some(_inside) = shutdown::enter() {
                Python::attach(|py| link.wake(py));
            }
        }));
    }

    fn wake(self: Arc<Self>, py: Python<'_>) {
        let event_loop = self.event_loop.clone_ref(py).into_bound(py);
        let settle = Settle { link: Arc::clone(&self) };
        if let Err(error) = event_loop.call_method1(intern!(py, "call_soon_threadsafe"), (settle,)) {
            // The loop is closed, and nothing waits for these any more.
            log::debug!("results found their event loop closed: {error}");
            let lost = std::mem::take(&mut *lock(&self.ended));
            drop(lost);
        }
    }
}

/// What a loop calls to collect the results so far.
#[pyclass(name = "_Settle", module = "pythonanywhere_api._core", frozen)]
struct Settle {
    link: Arc<LoopLink>,
}

#[pymethods]
impl Settle {
    fn __call__(&self, py: Python<'_>) {
        let ended = std::mem::take(&mut *lock(&self.link.ended));
        for Ended { future, outcome } in ended {
            if let Err(error) = settle(future.bind(py), outcome) {
                log::warn!("a result did not reach its future: {error}");
            }
        }
    }
}

fn settle(future: &Bound<'_, PyAny>, outcome: Outcome) -> PyResult<()> {
    let py = future.py();
    // Cancelled meanwhile.
    if future.call_method0(intern!(py, "done"))?.is_truthy()? {
        return Ok(());
    }
    match outcome(py) {
        Ok(value) => future.call_method1(intern!(py, "set_result"), (value,))?,
        Err(error) => future.call_method1(intern!(py, "set_exception"), (error.into_value(py),))?,
    };
    Ok(())
}
