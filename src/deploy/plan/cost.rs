//! What each way of deploying costs: in requests, and in time as far as that is known beforehand.
//!
//! One request per file, or a bundle that a job on the host unpacks. The figures are those of a deploy without retries:
//! exact for single files and for the agent; a task or a console is polled until it is done.

use crate::text::counted;
use std::fmt;

use serde::Serialize;

/// Up to this many changes a bundle by a task saves next to nothing.
const FEW: usize = 20;

/// What a bundle costs, whatever its size and its executor: intent, listing, and removing the intent.
const BULK_REQUESTS: usize = 3;

/// What a task costs at most, for one job: two uploads, making and deleting the task, its folder, and polls of the receipt.
const TASK_REQUESTS: usize = 10;

/// What a console costs at most, for one job: its record, polls of its prompt, two uploads, the line that is typed, and
/// polls of the receipt.
const CONSOLE_REQUESTS: usize = 12;

/// What a way of deploying costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The executor.
    pub executor: &'static str,
    /// Requests to the API, retries aside; with a task or a console, at most, unless the job takes long.
    pub requests: usize,
    /// At least, as far as the rate limit and the service's clock decide.
    pub seconds: f64,
    /// What it takes.
    pub needs: String,
}

impl Estimate {
    /// What it costs, human-readable.
    #[must_use]
    pub fn cost(&self) -> String {
        let is_bound = !matches!(self.executor, "none" | "webapp");
        let most = if is_bound { "at most " } else { "" };
        let time = self.minutes().map_or(String::new(), |minutes| format!(", {minutes}"));
        format!("{most}{}{time}", counted(self.requests, "request"))
    }

    fn minutes(&self) -> Option<String> {
        (self.seconds >= 60.0).then(|| format!("about {:.0} min", (self.seconds / 60.0).ceil()))
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.minutes().unwrap_or_else(|| "seconds".to_owned());
        write!(f, "{:<10} {:>14}, {time}", self.executor, counted(self.requests, "request"))?;
        if self.needs.is_empty() { Ok(()) } else { write!(f, " ({})", self.needs) }
    }
}

/// What a deploy is about, as far as its cost depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Workload {
    /// Files to be uploaded and deleted.
    pub changes: usize,
    /// Requests if they go one by one, reloads included.
    pub single: usize,
    pub reloads: usize,
    /// How many parts a bundle has.
    pub parts: usize,
    /// Requests about deploys that were cut off, which a bundle costs as well.
    pub leftovers: usize,
    /// How many commands are run.
    pub commands: usize,
    /// Requests before the first upload: the domains, and what commands must be told of a web app.
    pub preflight: usize,
    /// Requests a minute.
    pub limit: Option<u32>,
    /// Whether the agent gets the bundle by the site, which costs the API nothing.
    pub by_site: bool,
}

/// What jobs cost by one executor.
struct Rate {
    /// Requests before the first.
    look: usize,
    /// Requests for each.
    job: usize,
    /// Seconds for each, at least.
    seconds: f64,
}

impl Rate {
    /// What is asked of the agent itself is asked of the site, not of the API.
    fn of(executor: &str) -> Self {
        match executor {
            // The receipt comes with the site's answer. An agent from before signed answers costs one for it.
            "webapp" => Self { look: 1, job: 0, seconds: 0.0 },
            "always_on" => Self { look: 1, job: TASK_REQUESTS, seconds: 10.0 },
            "schedule" => Self { look: 1, job: TASK_REQUESTS, seconds: 120.0 },
            "console" => Self { look: 0, job: CONSOLE_REQUESTS, seconds: 0.0 },
            _ => Self { look: 0, job: 0, seconds: 0.0 },
        }
    }
}

impl Workload {
    fn bundle(&self) -> usize {
        BULK_REQUESTS + self.leftovers + self.parts + self.reloads
    }

    /// What single requests have to do; human-readable.
    pub fn singly(&self) -> String {
        match self.changes {
            0 => "no files need to be sent".to_owned(),
            changes => format!("{} can be made with single requests", counted(changes, "change")),
        }
    }

    /// Whether a bundle saves requests. By the agent everything goes as one, since that can be undone.
    pub fn is_worth_a_bundle(&self) -> bool {
        let Rate { look, job, .. } = Rate::of("webapp");
        self.changes > FEW && self.single > self.bundle() + look + job
    }

