//! The tools: their names, what a client is told of them, and their answers' fields.

use std::sync::Arc;

use rmcp::handler::server::common::{schema_for_empty_input, schema_for_input};
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use rmcp::schemars::JsonSchema;

use super::arguments::{OfApply, OfCat, OfLogs, OfLs, OfPlan};
use super::schema::Holds::{Count, Flag, Map, Number, Object, Objects, Text, Texts};
use super::schema::Null::{Maybe, Never};
use super::schema::{Field, of_document};

/// Which tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Status,
    Diff,
    Forecast,
    Verify,
    History,
    Doctor,
    Logs,
    Ls,
    Cat,
    PlanDeploy,
    ApplyDeploy,
}

/// A tool as a client is told of it.
pub struct Description {
    pub kind: Kind,
    pub name: &'static str,
    title: &'static str,
    text: &'static str,
    takes: fn() -> Arc<JsonObject>,
    answers: &'static [Field],
}

impl Kind {
    /// Whether it is offered only where deploys are allowed.
    fn is_for_deploys(self) -> bool {
        matches!(self, Self::PlanDeploy | Self::ApplyDeploy)
    }

    /// Nothing but a deploy changes what is on the host, and that replaces files.
    fn annotations(self) -> ToolAnnotations {
        let writes = self == Self::ApplyDeploy;
        // What is read comes from the service, a site, and whoever writes to them.
        ToolAnnotations::new().read_only(!writes).destructive(writes).idempotent(!writes).open_world(true)
    }
}

/// The tools that a client is offered.
pub fn offered(allow_deploy: bool) -> impl Iterator<Item = &'static Description> {
    TOOLS.iter().filter(move |tool| allow_deploy || !tool.kind.is_for_deploys())
}

/// A tool as the protocol has it.
pub fn definition(tool: &Description) -> Tool {
    Tool::new(tool.name, tool.text, (tool.takes)())
        .with_title(tool.title)
        .with_raw_output_schema(of_document(tool.answers))
        .with_annotations(tool.kind.annotations())
}

/// The schema of what a tool takes.
fn takes<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    // Each is a struct, and a struct has a schema.
    schema_for_input::<T>().unwrap_or_else(|_| schema_for_empty_input())
}

const CUT: Field = Field("cut", Count, Never, "how many entries of lists are left out because there are too many");
const WARNINGS: Field = Field("warnings", Texts, Never, "what to know of besides");
const EXECUTOR: Field = Field("executor", Text, Never, "what would put the files in place; none: one request per file");
const WHY: Field = Field("why", Text, Never, "why this executor");
const REQUESTS: Field = Field("requests", Count, Never, "requests to the service, at least");
const SECONDS: Field = Field("seconds", Number, Never, "at least, as far as the rate limit decides");
const BYTES: Field = Field("bytes", Count, Never, "bytes to send");

