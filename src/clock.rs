//! The clock that the rate limit, back-off, intents and the emulator read.
//!
//! It follows the system's monotonic clock; tests may make it run faster ([`set_speed`]) or move it ahead
//! ([`advance`]), so that an exact 60 s rate limit can be tested in milliseconds while sockets, processes and signals
//! stay real. A [`Tick`] is a moment of this clock, counted from its first use in the process.

use std::ops::{Add, Sub};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;
use tokio::sync::watch;

/// A moment of the process-wide clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(Duration);

impl Tick {
    /// Time since the clock's first use.
    #[must_use]
    pub fn since_start(self) -> Duration {
        self.0
    }
}

impl Add<Duration> for Tick {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

impl Sub<Duration> for Tick {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        Self(self.0.saturating_sub(rhs))
    }
}

impl Sub for Tick {
    type Output = Duration;
    fn sub(self, rhs: Self) -> Duration {
        self.0.saturating_sub(rhs.0)
    }
}

#[derive(Debug, Clone, Copy)]
struct Rate {
    /// The moment of the real clock from which `factor` counts.
    real: Instant,
    /// What this clock showed at that moment.
    shown: Duration,
    factor: f64,
    /// The time of day that belongs to zero.
    start: SystemTime,
}

impl Rate {
    fn at(&self, real: Instant) -> Duration {
        let elapsed = real.saturating_duration_since(self.real);
        let is_real_speed = (self.factor - 1.0).abs() < f64::EPSILON;
        self.shown.saturating_add(if is_real_speed { elapsed } else { elapsed.mul_f64(self.factor) })
    }
}

struct Clock {
    /// Read without a lock, which a fork could leave held.
    rate: ArcSwap<Rate>,
    /// Wakes sleepers when the rate changes.
    changes: watch::Sender<()>,
}

static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock {
    rate: ArcSwap::from_pointee(Rate {
        real: Instant::now(),
        shown: Duration::ZERO,
        factor: 1.0,
        start: SystemTime::now(),
    }),
    changes: watch::Sender::new(()),
});

fn rate() -> Rate {
    **CLOCK.rate.load()
}

/// The present moment.
#[must_use]
pub fn now() -> Tick {
    Tick(rate().at(Instant::now()))
}

/// The present time of day by this clock.
#[must_use]
pub fn wall() -> SystemTime {
    let rate = rate();
    rate.start + rate.at(Instant::now())
}

/// Sleeps until `deadline`, even if the clock is changed meanwhile.
pub async fn sleep_until(deadline: Tick) {
    let mut changes = CLOCK.changes.subscribe();
    loop {
        let rate = rate();
        let left = deadline.0.saturating_sub(rate.at(Instant::now()));
        if left.is_zero() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(left.div_f64(rate.factor)) => {}
            // An error would mean that the static sender is gone, which cannot be.
            _ = changes.changed() => {}
        }
    }
}

/// Sleeps for `duration` of this clock.
pub async fn sleep(duration: Duration) {
    sleep_until(now() + duration).await;
}

/// The header in which an emulator says how much faster its clock runs, for a client in another process.
pub const SPEED_HEADER: &str = "x-emulator-clock-speed";

/// How many times as fast as the system's the clock runs.
#[must_use]
pub fn speed() -> f64 {
    rate().factor
}

/// Lets the clock run `factor` times as fast as the system's; 1.0 is the default.
///
/// # Panics
/// If `factor` is not a positive number.
pub fn set_speed(factor: f64) {
    assert!(factor.is_finite() && factor > 0.0, "the clock's speed must be a positive number, not {factor}");
    change(|rate| rate.factor = factor);
}

/// Moves the clock ahead.
pub fn advance(duration: Duration) {
    change(|rate| rate.shown = rate.shown.saturating_add(duration));
}

/// Gives the clock the pace of the system's and its time of day again. Its moments go on: none comes twice.
pub fn restore() {
    change(|rate| {
        rate.factor = 1.0;
        rate.start = SystemTime::now().checked_sub(rate.shown).unwrap_or(rate.start);
    });
}

fn change(apply: impl Fn(&mut Rate)) {
    CLOCK.rate.rcu(|rate| {
        let real = Instant::now();
        let mut changed = Rate { real, shown: rate.at(real), ..**rate };
        apply(&mut changed);
        Arc::new(changed)
    });
    CLOCK.changes.send_replace(());
}
