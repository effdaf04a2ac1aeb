//! A rule for faults in plain words and numbers, as tests write it in Python and the page sends it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rules::{BadRule, FaultKind, FaultRule, Stage};

/// The fields of a rule, by the names that `Faults.add` has for them in Python. A kind ignores what it does not need.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultSpec {
    /// The kind, such as `status`; see [`FaultKind::name`].
    pub kind: String,
    /// HTTP method; `None` is any.
    pub method: Option<String>,
    /// A pattern for the decoded path; `None` is any.
    pub path: Option<String>,
    /// How many matching requests pass before the first one fails.
    pub after: u32,
    /// How many requests fail; `None` is all.
    pub times: Option<u32>,
    /// `before` or `after` the request takes effect.
    pub stage: String,
    /// HTTP status, for `status` and `html`.
    pub code: u16,
    /// The response's body, for `status`.
    pub body: String,
    /// The response's `Content-Type`, for `status`.
    pub content_type: String,
    /// How many bytes of the body are sent, for `truncate`.
    pub bytes: u64,
    /// Seconds to wait before responding, for `slow`.
    pub delay: f64,
    /// How fast the body is sent, for `slow`; `None` is at full speed.
    pub bytes_per_second: Option<u32>,
}

impl Default for FaultSpec {
    fn default() -> Self {
        Self {
            kind: String::new(),
            method: None,
            path: None,
            after: 0,
            times: None,
            stage: "before".to_owned(),
            code: 500,
            body: r#"{"detail": "Server error."}"#.to_owned(),
            content_type: "application/json".to_owned(),
            bytes: 0,
            delay: 0.0,
            bytes_per_second: None,
        }
    }
}

impl FaultSpec {
    /// The rule that it describes.
    ///
    /// # Errors
    /// If there is no such kind or stage, or the delay is negative.
    pub fn rule(self) -> Result<FaultRule, BadRule> {
        let Some(stage) = Stage::named(&self.stage) else { return Err(BadRule::Stage(self.stage)) };
        let kind = match self.kind.as_str() {
            "status" => FaultKind::Status { code: self.code, body: self.body, content_type: self.content_type },
            "reset" => FaultKind::Reset,
            "truncate" => FaultKind::Truncate { bytes: self.bytes },
            "garbage" => FaultKind::Garbage,
            "slow" => FaultKind::Slow {
                delay: Duration::try_from_secs_f64(self.delay).map_err(|_| BadRule::Delay)?,
                bytes_per_second: self.bytes_per_second,
            },
            "throttled_without_header" => FaultKind::ThrottledWithoutHeader,
            "html" => FaultKind::Html { code: self.code },
            "hold" => FaultKind::Hold,
            _ => return Err(BadRule::Kind(self.kind)),
        };
        Ok(FaultRule { method: self.method, path_glob: self.path, after: self.after, times: self.times, stage, kind })
    }

    /// How `rule` would be written.
    #[must_use]
    pub fn of(rule: FaultRule) -> Self {
        let mut spec = Self {
            kind: rule.kind.name().to_owned(),
            method: rule.method,
            path: rule.path_glob,
            after: rule.after,
            times: rule.times,
            stage: rule.stage.name().to_owned(),
            ..Self::default()
        };
        spec.set_details(rule.kind);
        spec
    }

    /// Sets what only some kinds have.
    fn set_details(&mut self, kind: FaultKind) {
        match kind {
            FaultKind::Status { code, body, content_type } => {
                (self.code, self.body, self.content_type) = (code, body, content_type);
            }
            FaultKind::Html { code } => self.code = code,
            FaultKind::Truncate { bytes } => self.bytes = bytes,
            FaultKind::Slow { delay, bytes_per_second } => {
                (self.delay, self.bytes_per_second) = (delay.as_secs_f64(), bytes_per_second);
            }
            FaultKind::Reset | FaultKind::Garbage | FaultKind::ThrottledWithoutHeader | FaultKind::Hold => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_can_be_written_and_read() {
        for kind in ["status", "reset", "truncate", "garbage", "slow", "throttled_without_header", "html", "hold"] {
            let spec = FaultSpec {
                kind: kind.to_owned(),
                method: Some("POST".to_owned()),
                path: Some("*/home/*".to_owned()),
                after: 1,
                times: Some(2),
                stage: "after".to_owned(),
                ..FaultSpec::default()
            };
            assert_eq!(FaultSpec::of(spec.clone().rule().unwrap()), spec);
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let spec = |kind: &str, stage: &str, delay: f64| FaultSpec {
            kind: kind.to_owned(),
            stage: stage.to_owned(),
            delay,
            ..FaultSpec::default()
        };
        for bad in [spec("", "before", 0.0), spec("reset", "during", 0.0), spec("slow", "before", -1.0)] {
            assert!(bad.clone().rule().is_err(), "{bad:?}");
        }
    }
}
