//! What is to go wrong: rules that tests give an emulator.
//!
//! A rule picks requests by method and path, and acts before or after the request's effect: "the upload arrived, but
//! its answer got lost" and "it never arrived" look alike to a client and are not. Rules are asked in the order they
//! were added. Those that delay ([`FaultKind::Hold`], [`FaultKind::Slow`]) let the request go on to the next rule; the
//! first one that answers for the service ends the list.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use globset::{GlobBuilder, GlobMatcher};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// This answer comes instead of the service's.
    Status {
        /// HTTP status.
        code: u16,
        /// The answer's body.
        body: String,
        /// The answer's `Content-Type`.
        content_type: String,
    },
    /// The connection is reset (RST) instead of an answer.
    Reset,
    /// The answer ends after this many bytes of its body, short of its `Content-Length`, and the connection closes.
    Truncate {
        /// How many bytes come.
        bytes: u64,
    },
    /// Bytes that are no HTTP come instead of an answer, and the connection closes.
    Garbage,
    /// The answer is late, and comes in drops.
    Slow {
        /// How long nothing comes.
        delay: Duration,
        /// How fast the body comes then; `None` is at once.
        bytes_per_second: Option<u32>,
    },
    /// 429 with the service's words but no `Retry-After`.
    ThrottledWithoutHeader,
    /// An HTML page, as the load balancer in front of the service gives.
    Html {
        /// HTTP status.
        code: u16,
    },
    /// The request waits until it is released ([`super::hold::HeldRequests::release`]).
    Hold,
}

impl FaultKind {
    /// Whether the request goes on after it.
    fn only_delays(&self) -> bool {
        matches!(self, Self::Hold | Self::Slow { .. })
    }
}

/// Whether a fault comes before or after what the request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// The service never hears of the request: it is not counted by the rate limit, and has no effect.
    #[default]
    Before,
    /// The request had its effect; its answer is what goes wrong.
    After,
}

/// Which requests go wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultRule {
    /// HTTP method; `None` is any.
    pub method: Option<String>,
    /// A pattern for the decoded path, in which `*` crosses slashes (`*/files/path/home/demo/*`); `None` is any.
    pub path_glob: Option<String>,
    /// How many matching requests pass before the first one goes wrong.
    pub after: u32,
    /// How many go wrong; `None` is all.
    pub times: Option<u32>,
    /// When it goes wrong.
    pub stage: Stage,
    /// What goes wrong.
    pub kind: FaultKind,
}

impl FaultRule {
    /// A rule for every request, before its effect; narrow it by its fields.
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
    /// Counts a request that matches; true if it is this rule's turn.
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
    /// Adds a rule behind the others and returns its id.
    ///
    /// # Errors
    /// If the path's pattern is no pattern, or a status is none.
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

    /// Takes a rule away; false if there is none of this id. Requests it holds go on waiting.
    pub fn remove(&self, id: u64) -> bool {
        let mut rules = self.lock();
        let before = rules.active.len();
        rules.active.retain(|active| active.id != id);
        rules.active.len() < before
    }

    /// Takes all rules away.
    pub fn clear(&self) {
        self.lock().active.clear();
    }

    /// What is to go wrong with a request, in order.
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
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A rule that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum BadRule {
    /// The path's pattern is none.
    #[error("the path's pattern cannot be read")]
    Glob(#[from] globset::Error),
    /// The status cannot be answered.
    #[error("{0} is no status of an answer")]
    Status(u16),
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