    /// What each way costs; the first is one request per file, where only commands need the `executor`. Choosing the
    /// executor of the one that is `taken` took `asked` requests.
    pub fn estimates(&self, executor: Option<&'static str>, asked: usize, taken: &str) -> Vec<Estimate> {
        let mut estimates = vec![self.estimate("none", executor, asked, taken, "")];
        if self.changes > 0 {
            estimates.extend(
                [
                    ("webapp", "with the agent installed; a site with one worker waits meanwhile"),
                    ("always_on", "paid accounts, with tasks allowed"),
                    ("schedule", "accounts with scheduled tasks, with tasks allowed"),
                    ("console", "a bash console that was opened in a browser"),
                ]
                .map(|(name, needs)| self.estimate(name, Some(name), asked, taken, needs)),
            );
        }
        estimates
    }

    fn estimate(
        &self,
        name: &'static str,
        worker: Option<&'static str>,
        asked: usize,
        taken: &str,
        needs: &'static str,
    ) -> Estimate {
        let rate = worker.map_or(Rate::of("none"), Rate::of);
        let is_bundle = name != "none";
        let jobs = usize::from(is_bundle) + self.commands;
        let files = match name {
            "none" => self.single,
            "webapp" if self.by_site => self.reloads,
            _ => self.bundle(),
        };
        let look = match jobs {
            _ if name == taken => asked,
            0 => 0,
            _ => rate.look,
        };
        let requests = files + look + jobs * rate.job + self.preflight;
        let least = f64::from(u32::try_from(jobs).unwrap_or(u32::MAX)) * rate.seconds;
        let needs = match worker {
            Some(worker) if !is_bundle && jobs > 0 => format!("{worker} runs the commands"),
            _ => needs.to_owned(),
        };
        Estimate {
            executor: name,
            requests,
            // Reloads have a limit of their own.
            seconds: projected_seconds(requests - self.reloads, self.limit).max(least),
            needs,
        }
    }
}

/// How long `requests` take if none was sent within the last minute: a full window leaves at once, then another one each minute.
pub(crate) fn projected_seconds(requests: usize, limit: Option<u32>) -> f64 {
    const WINDOW: f64 = 60.0;
    let windows = limit.map_or(0, |limit| requests.saturating_sub(1) / limit.max(1) as usize);
    f64::from(u32::try_from(windows).unwrap_or(u32::MAX)) * WINDOW
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Workload {
        Workload { changes: 460, single: 471, reloads: 1, parts: 1, limit: Some(40), ..Workload::default() }
    }

    #[test]
    fn ways_are_told_with_what_they_cost() {
        let estimates = workload().estimates(Some("webapp"), 1, "webapp");
        assert_eq!(estimates[0].to_string(), "none         471 requests, about 11 min");
        assert_eq!(
            estimates[1].to_string(),
            "webapp         6 requests, seconds (with the agent installed; a site with one worker waits meanwhile)"
        );
        let names: Vec<&str> = estimates.iter().map(|estimate| estimate.executor).collect();
        assert_eq!(names, ["none", "webapp", "always_on", "schedule", "console"]);
        assert_eq!(estimates[1].cost(), "6 requests");
        assert_eq!(estimates[3].cost(), "at most 16 requests, about 2 min");
    }

    #[test]
    fn commands_cost_in_every_way_and_may_be_all_there_is() {
        let workload = Workload { commands: 2, preflight: 2, ..workload() };
        let estimates = workload.estimates(Some("webapp"), 1, "webapp");
        let requests: Vec<usize> = estimates.iter().map(|estimate| estimate.requests).collect();
        assert_eq!(requests, [471 + 3, 6 + 2, 6 + 32, 6 + 32, 5 + 38]);
        assert!((estimates[3].seconds - 360.0).abs() < f64::EPSILON);
        let few = Workload { changes: 0, single: 5, ..workload }.estimates(Some("schedule"), 0, "none");
        assert_eq!(few.len(), 1);
        assert_eq!(few[0].to_string(), "none          27 requests, about 4 min (schedule runs the commands)");
    }

    #[test]
    fn what_it_took_to_choose_counts_for_the_way_that_is_taken() {
        let workload = Workload { single: 30, changes: 25, ..workload() };
        let estimates = workload.estimates(None, 3, "none");
        assert_eq!((estimates[0].requests, estimates[1].requests), (33, 6));
    }

    #[test]
    fn a_bundle_must_save_something() {
        assert!(workload().is_worth_a_bundle());
        assert!(!Workload { changes: 20, ..workload() }.is_worth_a_bundle());
        assert!(!Workload { parts: 500, ..workload() }.is_worth_a_bundle());
    }

    #[test]
    fn a_full_window_leaves_at_once() {
        for (requests, limit, seconds) in
            [(0, Some(40), 0.0), (40, Some(40), 0.0), (41, Some(40), 60.0), (121, Some(40), 180.0), (9000, None, 0.0)]
        {
            assert!((projected_seconds(requests, limit) - seconds).abs() < f64::EPSILON, "{requests}");
        }
    }
}
