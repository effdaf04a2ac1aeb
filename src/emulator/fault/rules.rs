//! The rules that decide which requests fail, and how.
//!
//! A rule selects requests by method and path, and acts before or after the request takes effect: "the upload arrived,
//! but the response was lost" and "the upload never arrived" look the same to a client, but they differ. Rules are
//! tried in the order in which they were added. After a rule that delays ([`FaultKind::Hold`], [`FaultKind::Slow`]) the
//! request goes on to the next rule; the first rule that responds ends the search.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};

use crate::locks::lock;

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Sends this response instead of the service's.
    Status {
        /// HTTP status.
        code: u16,
        /// The response's body.
        body: String,
        /// The response's `Content-Type`.
        content_type: String,
    },
    /// Resets the connection (RST) instead of responding.
    Reset,
    /// Ends the response after this many bytes of its body, before its `Content-Length`, and closes the connection.
    Truncate {
        /// How many bytes are sent.
        bytes: u64,
    },
    /// Sends bytes that are not HTTP instead of a response, and closes the connection.
    Garbage,
    /// Delays the response, and sends its body slowly.
    Slow {
        /// How long to wait before responding.
        delay: Duration,
        /// How fast the body is sent; `None` is at full speed.
        bytes_per_second: Option<u32>,
    },
    /// Sends 429 in the service's words, but without `Retry-After`.
    ThrottledWithoutHeader,
    /// Sends an HTML page, as the load balancer in front of the service does.
    Html {
        /// HTTP status.
        code: u16,
    },
    /// Holds the request until it is released ([`super::hold::HeldRequests::release`]).
    Hold,
}

impl FaultKind {
    /// Its name in tests, on the page and in the request log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Reset => "reset",
            Self::Truncate { .. } => "truncate",
            Self::Garbage => "garbage",
            Self::Slow { .. } => "slow",
            Self::ThrottledWithoutHeader => "throttled_without_header",
            Self::Html { .. } => "html",
            Self::Hold => "hold",
        }
    }

    /// Whether the request continues after this fault.
    fn only_delays(&self) -> bool {
        matches!(self, Self::Hold | Self::Slow { .. })
    }
}

/// Whether a fault applies before or after the request takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// The service never receives the request: the rate limit does not count it, and it has no effect.
    #[default]
    Before,
    /// The request takes effect; the fault applies to its response.
    After,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Before, Self::After].into_iter().find(|stage| stage.name() == name)
    }
}

/// Which requests fail, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    /// HTTP method; `None` is any.
    pub method: Option<String>,
    /// A pattern for the decoded path, in which `*` matches slashes, too (`*/files/path/home/demo/*`); `None` is any.
    pub path_glob: Option<String>,
    /// How many matching requests pass before the first one fails.
    pub after: u32,
    /// How many requests fail; `None` is all.
    pub times: Option<u32>,
    /// When the fault applies.
    pub stage: Stage,
    /// What a fault does.
    pub kind: FaultKind,
}

impl FaultRule {
    /// A rule for every request, before its effect. Set its fields to narrow it down.
    #[must_use]
    pub fn new(kind: FaultKind) -> Self {
        Self { method: None, path_glob: None, after: 0, times: None, stage: Stage::Before, kind }
    }
}

/// The rules of an emulator.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Rules>,
}

#[derive(Debug, Default)]
struct Rules {
    last_id: u64,
    active: Vec<ActiveRule>,
}

#[derive(Debug)]
struct ActiveRule {
    id: u64,
    rule: FaultRule,
    path: Option<GlobMatcher>,
}

impl ActiveRule {
    /// Counts a matching request; true if this rule applies to it.
    fn takes(&mut self, method: &str, path: &str) -> bool {
        let rule = &mut self.rule;
        let matches = rule.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|glob| glob.is_match(path));
        if !matches || rule.times == Some(0) {
            return false;
        }
        if rule.after > 0 {
            rule.after -= 1;
            return false;
        }
        rule.times = rule.times.map(|times| times - 1);
        true
    }
}

