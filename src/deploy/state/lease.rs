//! Keeps a deploy's intent on the host true and fresh while the deploy works.
//!
//! A single task writes it: of two concurrent writes the older one could win. It writes every 3 minutes, and when
//! a checkpoint is asked for. If it cannot, or the host's clock shows that the intent has expired (a laptop slept), the
//! deploy has lost its right to go on and must send nothing more: another deploy may have taken over. So everything that
//! changes the host goes through its [`LeaseGuard`], which also ends what the client would go on repeating.
//!
//! A deploy that is taken over by force must notice ([`super::intent`] says why no harm is done until then). So before a
//! change the guard looks at the state folder if the last look is a minute old, if the process stood still meanwhile, or
//! if the intent was written anew, which could bring it back after it was removed; before a manifest also if the look is
//! some seconds old. In a deploy of a few seconds the first listing is that look.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::folder::{Contents, StateFolder};
use super::intent::{Active, EXPIRY, Intent};
use super::manifest::FileState;
use crate::client::RemotePath;
use crate::clock::{self, Tick};
use crate::deploy::remote::{Remote, delete_if_there};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Agent, JobFolder};
use crate::locks::lock;

/// How often the intent is written anew.
const REFRESH: Duration = Duration::from_secs(3 * 60);

/// How long to wait after a write that failed.
const RETRY: Duration = Duration::from_secs(20);

/// Nothing is sent later than this after the intent was written; what was sent has the rest of its time to arrive.
const FRESH: Duration = EXPIRY.saturating_sub(Duration::from_secs(2 * 60));

/// How often a request under way is checked: shorter than the pause before a repetition.
const CHECK: Duration = Duration::from_millis(200);

/// How old a look at the state folder may be when something is changed.
const LOOK_HOLDS: Duration = Duration::from_secs(60);

/// How old it may be when a manifest is written.
const LOOK_HOLDS_FOR_MANIFEST: Duration = Duration::from_secs(5);

/// A process that did nothing for so long was stopped, or the machine slept.
const GAP: Duration = Duration::from_secs(1);

/// An intent on the host, for as long as the deploy works. Dropped, it stays on the host and is refreshed no more.
pub(crate) struct Lease<R> {
    shared: Arc<Shared<R>>,
    task: Option<JoinHandle<()>>,
    _active: Active,
}

struct Shared<R> {
    remote: R,
    place: RemotePath,
    intent: Mutex<Intent>,
    written: Mutex<Written>,
    wake: Notify,
    stop: AtomicBool,
    watch: OnceLock<Watch>,
    pulse: Mutex<Pulse>,
    /// One looks at a time, the others wait for what it finds.
    looking: tokio::sync::Mutex<()>,
    /// Who took over.
    taken_over: OnceLock<String>,
    has_manifest: AtomicBool,
    wrote_manifest: AtomicBool,
    /// What announced this deploy instead of this process, and can end it.
    announcer: OnceLock<Announcer>,
}

/// The agent in the account's site, and where the deploy's job is done.
struct Announcer {
    agent: Arc<Agent>,
    job_folder: JobFolder,
}

/// What a look at the state folder is compared with.
struct Watch {
    folder: StateFolder,
    /// Of the manifest that this deploy writes.
    generation: u64,
    /// The intents that this deploy takes over.
    known: BTreeSet<String>,
}

/// When the folder was looked at last, and when this process was seen at work last.
#[derive(Debug, Clone, Copy)]
struct Pulse {
    looked: Written,
    /// These count in real time also where tests make the clock run faster.
    beat: (Instant, SystemTime),
    /// A look is due before the next change.
    is_due: bool,
    /// This process stood still since the last look: what is under way must not go on before the next one.
    has_slept: bool,
}

impl Pulse {
    fn new(looked: Written) -> Self {
        Self { looked, beat: (Instant::now(), SystemTime::now()), is_due: false, has_slept: false }
    }
}

/// When the intent was written last: when the request was made, by each clock there is.
#[derive(Debug, Clone, Copy)]
struct Written {
    at: Tick,
    /// The clock above stands still while a laptop sleeps; this one may be set.
    local: SystemTime,
    server: Option<SystemTime>,
}

