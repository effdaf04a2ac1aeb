//! Waits for the rate limit, shown by every command: a line that counts down, on a terminal.
//!
//! A deploy shows them beside its bar ([`super::progress`]). Where stderr is not a terminal, longer waits get a line each,
//! so that a CI log shows where the time went.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use super::output::Output;
use super::terminal::print_line;
use crate::client::Observer;
use crate::clock::{self, Tick};
use crate::locks::lock;
use crate::text::duration_text;

/// Shorter waits are not worth a line in a log.
const MIN_WAIT_REPORTED: Duration = Duration::from_secs(5);
/// Time between two lines about waiting: many requests wait at the same time.
const MIN_LINE_INTERVAL: Duration = Duration::from_secs(60);

/// A wait as people read it.
pub fn wait_text(endpoint: &str, until: Tick) -> String {
    format!("waiting {} for the rate limit of {endpoint}", duration_text(until - clock::now()))
}

/// Decides which waits get a line in a log.
#[derive(Debug, Default)]
pub struct WaitLines {
    last: Option<Tick>,
}

impl WaitLines {
    /// Whether this wait gets one, which counts as printed.
    pub fn takes(&mut self, wait: Duration) -> bool {
        let now = clock::now();
        let is_due = wait >= MIN_WAIT_REPORTED && self.last.is_none_or(|last| now - last >= MIN_LINE_INTERVAL);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

/// Shows what the requests of a command wait for.
pub struct Waits {
    /// Where the line is drawn, if stderr is a terminal.
    bars: Option<MultiProgress>,
    quiet: bool,
    lines: Mutex<WaitLines>,
    /// Drawn while something waits.
    line: Mutex<Option<ProgressBar>>,
    /// Until when each endpoint waits; read by the line while it is drawn: whoever holds the lock must not touch the line.
    until: Arc<Mutex<BTreeMap<String, Tick>>>,
}

impl Waits {
    /// A display on the terminal of `output`, if it has one.
    #[must_use]
    pub fn new(output: &Output) -> Self {
        Self {
            bars: output.is_watched().then(|| output.bars().clone()),
            quiet: output.is_quiet(),
            lines: Mutex::default(),
            line: Mutex::default(),
            until: Arc::default(),
        }
    }

    fn draw(&self, bars: &MultiProgress) {
        let mut line = lock(&self.line);
        if line.is_some() {
            return;
        }
        let until = Arc::clone(&self.until);
        let message = move |_: &ProgressState, text: &mut dyn std::fmt::Write| {
            // Its only error is that of a text that does not take any more.
            let _ = text.write_str(&longest(&lock(&until)).unwrap_or_default());
        };
        let style = ProgressStyle::with_template("{wait}").unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style.with_key("wait", message)));
        bar.enable_steady_tick(Duration::from_millis(250));
        *line = Some(bar);
    }
}

/// The wait that ends last.
fn longest(until: &BTreeMap<String, Tick>) -> Option<String> {
    let (endpoint, until) = until.iter().max_by_key(|(_, until)| **until)?;
    Some(wait_text(endpoint, *until))
}

impl Observer for Waits {
    fn waiting(&self, endpoint: &str, wait: Duration) {
        let until = clock::now() + wait;
        lock(&self.until).insert(endpoint.to_owned(), until);
        if let Some(bars) = &self.bars {
            self.draw(bars);
        } else if !self.quiet && lock(&self.lines).takes(wait) {
            print_line(&wait_text(endpoint, until));
        }
    }

    fn resumed(&self, endpoint: &str) {
        let is_over = {
            let mut until = lock(&self.until);
            until.remove(endpoint);
            until.is_empty()
        };
        let line = if is_over { lock(&self.line).take() } else { None };
        if let Some(line) = line {
            line.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_that_ends_last_is_shown_until_none_is_left() {
        let waits = Waits::new(&Output::new(false, true));
        waits.waiting("files", Duration::from_secs(30));
        waits.waiting("webapps", Duration::from_secs(50));
        assert_eq!(longest(&lock(&waits.until)).unwrap(), "waiting 50 s for the rate limit of webapps");
        waits.resumed("webapps");
        assert_eq!(longest(&lock(&waits.until)).unwrap(), "waiting 30 s for the rate limit of files");
        waits.resumed("files");
        assert_eq!(longest(&lock(&waits.until)), None);
    }

    #[test]
    fn a_log_gets_long_waits_and_not_each_of_them() {
        let mut lines = WaitLines::default();
        let taken = [1, 30, 30].map(|seconds| lines.takes(Duration::from_secs(seconds)));
        assert_eq!(taken, [false, true, false]);
    }
}
