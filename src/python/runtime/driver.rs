//! Who drives the runtime's sockets and timers.
//!
//! No thread does so all the time. A thread that waits for a future drives the runtime meanwhile, so that a request of
//! a synchronous caller changes no thread: waking another one costs more than the request's own work. What nobody waits
//! for is driven by the attendant, a thread that is started when it is first needed: at once for asynchronous callers,
//! whose loop goes on; after [`PATIENCE`] where the waiting thread is away in a callback.

use std::future::Future;
use std::io;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{self, JoinHandle};

/// How long work may stand still while the thread that waits for it runs Python.
const PATIENCE: Duration = Duration::from_millis(10);

/// A runtime and those who drive it.
pub(super) struct Driver {
    runtime: Runtime,
    /// The process that made it. The locks of a parent's may be held by threads that a child does not have.
    process: u32,
    duty: Mutex<Duty>,
    changed: Condvar,
    /// Asks the attendant to let others drive.
    leave: Notify,
}

/// Who drives, and for whom. Locked for moments only.
#[derive(Default)]
struct Duty {
    /// Threads that drive for a future of their own.
    waiting: usize,
    /// Futures that no thread waits for.
    unwaited: usize,
    /// Futures whose thread comes back, but may be away in Python.
    left_alone: usize,
    attendant: Attendant,
}

#[derive(Default, PartialEq, Eq)]
enum Attendant {
    #[default]
    NotStarted,
    Resting,
    Driving,
}

impl Driver {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().thread_name("pythonanywhere-api").enable_all().build()?,
            process: process::id(),
            duty: Mutex::default(),
            changed: Condvar::new(),
            leave: Notify::new(),
        })
    }

    fn duty(&self) -> MutexGuard<'_, Duty> {
        self.duty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drives the runtime until `future` ends.
    pub(super) fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(self);
        self.runtime.block_on(future)
    }

    /// Starts a future that no thread waits for. [`attend`](Self::attend) must have been called before.
    pub(super) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let unwaited = Owed::begin(self, |duty| &mut duty.unwaited);
        self.runtime.spawn(async move {
            let outcome = future.await;
            drop(unwaited);
            outcome
        })
    }

    pub(super) fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn_blocking(work)
    }

    /// Work that goes on while the thread that waits for it is away, for as long as the result lives.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn leave_alone(self: &Arc<Self>) -> io::Result<Owed> {
        self.attend()?;
        Ok(Owed::begin(self, |duty| &mut duty.left_alone))
    }

    /// Starts the attendant unless it is there.
    ///
    /// # Errors
    /// If no thread can be started.
    pub(super) fn attend(self: &Arc<Self>) -> io::Result<()> {
        let mut duty = self.duty();
        if duty.attendant == Attendant::NotStarted {
            let driver = Arc::clone(self);
            std::thread::Builder::new().name("pythonanywhere-api".into()).spawn(move || driver.run_attendant())?;
            duty.attendant = Attendant::Resting;
        }
        Ok(())
    }

    fn run_attendant(&self) {
        let mut stands_still = false;
        let mut duty = self.duty();
        loop {
            if duty.unwaited > 0 || (stands_still && duty.left_alone > 0 && duty.waiting == 0) {
                duty.attendant = Attendant::Driving;
                drop(duty);
                self.runtime.block_on(async {
                    self.leave.notified().await;
                    settle().await;
                });
                duty = self.duty();
                duty.attendant = Attendant::Resting;
                stands_still = false;
            } else if duty.left_alone > 0 {
                let (locked, wait) = self.changed.wait_timeout(duty, PATIENCE).unwrap_or_else(PoisonError::into_inner);
                duty = locked;
                stands_still = wait.timed_out() && duty.waiting == 0;
            } else {
                duty = self.changed.wait(duty).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Lets the runtime see to what happened on its sockets and to tasks that were aborted.
///
/// Needed before a connection is used again: one that the server closed while nobody drove would be taken for open.
pub(super) async fn settle() {
    // The first lets the runtime look at its sockets, the second lets the tasks run that this woke.
    task::yield_now().await;
    task::yield_now().await;
}

/// A thread that drives for a future of its own.
struct Waiting<'a>(&'a Driver);

impl<'a> Waiting<'a> {
    fn begin(driver: &'a Driver) -> Self {
        let mut duty = driver.duty();
        duty.waiting += 1;
        if duty.attendant == Attendant::Driving && duty.unwaited == 0 {
            driver.leave.notify_one();
        }
        Self(driver)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.duty().waiting -= 1;
    }
}

/// Work that the attendant sees to.
pub(super) struct Owed {
    driver: Arc<Driver>,
    count: fn(&mut Duty) -> &mut usize,
}

impl Owed {
    fn begin(driver: &Arc<Driver>, count: fn(&mut Duty) -> &mut usize) -> Self {
        *count(&mut driver.duty()) += 1;
        driver.changed.notify_one();
        Self { driver: Arc::clone(driver), count }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.driver.process != process::id() {
            return;
        }
        let mut duty = self.driver.duty();
        *(self.count)(&mut duty) -= 1;
        if duty.attendant == Attendant::Driving && duty.unwaited == 0 && duty.left_alone == 0 {
            self.driver.leave.notify_one();
        }
    }
}