impl Written {
    fn now<R: Remote>(remote: &R) -> Self {
        Self { at: clock::now(), local: SystemTime::now(), server: remote.server_time() }
    }

    fn is_fresh<R: Remote>(&self, remote: &R) -> bool {
        self.age(remote) < FRESH
    }

    /// How long ago this was, by the clock that says most.
    fn age<R: Remote>(&self, remote: &R) -> Duration {
        let by_server = self.server.zip(remote.server_time()).and_then(|(then, now)| now.duration_since(then).ok());
        let by_local = self.local.elapsed().unwrap_or_default();
        (clock::now() - self.at).max(by_server.unwrap_or_default()).max(by_local)
    }
}

impl<R: Remote> Lease<R> {
    /// Writes the intent, as [`Self::announce`] does.
    pub(crate) async fn write(remote: &R, place: RemotePath, intent: Intent) -> Result<Self> {
        let lease = Self::new(remote, place, intent);
        lease.announce().await?;
        Ok(lease)
    }

    /// A lease whose intent is yet to be written, by [`Self::announce`] or by the agent in the account's site.
    pub(crate) fn new(remote: &R, place: RemotePath, intent: Intent) -> Self {
        let active = Active::new(&intent.id);
        let written = Written::now(remote);
        let shared = Shared {
            remote: remote.clone(),
            place,
            intent: Mutex::new(intent),
            written: Mutex::new(written),
            wake: Notify::new(),
            stop: AtomicBool::new(false),
            watch: OnceLock::new(),
            pulse: Mutex::new(Pulse::new(written)),
            looking: tokio::sync::Mutex::new(()),
            taken_over: OnceLock::new(),
            has_manifest: AtomicBool::new(false),
            wrote_manifest: AtomicBool::new(false),
            announcer: OnceLock::new(),
        };
        Self { shared: Arc::new(shared), task: None, _active: active }
    }

    /// Writes the intent. If that fails, it may be there all the same: then it says truly that a deploy was cut off.
    pub(crate) async fn announce(&self) -> Result<()> {
        let (remote, place) = (&self.shared.remote, &self.shared.place);
        let (written, text) = (Written::now(remote), self.intent().to_text());
        *lock(&self.shared.written) = written;
        if let Err(error) = remote.write(place, text.into()).await {
            // Nothing was done yet, so the intent is worth nothing: try to take it back.
            if let Err(second) = delete_if_there(remote, place).await {
                log::warn!("{place} could not be removed and will expire: {}", second.chain());
            }
            return Err(error);
        }
        Ok(())
    }

    /// Notes that this agent has written the intent, was alone, and writes the manifest, of this `generation`. Watches from
    /// now on whether another deploy takes over.
    pub(crate) fn announced_by(
        &self,
        agent: &Arc<Agent>,
        job_folder: &JobFolder,
        folder: &StateFolder,
        generation: u64,
    ) {
        let announcer = Announcer { agent: Arc::clone(agent), job_folder: job_folder.clone() };
        // Set once, as the watch.
        let _ = self.shared.announcer.set(announcer);
        self.shared.has_manifest.store(true, Ordering::SeqCst);
        self.watch(folder, generation, BTreeSet::new());
    }

    /// Whether the agent in the account's site has announced this deploy.
    pub(crate) fn is_by_site(&self) -> bool {
        self.shared.announcer.get().is_some()
    }

    /// Lets the agent that announced this deploy remove its intent, or leave it if something is owed. Whether the intent
    /// was there; `None` if there is no such agent, or it did not say.
    async fn end_by_site(&mut self, is_owed: bool) -> Option<bool> {
        self.stop().await;
        let Announcer { agent, job_folder } = self.shared.announcer.get()?;
        let (id, note) = {
            let mut intent = self.intent();
            intent.ended |= is_owed;
            (intent.id.clone(), is_owed.then(|| intent.to_value()))
        };
        agent.finish(job_folder, &id, note.as_ref()).await
    }

    /// Starts to keep it fresh, at once if it went out before the service's clock was known: without an expiry it would
    /// keep everybody out for good if we died.
    pub(crate) fn start(&mut self) {
        if self.shared.written().server.is_none() && self.shared.remote.server_time().is_some() {
            self.checkpoint();
        }
        if self.task.is_none() {
            self.task = Some(tokio::spawn(Arc::clone(&self.shared).keep_fresh()));
        }
    }

