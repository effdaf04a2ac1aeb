//! Which thread drives the runtime's sockets and timers.
//!
//! No thread does so all the time. A thread that waits for a future drives the runtime meanwhile, so that a request of
//! a synchronous caller changes no thread: waking another one costs more than the request's own work. Futures that no
//! thread waits for are driven by the attendant, a thread that is started when it is first needed: at once for
//! asynchronous callers, whose loop goes on; after a few milliseconds where the waiting thread is away in a callback.
//!
//! The command line has threads of its own. This is for callers from another language, whose threads come and go.

use std::future::Future;
use std::io;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::{self, JoinHandle};

use crate::locks::lock;

/// How long work may stand still while the thread that waits for it is away in a callback.
const PATIENCE: Duration = Duration::from_millis(10);

/// A runtime and the threads that drive it.
pub struct Driver {
    runtime: Runtime,
    /// The process that made it. The locks of a parent's may be held by threads that a child does not have.
    process: u32,
    state: Mutex<DriverState>,
    changed: Condvar,
    /// Asks the attendant to let others drive.
    leave: Notify,
}

/// Which threads drive, and for which futures. Locked only for moments.
#[derive(Default)]
struct DriverState {
    /// Threads that drive for a future of their own.
    waiting: usize,
    /// Futures that no thread waits for.
    unwaited: usize,
    /// Futures whose thread comes back, but may be away in a callback.
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
    /// A runtime of this process, which no thread drives yet.
    ///
    /// # Errors
    /// If the system refuses what its sockets and timers need.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            runtime: Builder::new_current_thread().thread_name("pythonanywhere-api").enable_all().build()?,
            process: process::id(),
            state: Mutex::default(),
            changed: Condvar::new(),
            leave: Notify::new(),
        })
    }

    fn state(&self) -> MutexGuard<'_, DriverState> {
        lock(&self.state)
    }

    /// Drives the runtime until `future` ends.
    pub fn drive<T>(&self, future: impl Future<Output = T>) -> T {
        let _waiting = Waiting::begin(self);
        self.runtime.block_on(future)
    }

    /// Starts a future that no thread waits for. [`attend`](Self::attend) must have been called before.
    pub fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        future: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        let unwaited = Owed::begin(self, |state| &mut state.unwaited);
        self.runtime.spawn(async move {
            let outcome = future.await;
            drop(unwaited);
            outcome
        })
    }

    /// Starts work that may block, on a thread for that.
    pub fn spawn_blocking(&self, work: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
        self.runtime.spawn_blocking(work)
    }

    /// Keeps work going while the thread that waits for it is away, for as long as the result lives.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn leave_alone(self: &Arc<Self>) -> io::Result<Owed> {
        self.attend()?;
        Ok(Owed::begin(self, |state| &mut state.left_alone))
    }

    /// Starts the attendant unless it is running.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn attend(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state();
        if state.attendant == Attendant::NotStarted {
            let driver = Arc::clone(self);
            std::thread::Builder::new().name("pythonanywhere-api".into()).spawn(move || driver.run_attendant())?;
            state.attendant = Attendant::Resting;
        }
        Ok(())
    }

    fn run_attendant(&self) {
        let mut stands_still = false;
        let mut state = self.state();
        loop {
            if state.unwaited > 0 || (stands_still && state.left_alone > 0 && state.waiting == 0) {
                state.attendant = Attendant::Driving;
                drop(state);
                self.runtime.block_on(async {
                    self.leave.notified().await;
                    settle().await;
                });
                state = self.state();
                state.attendant = Attendant::Resting;
                stands_still = false;
            } else if state.left_alone > 0 {
                let (locked, wait) = self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
                state = locked;
                stands_still = wait.timed_out() && state.waiting == 0;
            } else {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// Lets the runtime handle events on its sockets, and tasks that were aborted.
///
/// Needed before a connection is used again: one that the server closed while nobody drove would be taken for open.
pub async fn settle() {
    // The first lets the runtime look at its sockets, the second lets the tasks run that this woke.
    task::yield_now().await;
    task::yield_now().await;
}

/// A thread that drives for a future of its own.
struct Waiting<'a>(&'a Driver);

impl<'a> Waiting<'a> {
    fn begin(driver: &'a Driver) -> Self {
        let mut state = driver.state();
        state.waiting += 1;
        if state.attendant == Attendant::Driving && state.unwaited == 0 {
            driver.leave.notify_one();
        }
        Self(driver)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// Work that the attendant drives.
pub struct Owed {
    driver: Arc<Driver>,
    count: fn(&mut DriverState) -> &mut usize,
}

impl Owed {
    fn begin(driver: &Arc<Driver>, count: fn(&mut DriverState) -> &mut usize) -> Self {
        *count(&mut driver.state()) += 1;
        driver.changed.notify_one();
        Self { driver: Arc::clone(driver), count }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.driver.process != process::id() {
            return;
        }
        let mut state = self.driver.state();
        *(self.count)(&mut state) -= 1;
        if state.attendant == Attendant::Driving && state.unwaited == 0 && state.left_alone == 0 {
            self.driver.leave.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// Only a machine that stands still takes that long.
    const LONG: Duration = Duration::from_secs(60);

    fn driver() -> Arc<Driver> {
        Arc::new(Driver::new().unwrap())
    }

    async fn tell_after(wait: Duration, sender: Sender<()>) {
        tokio::time::sleep(wait).await;
        sender.send(()).unwrap();
    }

    #[test]
    fn work_that_no_thread_waits_for_goes_on() {
        let driver = driver();
        driver.attend().unwrap();
        let (sender, ended) = channel();
        drop(driver.spawn(tell_after(Duration::from_millis(1), sender)));
        ended.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn work_goes_on_while_the_thread_that_waits_for_it_is_away() {
        let driver = driver();
        let (sender, ended) = channel();
        let left_alone = driver.leave_alone().unwrap();
        driver.drive(async {
            drop(tokio::spawn(tell_after(Duration::from_millis(1), sender)));
        });
        ended.recv_timeout(LONG).unwrap();
        drop(left_alone);
    }

    #[test]
    fn a_thread_that_waits_takes_over_and_leaves_again() {
        let driver = driver();
        driver.attend().unwrap();
        let (sender, ended) = channel();
        drop(driver.spawn(tell_after(Duration::from_millis(50), sender)));
        driver.drive(async { tokio::time::sleep(Duration::from_millis(1)).await });
        ended.recv_timeout(LONG).unwrap();
    }
}