impl Faults {
    /// Adds a rule after the others and returns its id.
    ///
    /// # Errors
    /// If the path pattern or the status is invalid.
    pub fn add(&self, rule: FaultRule) -> Result<u64, BadRule> {
        if let FaultKind::Status { code, .. } | FaultKind::Html { code } = rule.kind
            && !(200..=999).contains(&code)
        {
            return Err(BadRule::Status(code));
        }
        let glob = |pattern: &String| GlobBuilder::new(pattern).backslash_escape(true).build();
        let path = rule.path_glob.as_ref().map(glob).transpose()?.map(|glob| glob.compile_matcher());
        let mut rules = self.lock();
        rules.last_id += 1;
        let id = rules.last_id;
        rules.active.push(ActiveRule { id, rule, path });
        Ok(id)
    }

    /// Removes a rule; false if there is no rule with this id. Requests that it holds remain held.
    pub fn remove(&self, id: u64) -> bool {
        let mut rules = self.lock();
        let before = rules.active.len();
        rules.active.retain(|active| active.id != id);
        rules.active.len() < before
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.lock().active.clear();
    }

    /// All rules with their ids, in order. What they still skip and spoil is what is left of it.
    #[must_use]
    pub fn all(&self) -> Vec<(u64, FaultRule)> {
        self.lock().active.iter().map(|active| (active.id, active.rule.clone())).collect()
    }

    /// The faults to apply to a request, in order.
    pub(crate) fn take(&self, method: &str, path: &str) -> Vec<(Stage, FaultKind)> {
        let mut taken = Vec::new();
        for active in &mut self.lock().active {
            if active.takes(method, path) {
                taken.push((active.rule.stage, active.rule.kind.clone()));
                if !active.rule.kind.only_delays() {
                    break;
                }
            }
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        lock(&self.rules)
    }
}

/// Why a rule is invalid.
#[derive(Debug, thiserror::Error)]
pub enum BadRule {
    /// The path pattern cannot be parsed.
    #[error("the path pattern is invalid")]
    Glob(#[from] globset::Error),
    /// The status is outside 200 to 999.
    #[error("{0} is not a valid response status: use 200 to 999")]
    Status(u16),
    /// There is no such kind.
    #[error(
        "{0:?} is not a kind of fault: use status, reset, truncate, garbage, slow, throttled_without_header, html or hold"
    )]
    Kind(String),
    /// There is no such stage.
    #[error("stage must be \"before\" or \"after\", not {0:?}")]
    Stage(String),
    /// It is negative, or no number.
    #[error("delay must be a non-negative number of seconds")]
    Delay,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_counts_and_ends() {
        let faults = Faults::default();
        let rule = FaultRule {
            method: Some("get".into()),
            path_glob: Some("*/home/*".into()),
            after: 1,
            times: Some(2),
            ..FaultRule::new(FaultKind::Reset)
        };
        faults.add(rule).unwrap();
        let hit = |method, path| !faults.take(method, path).is_empty();
        assert!(!hit("POST", "/x/home/a/b"));
        assert!(!hit("GET", "/x/var/a"));
        assert_eq!([0; 4].map(|_| hit("GET", "/x/home/a/b")), [false, true, true, false]);
    }

    #[test]
    fn delays_add_up_until_a_rule_answers() {
        let faults = Faults::default();
        for kind in [FaultKind::Hold, FaultKind::Html { code: 502 }, FaultKind::Reset] {
            faults.add(FaultRule::new(kind)).unwrap();
        }
        let kinds: Vec<_> = faults.take("GET", "/").into_iter().map(|(_, kind)| kind).collect();
        assert_eq!(kinds, [FaultKind::Hold, FaultKind::Html { code: 502 }]);
    }

    #[test]
    fn nonsense_is_refused() {
        let faults = Faults::default();
        assert!(faults.add(FaultRule::new(FaultKind::Html { code: 99 })).is_err());
        let rule = FaultRule { path_glob: Some("[".into()), ..FaultRule::new(FaultKind::Reset) };
        assert!(faults.add(rule).is_err());
    }
}