    /// Watches from now on whether another deploy takes over; the folder was listed just now. `generation` is that of the
    /// manifest which this deploy writes, `known` are the intents that it takes over itself.
    pub(crate) fn watch(&self, folder: &StateFolder, generation: u64, known: BTreeSet<String>) {
        let watch = Watch { folder: folder.clone(), generation, known };
        // Set once: a lease belongs to one deploy.
        let _ = self.shared.watch.set(watch);
        self.shared.looked(Written::now(&self.shared.remote));
    }

    /// Who took this deploy over, if that was noticed.
    pub(crate) fn taken_over(&self) -> Option<String> {
        self.shared.taken_over.get().cloned()
    }

    /// To be called before a manifest is written, by this process or by a job: fails if another deploy took over.
    pub(crate) async fn begin_manifest(&self) -> Result<()> {
        self.shared.look_if_older(LOOK_HOLDS_FOR_MANIFEST).await?;
        self.shared.has_manifest.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// The intent as it is known here; written at the next checkpoint.
    pub(crate) fn intent(&self) -> MutexGuard<'_, Intent> {
        self.shared.intent()
    }

    /// Notes an upload.
    pub(crate) fn uploaded(&self, path: &str, state: FileState) {
        let mut intent = self.intent();
        intent.pending.remove(path);
        intent.done.insert(path.to_owned(), state);
        if let Some(own) = intent.own_entry() {
            own.uploaded += 1;
        }
    }

    /// Has the intent written soon.
    pub(crate) fn checkpoint(&self) {
        self.shared.wake.notify_one();
    }

    /// The right to change what the intent names.
    pub(crate) fn guard(&self) -> LeaseGuard<R> {
        LeaseGuard(Arc::clone(&self.shared))
    }

    /// Notes that this process has written the manifest.
    pub(crate) fn manifest_written(&self) {
        self.shared.wrote_manifest.store(true, Ordering::SeqCst);
    }

    /// Whether this process has written the manifest.
    pub(crate) fn wrote_manifest(&self) -> bool {
        self.shared.wrote_manifest.load(Ordering::SeqCst)
    }

    /// Removes the intent: nothing is owed.
    pub(crate) async fn remove(mut self) -> Result<()> {
        if self.end_by_site(false).await.is_some() {
            return Ok(());
        }
        delete_if_there(&self.shared.remote, &self.shared.place).await
    }

    /// Removes the intent at the end of a deploy that did all it was to do; `Held` if another one had taken over.
    ///
    /// Of two deletes of one file only one succeeds, so an intent that is gone was removed by whoever took over, unless
    /// our own request was sent twice: then nobody else has left a trace.
    pub(crate) async fn finish(mut self) -> Result<()> {
        if self.end_by_site(false).await == Some(true) {
            return Ok(());
        }
        let shared = &self.shared;
        match shared.remote.delete(&shared.place).await {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let Some(watch) = shared.watch.get() else { return Ok(()) };
                let contents = watch.folder.list(&shared.remote).await?;
                match shared.successor(watch, &contents).await? {
                    Some(who) => Err(taken_over(&who)),
                    None => Ok(()),
                }
            }
            outcome => outcome,
        }
    }

    /// As [`Self::leave`], but `Held` if another deploy has taken over.
    pub(crate) async fn leave_if_ours(mut self) -> Result<()> {
        if self.end_by_site(true).await == Some(true) {
            return Ok(());
        }
        self.shared.look_if_older(Duration::ZERO).await?;
        self.leave().await
    }

    /// Leaves the intent on the host as a note of what is owed.
    pub(crate) async fn leave(mut self) -> Result<()> {
        if self.end_by_site(true).await == Some(true) {
            return Ok(());
        }
        let text = {
            let mut intent = self.intent();
            intent.ended = true;
            intent.to_text()
        };
        // Somebody else's turn: what the host has of this intent is old, but true.
        self.guard().run(|| self.shared.remote.write(&self.shared.place, text.clone().into())).await
    }

    /// Lets the task end what it is writing, so that nothing of it arrives later.
    async fn stop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// The right to change the host, which ends when the intent may have expired.
