//! The progress bar of a deploy: files, rate, time left, and waits for the rate limit.
//!
//! Rate and time left come from the process' clock, not the bar's own, so that a clock that runs faster (`pya demo`)
//! shows the numbers of the service. What stands beside the bar is made anew at each of its ticks, so that a wait counts
//! down. Where stderr is not a terminal there is no bar, and longer waits get a line each.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::output::Output;
use super::terminal::{print_line, shown};
use super::waits::{WaitLines, wait_text};
use crate::clock::{self, Tick};
use crate::locks::lock;
use crate::text::duration_text;

/// The progress of an operation.
pub struct Progress {
    /// Where bars are drawn, if stderr is a terminal.
    bars: Option<MultiProgress>,
    /// Created when there is something to count.
    bar: OnceLock<ProgressBar>,
    quiet: bool,
    /// Read by the bar while it is drawn: whoever holds the lock must not touch the bar.
    state: Arc<Mutex<BarState>>,
}

struct BarState {
    started: Tick,
    total: u64,
    done: u64,
    waiting: Option<(String, Tick)>,
    /// What is under way, in place of the rate.
    doing: Option<String>,
    lines: WaitLines,
}

impl Progress {
    /// A display that starts now; nothing is drawn where stderr is not a terminal.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        let bars = output.is_watched().then(|| output.bars().clone());
        let lines = WaitLines::default();
        let state = BarState { started: clock::now(), total: 0, done: 0, waiting: None, doing: None, lines };
        Self { bars, bar: OnceLock::new(), quiet: output.is_quiet(), state: Arc::new(Mutex::new(state)) }
    }

    /// Starts counting: `total` steps are to be done from now on.
    pub fn plan(&self, total: u64) {
        let mut state = self.lock();
        state.total = total;
        state.started = clock::now();
        drop(state);
        if let (Some(bars), 1..) = (&self.bars, total) {
            let shared = Arc::clone(&self.state);
            let message = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
                // Its only error is that of a text that does not take any more.
                let _ = text.write_str(&lock(&shared).message());
            };
            let style = ProgressStyle::with_template("{bar:28} {pos}/{len}  {message}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("message", message);
            let bar = ProgressBar::new(total).with_style(style);
            let bar = self.bar.get_or_init(|| bars.add(bar));
            bar.enable_steady_tick(Duration::from_millis(250));
        }
    }

    /// Counts a step that is done or failed.
    pub fn step(&self) {
        let mut state = self.lock();
        state.done += 1;
        state.doing = None;
        let done = state.done;
        drop(state);
        if let Some(bar) = self.bar.get() {
            bar.set_position(done);
        }
    }

    /// Shows that requests wait for the rate limit of `endpoint`, at most this long.
    pub fn waiting(&self, endpoint: &str, wait: Duration) {
        let mut state = self.lock();
        state.waiting = Some((endpoint.to_owned(), clock::now() + wait));
        if self.bars.is_none() && !self.quiet && state.lines.takes(wait) {
            let text = format!("{}, {} of {} done", state.message(), state.done, state.total);
            drop(state);
            self.say(&text);
        }
    }

    /// Prints a line while no bar is drawn yet.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            print_line(text);
        }
    }

    /// Shows that nothing waits any more.
    pub fn resumed(&self) {
        self.lock().waiting = None;
    }

    /// Shows a message in place of the rate.
    pub fn message(&self, text: &str) {
        self.lock().doing = Some(shown(text));
    }

    fn lock(&self) -> MutexGuard<'_, BarState> {
        lock(&self.state)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

impl BarState {
    fn message(&self) -> String {
        if let Some((endpoint, until)) = &self.waiting {
            return wait_text(endpoint, *until);
        }
        if let Some(doing) = &self.doing {
            return doing.clone();
        }
        let spent = clock::now() - self.started;
        if self.done == 0 || spent.is_zero() {
            return String::new();
        }
        #[allow(clippy::cast_precision_loss, reason = "counts of files are far below 2^52")]
        let (done, left) = (self.done as f64, self.total.saturating_sub(self.done) as f64);
        let rate = done / spent.as_secs_f64();
        let left = Duration::try_from_secs_f64(left / rate).unwrap_or(Duration::MAX);
        format!("{:.0} a minute, {} left", rate * 60.0, duration_text(left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_without_a_terminal() {
        let progress = Progress::new(&Output::new(false, true));
        progress.plan(3);
        progress.step();
        assert!(progress.bars.is_none());
        assert!(progress.lock().message().ends_with("left"));
        progress.waiting("files", Duration::from_secs(30));
        assert_eq!(progress.lock().message(), "waiting 30 s for the rate limit of files");
        progress.resumed();
        assert!(!progress.lock().message().contains("waiting"));
        progress.message("reloading a\u{1b}]0;b");
        assert_eq!(progress.lock().message(), "reloading a\\u{1b}]0;b");
        progress.step();
        assert!(progress.lock().message().ends_with("left"));
    }

    #[test]
    fn a_wait_counts_down() {
        let progress = Progress::new(&Output::new(false, true));
        progress.waiting("files", Duration::from_millis(2_500));
        assert_eq!(progress.lock().message(), "waiting 3 s for the rate limit of files");
        std::thread::sleep(Duration::from_millis(600));
        let message = progress.lock().message();
        assert!(message.as_str() < "waiting 3 s", "{message}");
    }
}
