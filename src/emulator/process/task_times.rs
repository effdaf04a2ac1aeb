//! When a scheduled task is due, and the name of its log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// How many characters of the command are in the name of a log.
const NAME_CHARACTERS: usize = 50;

/// How often a task runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// Once a day at an hour and a minute.
    Daily,
    /// Every hour at a minute.
    Hourly,
}

/// A scheduled task. All times are UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledTask {
    /// Counts from 1 in the account.
    pub id: u64,
    /// The command line that it runs.
    pub command: String,
    /// The user's description.
    pub description: String,
    /// Whether it is enabled.
    pub enabled: bool,
    /// How often it runs.
    pub interval: Interval,
    /// The hour of the day; only for daily tasks.
    pub hour: Option<u8>,
    /// The minute of the hour.
    pub minute: u8,
}

impl ScheduledTask {
    /// The first time after `moment` at which it is due.
    #[must_use]
    pub fn next_after(&self, moment: SystemTime) -> SystemTime {
        let minute = u64::from(self.minute) * 60;
        let (period, offset) = match self.interval {
            Interval::Daily => (DAY, u64::from(self.hour.unwrap_or(0)) * HOUR + minute),
            Interval::Hourly => (HOUR, minute),
        };
        let now = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let this = now - now % period + offset;
        UNIX_EPOCH + Duration::from_secs(if this > now { this } else { this + period })
    }

    /// The name of its log in `/var/log`, as in `tasklog-7-daily-at-1605-echo_it.log`.
    #[must_use]
    pub fn log_name(&self) -> String {
        let when = match (self.interval, self.hour) {
            (Interval::Daily, hour) => format!("daily-at-{:02}{:02}", hour.unwrap_or(0), self.minute),
            (Interval::Hourly, _) => format!("hourly-at-{:02}", self.minute),
        };
        let kept = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
        let command: String = self.command.chars().take(NAME_CHARACTERS).map(kept).collect();
        format!("tasklog-{}-{when}-{command}.log", self.id)
    }

    /// When it runs, human-readable.
    #[must_use]
    pub fn printable_time(&self) -> String {
        match self.interval {
            Interval::Daily => format!("{:02}:{:02}", self.hour.unwrap_or(0), self.minute),
            Interval::Hourly => format!("{:02} minutes past each hour", self.minute),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(interval: Interval, hour: Option<u8>, minute: u8) -> ScheduledTask {
        let (command, description) = ("echo 'it' > ../x".to_owned(), String::new());
        ScheduledTask { id: 7, command, description, enabled: true, interval, hour, minute }
    }

    #[test]
    fn a_task_is_due_at_its_time_and_not_twice() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let daily = task(Interval::Daily, Some(16), 5);
        let due = 16 * HOUR + 5 * 60;
        for (now, next) in [(0, due), (due - 1, due), (due, due + DAY), (due + 1, due + DAY)] {
            assert_eq!(daily.next_after(at(now)), at(next), "{now}");
        }
        let hourly = task(Interval::Hourly, None, 30);
        for (now, next) in [(0, 1800), (1799, 1800), (1800, 1800 + HOUR), (7 * HOUR, 7 * HOUR + 1800)] {
            assert_eq!(hourly.next_after(at(now)), at(next), "{now}");
        }
    }

    #[test]
    fn a_log_is_named_by_time_and_command_and_stays_in_its_folder() {
        assert_eq!(task(Interval::Daily, Some(4), 5).log_name(), "tasklog-7-daily-at-0405-echo__it____.._x.log");
        assert_eq!(task(Interval::Hourly, None, 5).log_name(), "tasklog-7-hourly-at-05-echo__it____.._x.log");
    }
}