pub(crate) struct LeaseGuard<R>(Arc<Shared<R>>);

impl<R> Clone for LeaseGuard<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Remote> LeaseGuard<R> {
    /// Fails once the intent may have expired, or another deploy was seen to have taken over.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(who) = self.0.taken_over.get() {
            return Err(taken_over(who));
        }
        if self.0.is_fresh() {
            return Ok(());
        }
        Err(Error::held(
            "this deploy had no contact with the host for so long that another may have taken over: deploy again",
        ))
    }

    /// Fails if another deploy has taken over, as far as that must be known before the next change.
    pub(crate) async fn confirm(&self) -> Result<()> {
        self.check()?;
        self.0.look_if_older(LOOK_HOLDS).await
    }

    /// Sends a change of the host, and gives it up once the intent may have expired, as it may be a repetition by then, or
    /// once another deploy has taken over. After this process stood still, it looks at the state folder and then sends
    /// the change anew: the first attempt may hold the place in the rate limit that the look waits for, so it cannot
    /// just be paused. `change` must be harmless if it is done twice.
    pub(crate) async fn run<T, F: Future<Output = Result<T>>>(&self, mut change: impl FnMut() -> F) -> Result<T> {
        self.confirm().await?;
        loop {
            let outcome = self.unless_slept(change()).await;
            match outcome {
                Some(outcome) => return outcome,
                None => self.0.look_if_older(LOOK_HOLDS).await?,
            }
        }
    }

    /// What came of an attempt; `None` once this process stood still.
    async fn unless_slept<T>(&self, attempt: impl Future<Output = Result<T>>) -> Option<Result<T>> {
        let mut attempt = pin!(attempt);
        loop {
            // Asked each time that anything wakes this task, before the attempt goes on.
            let slept = poll_fn(|_| if self.0.has_slept() { Poll::Ready(()) } else { Poll::Pending });
            tokio::select! {
                biased;
                () = slept => return None,
                outcome = &mut attempt => return Some(outcome),
                () = tokio::time::sleep(CHECK) => match self.check() {
                    Ok(()) => {}
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }

    /// Waits for a job on the host, until another deploy has taken over. It goes on while this looks: the runner checks by
    /// itself that its deploy is the current one.
    pub(crate) async fn wait_for<T>(&self, job: impl Future<Output = Result<T>>) -> Result<T> {
        self.confirm().await?;
        let watch = async {
            loop {
                tokio::time::sleep(CHECK).await;
                self.check()?;
                if self.0.has_slept() {
                    self.0.look_if_older(LOOK_HOLDS).await?;
                }
            }
        };
        tokio::select! {
            outcome = job => outcome,
            failure = watch => failure,
        }
    }
}

fn taken_over(who: &str) -> Error {
    Error::held(format!("{who}: this deploy stopped, and leaves the rest to the next one. Make a new diff"))
}

impl<R> Drop for Lease<R> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

impl<R> Shared<R> {
    fn intent(&self) -> MutexGuard<'_, Intent> {
        lock(&self.intent)
    }

    fn written(&self) -> Written {
        *lock(&self.written)
    }

    fn pulse(&self) -> MutexGuard<'_, Pulse> {
        lock(&self.pulse)
    }

    /// Notes that the folder was looked at.
    fn looked(&self, when: Written) {
        let mut pulse = self.pulse();
        pulse.looked = when;
        pulse.is_due = false;
        pulse.has_slept = false;
    }

    /// Whether this process did nothing for a while and has not looked since. Notes that it is at work.
    fn has_slept(&self) -> bool {
        if self.watch.get().is_none() {
            return false;
        }
        let now = (Instant::now(), SystemTime::now());
        let mut pulse = self.pulse();
        // The first clock stands still while a laptop sleeps, the second one may be set.
        let gap = (now.0 - pulse.beat.0).max(now.1.duration_since(pulse.beat.1).unwrap_or_default());
        pulse.beat = now;
        pulse.has_slept |= gap >= GAP;
        pulse.has_slept
    }
}

