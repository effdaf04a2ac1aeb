//! What the tools take. Their schemas are made of these types.

use rmcp::schemars::{self, JsonSchema};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cli::args::LogKind;
use crate::error::{Error, Result};

/// The most lines of a log that a call may ask for.
const MOST_LINES: usize = 500;

/// Of a tool that takes nothing.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfLogs {
    /// The web app's domain; by default the configured one, or that of the account's only site.
    pub domain: Option<String>,
    /// Which log: error by default.
    pub kind: Option<WhichLog>,
    /// How many of the last lines, at most 500; 50 by default.
    #[schemars(range(min = 1, max = 500))]
    lines: Option<usize>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhichLog {
    Access,
    Error,
    Server,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfLs {
    /// A folder: absolute, or relative to the account's home folder; by default the home folder.
    pub path: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfCat {
    /// A file: absolute, or relative to the account's home folder.
    pub path: String,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfPlan {
    /// Run manage.py collectstatic on the host before the reload.
    #[serde(default)]
    pub collectstatic: bool,
    /// Install this requirements file of the project on the host before the reload.
    pub requirements: Option<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfApply {
    /// The digest that `plan_deploy` gave for what was shown.
    pub digest: String,
}

impl OfLogs {
    /// How many lines are wanted.
    pub fn lines(&self) -> usize {
        self.lines.unwrap_or(50).clamp(1, MOST_LINES)
    }

    /// Which log is wanted.
    pub fn kind(&self) -> LogKind {
        match self.kind {
            Some(WhichLog::Access) => LogKind::Access,
            None | Some(WhichLog::Error) => LogKind::Error,
            Some(WhichLog::Server) => LogKind::Server,
        }
    }
}

/// The arguments of a call.
///
/// # Errors
/// `Config` if they are not those of the tool.
pub fn parsed<T: DeserializeOwned>(arguments: Value) -> Result<T> {
    serde_json::from_value(arguments).map_err(|error| Error::config(format!("the arguments cannot be used: {error}")))
}