static TOOLS: [Description; 11] = [
    Description {
        kind: Kind::Status,
        name: "status",
        title: "How things stand",
        text: "The account, its web apps, the last deploy, and whether the local files differ from it. At most six requests.",
        takes: schema_for_empty_input,
        answers: &[
            Field("user", Text, Never, "the account"),
            Field("host", Text, Never, "the address of the service"),
            Field("cpu", Object, Never, "CPU seconds of the day: used_seconds, limit_seconds, next_reset"),
            Field("sites", Objects, Never, "web apps: domain, exists, enabled, python, virtualenv, expiry, days_left"),
            Field("agent", Text, Maybe, "answers, silent, needs_reload or not_installed"),
            Field("last_deploy", Object, Maybe, "as history has it"),
            Field("local", Object, Maybe, "differs, and how many files are added, changed, removed"),
            WARNINGS,
            REQUESTS,
            Field("environment", Text, Maybe, "the environment of the configuration, if one was chosen"),
        ],
    },
    Description {
        kind: Kind::Diff,
        name: "diff",
        title: "What a deploy would change",
        text: "Compares the local files with what was deployed, without writing anything. Paths are relative to the project.",
        takes: schema_for_empty_input,
        answers: &[
            Field("added", Texts, Never, "not on the host"),
            Field("changed", Texts, Never, "on the host with other content"),
            Field("removed", Texts, Never, "deployed before and gone here"),
            Field("renamed", Map, Never, "old path to new path"),
            Field("unchanged", Count, Never, "how many files are equal"),
            Field("unmanaged", Texts, Never, "on the host and not deployed, where that is known"),
            Field("protected", Texts, Never, "left alone on both sides"),
            Field("skipped", Map, Never, "what cannot be sent: path to reason"),
            Field("refused", Text, Maybe, "why pya deploy would refuse this"),
            WARNINGS,
            CUT,
        ],
    },
    Description {
        kind: Kind::Forecast,
        name: "forecast",
        title: "What a deploy would cost",
        text: "Requests and seconds that pya deploy would take with the options that are configured, by each executor.",
        takes: schema_for_empty_input,
        answers: &[
            Field("changes", Count, Never, "how many files it would send or delete"),
            EXECUTOR,
            WHY,
            REQUESTS,
            SECONDS,
            BYTES,
            Field("estimates", Objects, Never, "each way: executor, requests, seconds, needs"),
            Field("rollback_bytes", Count, Never, "bytes that would be kept so that it can be undone"),
            WARNINGS,
        ],
    },
    Description {
        kind: Kind::Verify,
        name: "verify",
        title: "Whether the host has what was deployed",
        text: "Has a job on the host compute digests of all files of the project, and compares. It needs the agent in the \
               web app, or another executor that is configured, and changes no file of the project.",
        takes: schema_for_empty_input,
        answers: &[
            Field("clean", Flag, Never, "whether all is as it was deployed and as it is here"),
            Field("files", Count, Never, "how many files were read on the host"),
            Field("changed", Texts, Never, "deployed, and other by now"),
            Field("missing", Texts, Never, "deployed, and gone"),
            Field("unmanaged", Texts, Never, "there, and not deployed"),
            Field("not_deployed", Texts, Never, "only here"),
            Field("differs", Texts, Never, "other than here"),
            Field("unreadable", Map, Never, "path to reason"),
            CUT,
        ],
    },
    Description {
        kind: Kind::History,
        name: "history",
        title: "What was done to the project",
        text: "The latest 20 deploys, rollbacks and commands on the host, oldest first: who, when, from which commit, outcome.",
        takes: schema_for_empty_input,
        answers: &[
            Field("entries", Objects, Never, "id, operation, time, outcome, summary, who, commit, and more"),
            CUT,
        ],
    },
    Description {
        kind: Kind::Doctor,
        name: "doctor",
        title: "What is wrong with the site",
        text: "Looks at configuration, token, web app, WSGI file, virtualenv, Django settings and the last exception in the \
               error log; for each a state, and the command that a person can run to mend it. Unlike pya doctor it does not \
               try the disk, since that would write.",
        takes: schema_for_empty_input,
        answers: &[
            Field("ok", Flag, Never, "whether there is no error"),
            Field("errors", Count, Never, "how many things do not work"),
            Field("warnings", Count, Never, "how many could be better"),
            Field("checks", Objects, Never, "check, state, message, command"),
        ],
    },
    Description {
        kind: Kind::Logs,
        name: "logs",
        title: "The end of a log",
        text: "The last lines of the error, access or server log of a web app.",
        takes: takes::<OfLogs>,
        answers: &[
            Field("log", Text, Never, "the path of the log"),
            Field("text", Text, Never, "its last lines, between two lines that mark them"),
            Field("is_cut", Flag, Never, "whether lines that were asked for are left out because they are too long"),
        ],
    },
    Description {
        kind: Kind::Ls,
        name: "ls",
        title: "List a folder of the account",
        text: "Names and kinds of what is in a folder, one level deep. The service tells neither sizes nor times.",
        takes: takes::<OfLs>,
        answers: &[
            Field("path", Text, Never, "the folder"),
            Field("entries", Objects, Never, "name, and type: file or directory"),
            CUT,
        ],
    },
    Description {
        kind: Kind::Cat,
        name: "cat",
        title: "Read a file of the account",
        text: "The first 64 KiB of a text file. Files that hold secrets or data are refused: .env, databases, uploads, keys, \
               what the project protects, and any file in which a password or key is written down.",
        takes: takes::<OfCat>,
        answers: &[
            Field("path", Text, Never, "the file"),
            Field("text", Text, Never, "its content, between two lines that mark it"),
            Field("is_cut", Flag, Never, "whether there is more"),
        ],
    },
    Description {
        kind: Kind::PlanDeploy,
        name: "plan_deploy",
        title: "Plan a deploy",
        text: "What a deploy would do now, and a digest of exactly that. Nothing is written. Show the person what changes \
               before you apply it. A deploy that is planned here deletes nothing, runs no migrations, and leaves databases \
               and other protected files alone; it may replace files, run collectstatic, install requirements and reload.",
        takes: takes::<OfPlan>,
        answers: &[
            Field("digest", Text, Maybe, "to be given to apply_deploy; null if there is nothing to do"),
            Field("to", Text, Never, "where to: user@host:folder"),
            Field("changes", Texts, Never, "A: new, C: copied on the host, M: replaced; then the path"),
            Field("steps", Texts, Never, "commands that would run on the host"),
            Field("reload", Texts, Never, "web apps that would be reloaded"),
            EXECUTOR,
            WHY,
            REQUESTS,
            SECONDS,
            BYTES,
            Field("removed", Texts, Never, "gone here; they stay on the host"),
            Field("protected", Texts, Never, "left alone"),
            WARNINGS,
            CUT,
        ],
    },
    Description {
        kind: Kind::ApplyDeploy,
        name: "apply_deploy",
        title: "Deploy what was planned",
        text: "Carries out the last plan of plan_deploy, once, and refuses if a local file, the notes of deploys on the host or \
               an option has changed since.",
        takes: takes::<OfApply>,
        answers: &[
            Field("ok", Flag, Never, "whether everything was done"),
            Field("id", Text, Maybe, "of the deploy, by which a person can undo it with pya rollback"),
            Field("held", Flag, Never, "whether another deploy was in the way, and nothing was changed"),
            Field("stopped", Text, Maybe, "why it stopped early"),
            Field("uploaded", Count, Never, "how many files are in place"),
            Field("failed", Map, Never, "what could not be done: path or domain to reason"),
            Field("reloaded", Texts, Never, "web apps that were reloaded"),
            Field("steps", Objects, Never, "step, ok, exit_status, output"),
            Field("error_log", Texts, Never, "what is new in the error log if the site does not work"),
            EXECUTOR,
            REQUESTS,
            SECONDS,
            WARNINGS,
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_the_host_is_not_offered_unless_it_is_allowed() {
        let read: Vec<Tool> = offered(false).map(definition).collect();
        assert!(read.iter().all(|tool| tool.annotations.as_ref().unwrap().read_only_hint == Some(true)));
        let all: Vec<Tool> = offered(true).map(definition).collect();
        let more: Vec<&str> = all[read.len()..].iter().map(|tool| &*tool.name).collect();
        assert_eq!(more, ["plan_deploy", "apply_deploy"]);
        assert!(all.last().unwrap().annotations.as_ref().unwrap().is_destructive());
    }

    #[test]
    fn arguments_that_no_tool_has_are_said_to_be_wrong() {
        for tool in offered(true).map(definition) {
            let schema = &tool.input_schema;
            let fields = schema["properties"].as_object().unwrap();
            assert!(fields.is_empty() || schema["additionalProperties"] == false, "{}", tool.name);
        }
    }
}