impl<R: Remote> Shared<R> {
    fn is_fresh(&self) -> bool {
        self.written().is_fresh(&self.remote)
    }

    async fn look_if_older(&self, age: Duration) -> Result<()> {
        let Some(watch) = self.watch.get() else { return Ok(()) };
        if self.is_look_due(age) {
            // Boxed, as it is rare and is part of everything that changes the host.
            Box::pin(self.look(watch, age)).await?;
        }
        Ok(())
    }

    fn is_look_due(&self, age: Duration) -> bool {
        self.has_slept() || self.pulse().is_due || self.pulse().looked.age(&self.remote) >= age
    }

    async fn look(&self, watch: &Watch, age: Duration) -> Result<()> {
        let _one = self.looking.lock().await;
        if let Some(who) = self.taken_over.get() {
            return Err(taken_over(who));
        }
        if !self.is_look_due(age) {
            return Ok(());
        }
        let when = Written::now(&self.remote);
        // What comes up while it looks is for the next look.
        {
            let mut pulse = self.pulse();
            (pulse.is_due, pulse.has_slept) = (false, false);
        }
        let found = async {
            let contents = watch.folder.list(&self.remote).await?;
            let own = self.intent().id.clone();
            match self.successor(watch, &contents).await? {
                None if !contents.intents.contains(&own) => {
                    Ok(Some("the intent of this deploy was removed from the host".to_owned()))
                }
                successor => Ok(successor),
            }
        };
        match found.await {
            Ok(None) => {
                self.pulse().looked = when;
                Ok(())
            }
            Ok(Some(who)) => {
                let _ = self.taken_over.set(who.clone());
                Err(taken_over(&who))
            }
            Err(error) => {
                self.pulse().is_due = true;
                Err(error)
            }
        }
    }

    /// Who has taken over, as far as the folder tells.
    async fn successor(&self, watch: &Watch, contents: &Contents) -> Result<Option<String>> {
        let newest = contents.newest().unwrap_or(0);
        let last = if self.has_manifest.load(Ordering::SeqCst) { watch.generation } else { watch.generation - 1 };
        if newest > last {
            return Ok(Some(format!("another deploy has taken over and wrote the manifest of generation {newest}")));
        }
        let own = self.intent().id.clone();
        for id in contents.intents.iter().filter(|id| **id != own && !watch.known.contains(*id)) {
            match watch.folder.read_intent(&self.remote, id).await {
                Ok(other) if other.takes_over.contains(&own) => {
                    return Ok(Some(format!("another deploy has taken over: {}", other.describe())));
                }
                // It saw our intent and will stop, or has stopped, or cannot be read and is about to be written.
                Ok(_) => {}
                Err(error) if matches!(error, Error::Decode { .. }) || error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Waits until a write is asked for, or due.
    async fn woken_or_due(&self, due: Tick) {
        loop {
            tokio::select! {
                () = self.wake.notified() => return,
                () = clock::sleep_until(due) => return,
                // Shows that this process is at work, also while no request is under way.
                () = tokio::time::sleep(CHECK) => { self.has_slept(); }
            }
        }
    }

    async fn keep_fresh(self: Arc<Self>) {
        let mut due = self.written().at + REFRESH;
        loop {
            self.woken_or_due(due).await;
            if self.stop.load(Ordering::SeqCst) || !self.is_fresh() || self.taken_over.get().is_some() {
                return;
            }
            due = match self.refresh().await {
                Ok(()) => self.written().at + REFRESH,
                Err(error) => {
                    log::warn!("{} could not be refreshed: {}", self.place, error.chain());
                    clock::now() + RETRY
                }
            };
        }
    }

    async fn refresh(self: &Arc<Self>) -> Result<()> {
        let written = Written::now(&self.remote);
        let text = {
            let mut intent = self.intent();
            intent.refresh(written.server);
            intent.to_text()
        };
        // Given up in time, so that an old note never replaces what a successor made of it.
        let shared = Arc::clone(self);
        let outcome = LeaseGuard(shared).run(|| self.remote.write(&self.place, text.clone().into())).await;
        // It may be back after it was removed: the next change looks first.
        self.pulse().is_due = true;
        outcome?;
        *lock(&self.written) = written;
        Ok(())
    }
}
