//! What each way of deploying costs: in requests, and in time as far as that is known before.
//!
//! One request per file, or a bundle that somebody on the host unpacks. The figures are those of a deploy that nothing
//! hinders: exact for single files and for the agent; a task or a console is looked at until it is done.

use std::fmt;

use serde::Serialize;

use super::plan::projected_seconds;
use crate::text::counted;

/// Below this many changes a bundle saves next to nothing.
const FEW: usize = 20;

/// What a bundle costs whatever its size and whoever unpacks it: intent, listing, and the intent's end.
const BULK_REQUESTS: usize = 3;

/// What a task costs at most, for one job: two uploads, the task and its end, its folder, and looks at the receipt.
const TASK_REQUESTS: usize = 10;

/// What a console costs at most, for one job: the note of it, looks at its prompt, two uploads, the line that is typed, and
/// looks at the receipt.
const CONSOLE_REQUESTS: usize = 12;

/// What a way of deploying costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Way {
    /// The executor.
    pub executor: &'static str,
    /// Requests to the API, retries aside; with a task or a console, at most, unless the job takes long.
    pub requests: usize,
    /// At least, as far as the rate limit and the service's clock decide.
    pub seconds: f64,
    /// What it takes.
    pub needs: String,
}

impl Way {
    /// What it costs, for people.
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

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = self.minutes().unwrap_or_else(|| "seconds".to_owned());
        write!(f, "{:<10} {:>14}, {time}", self.executor, counted(self.requests, "request"))?;
        if self.needs.is_empty() { Ok(()) } else { write!(f, " ({})", self.needs) }
    }
}

/// What a deploy is about, as far as its cost depends on it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Effort {
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
    /// Whether commands are told what the web app runs with.
    pub has_domain: bool,
    /// Requests a minute.
    pub limit: Option<u32>,
}

/// What jobs cost by one executor.
struct Rate {
    /// Requests before the first.
    look: usize,
    /// Requests for each.
    job: usize,
    /// Requests before the first command, about the web app.
    surroundings: usize,
    /// Seconds for each, at least.
    seconds: f64,
}

impl Rate {
    /// What is asked of the agent itself is asked of the site, not of the API.
    fn of(executor: &str) -> Self {
        match executor {
            "webapp" => Self { look: 1, job: 1, surroundings: 1, seconds: 0.0 },
            "always_on" => Self { look: 1, job: TASK_REQUESTS, surroundings: 2, seconds: 10.0 },
            "schedule" => Self { look: 1, job: TASK_REQUESTS, surroundings: 2, seconds: 120.0 },
            "console" => Self { look: 0, job: CONSOLE_REQUESTS, surroundings: 2, seconds: 0.0 },
            _ => Self { look: 0, job: 0, surroundings: 0, seconds: 0.0 },
        }
    }
}

impl Effort {
    fn bundle(&self) -> usize {
        BULK_REQUESTS + self.leftovers + self.parts + self.reloads
    }

    /// Whether a bundle saves anything.
    pub fn is_worth_a_bundle(&self) -> bool {
        let Rate { look, job, .. } = Rate::of("webapp");
        self.changes > FEW && self.single > self.bundle() + look + job
    }

    /// What each way costs; the first is one request per file, where only commands need the `executor`. It took `asked`
    /// requests to know who does the one that is `taken`.
    pub fn ways(&self, executor: Option<&'static str>, asked: usize, taken: &str) -> Vec<Way> {
        let mut ways = vec![self.way("none", executor, asked, taken, "")];
        if self.changes > 0 {
            ways.extend(
                [
                    ("webapp", "with the agent installed; a site with one worker waits meanwhile"),
                    ("always_on", "paid accounts, with tasks allowed"),
                    ("schedule", "accounts with scheduled tasks, with tasks allowed"),
                    ("console", "a bash console that was opened in a browser"),
                ]
                .map(|(name, needs)| self.way(name, Some(name), asked, taken, needs)),
            );
        }
        ways
    }

    fn way(
        &self,
        name: &'static str,
        worker: Option<&'static str>,
        asked: usize,
        taken: &str,
        needs: &'static str,
    ) -> Way {
        let rate = worker.map_or(Rate::of("none"), Rate::of);
        let is_bundle = name != "none";
        let jobs = usize::from(is_bundle) + self.commands;
        let files = if is_bundle { self.bundle() } else { self.single };
        let look = match jobs {
            _ if name == taken => asked,
            0 => 0,
            _ => rate.look,
        };
        let surroundings = if self.commands > 0 && self.has_domain { rate.surroundings } else { 0 };
        let requests = files + look + jobs * rate.job + surroundings;
        let least = f64::from(u32::try_from(jobs).unwrap_or(u32::MAX)) * rate.seconds;
        let needs = match worker {
            Some(worker) if !is_bundle && jobs > 0 => format!("{worker} runs the commands"),
            _ => needs.to_owned(),
        };
        Way {
            executor: name,
            requests,
            // Reloads have a limit of their own.
            seconds: projected_seconds(requests - self.reloads, self.limit).max(least),
            needs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort() -> Effort {
        Effort { changes: 460, single: 471, reloads: 1, parts: 1, limit: Some(40), ..Effort::default() }
    }

    #[test]
    fn ways_are_told_with_what_they_cost() {
        let ways = effort().ways(Some("webapp"), 1, "webapp");
        assert_eq!(ways[0].to_string(), "none         471 requests, about 11 min");
        assert_eq!(
            ways[1].to_string(),
            "webapp         7 requests, seconds (with the agent installed; a site with one worker waits meanwhile)"
        );
        let names: Vec<&str> = ways.iter().map(|way| way.executor).collect();
        assert_eq!(names, ["none", "webapp", "always_on", "schedule", "console"]);
        assert_eq!(ways[1].cost(), "7 requests");
        assert_eq!(ways[3].cost(), "at most 16 requests, about 2 min");
    }

    #[test]
    fn commands_cost_in_every_way_and_may_be_all_there_is() {
        let effort = Effort { commands: 2, has_domain: true, ..effort() };
        let ways = effort.ways(Some("webapp"), 1, "webapp");
        let requests: Vec<usize> = ways.iter().map(|way| way.requests).collect();
        assert_eq!(requests, [471 + 4, 7 + 3, 6 + 32, 6 + 32, 5 + 38]);
        assert!((ways[3].seconds - 360.0).abs() < f64::EPSILON);
        let few = Effort { changes: 0, single: 5, ..effort }.ways(Some("schedule"), 0, "none");
        assert_eq!(few.len(), 1);
        assert_eq!(few[0].to_string(), "none          27 requests, about 4 min (schedule runs the commands)");
    }

    #[test]
    fn what_it_took_to_choose_counts_for_the_way_that_is_taken() {
        let effort = Effort { single: 30, changes: 25, ..effort() };
        let ways = effort.ways(None, 3, "none");
        assert_eq!((ways[0].requests, ways[1].requests), (33, 7));
    }

    #[test]
    fn a_bundle_must_save_something() {
        assert!(effort().is_worth_a_bundle());
        assert!(!Effort { changes: 20, ..effort() }.is_worth_a_bundle());
        assert!(!Effort { parts: 500, ..effort() }.is_worth_a_bundle());
    }
}
