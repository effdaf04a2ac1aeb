//! GitHub Actions: messages as annotations, what the host printed as groups, and a summary of a deploy or
//! a launch for the job's page.
//!
//! The runner takes any line that begins with `::` for a command, whoever wrote it. So what the host printed goes
//! between a command that stops this and one, with a random word, that allows it again. The commands are described in
//! [GitHub's documentation](https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands).

use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};

use super::report::title;
use super::terminal::shown;
use crate::deploy::{DeployReport, StepReport};
use crate::digest::random_hex;
use crate::launch::LaunchReport;
use crate::text::{cost_text, counted};

/// The variable that names the file of the job's summary.
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// More files than this are counted only: a summary has at most 1 MiB, and nobody reads them.
const MOST_FILES: usize = 500;

/// More lines of a command's output than this are left out at their beginning.
const MOST_LINES: usize = 200;

/// Whether this process runs in a job of GitHub Actions.
#[must_use]
pub fn is_runner() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// What kind of annotation a message becomes.
#[derive(Debug, Clone, Copy)]
pub enum Level {
    Warning,
    Error,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A message as an annotation, in one line.
#[must_use]
pub fn annotation(level: Level, text: &str) -> String {
    format!("::{} title=pya::{}", level.name(), escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Lines of the host as a group with a title, none of which the runner takes for a command.
///
/// # Errors
/// The system has no random numbers.
pub fn group<'a>(title: &str, lines: impl Iterator<Item = &'a str>) -> io::Result<String> {
    let word = random_hex(32)?;
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    Ok(format!("::group::{}\n::stop-commands::{word}\n{text}::{word}::\n::endgroup::", escaped(title)))
}

/// Adds a deploy to the summary of the job, where there is one.
///
/// # Errors
/// The reason, human-readable: the file cannot be written.
pub fn summarise(report: &DeployReport) -> Result<(), String> {
    add_to_summary(|| markdown(report))
}

/// The same for a launch.
///
/// # Errors
/// Likewise.
pub fn summarise_launch(report: &LaunchReport) -> Result<(), String> {
    add_to_summary(|| launch_markdown(report))
}

/// The same for files that were looked at and not changed: what was found, and a line for each.
///
/// # Errors
/// Likewise.
pub fn summarise_files(found: &str, lines: &[impl Display]) -> Result<(), String> {
    add_to_summary(|| format!("### {}\n{}\n", in_html(found), folded("file", lines)))
}

fn add_to_summary(text: impl FnOnce() -> String) -> Result<(), String> {
    let Some(path) = std::env::var_os(SUMMARY).filter(|path| !path.is_empty() && is_runner()) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text().as_bytes()))
        .map_err(|error| format!("the summary of the job cannot be written to {}: {error}", path.display()))
}

/// A launch as Markdown.
fn launch_markdown(report: &LaunchReport) -> String {
    let mut text = headed(launch_title(report), report.error_message().as_deref());
    let _ = writeln!(text, "| | |\n|---|---|\n| site | {} |", code(&report.url));
    let _ = writeln!(text, "| took | {} |", cost_text(report.requests, report.seconds));
    text.extend(report.warnings.iter().map(|warning| item("warning", warning)));
    text.extend(report.next.iter().map(|next| item("next", next)));
    let steps: Vec<String> = report
        .steps
        .iter()
        .map(|record| format!("{:<8} {:<21} {}", record.state.as_str(), record.step, record.detail))
        .collect();
    text.push('\n');
    text.push_str(&details(&counted(steps.len(), "step"), &steps.join("\n")));
    text.push('\n');
    text
}

fn launch_title(report: &LaunchReport) -> &'static str {
    match (report.ok, report.dry_run) {
        (true, true) => "Dry run: nothing was written",
        (true, false) => "Launched",
        (false, _) => "Launch stopped",
    }
}

/// A heading, and below it what went wrong.
fn headed(title: &str, error: Option<&str>) -> String {
    let error = error.map(|error| format!("{}\n\n", fenced(error)));
    format!("### {title}\n\n{}", error.unwrap_or_default())
}

/// A line of a list.
fn item(name: &str, text: &str) -> String {
    format!("\n- {name}: {}", code(&shown(text)))
}

/// A deploy as Markdown.
fn markdown(report: &DeployReport) -> String {
    let mut text = headed(title(report), report.stopped.as_deref());
    text.push_str(&numbers(report));
    text.extend(report.failed.iter().map(|(what, reason)| item(&code(&shown(what)), reason)));
    text.extend(report.warnings.iter().map(|warning| item("warning", warning)));
    text.push('\n');
    text.extend(report.steps.iter().map(printed));
    text.push_str(&folded("change", &report.changes()));
    text.push('\n');
    text
}

/// The table of a deploy.
fn numbers(report: &DeployReport) -> String {
    let mut table = "| | |\n|---|---|\n".to_owned();
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(table, "| {name} | {value} |");
    };
    row("uploaded", &counted(report.uploaded.len(), "file"));
    row("deleted", &report.deleted.len().to_string());
    row("failed", &report.failed.len().to_string());
    row("reloaded", &report.reloaded.iter().map(|domain| code(domain)).collect::<Vec<_>>().join(", "));
    row("took", &format!("{}, executor {}", cost_text(report.requests, report.seconds), report.executor));
    if let Some(id) = &report.id {
        row("deploy", &code(id));
    }
    if let Some(commit) = &report.commit {
        row("commit", &code(commit));
    }
    table
}

/// The end of what a step printed.
fn printed(step: &StepReport) -> String {
    let end = step.exit_status.map_or("result unknown".to_owned(), |status| format!("exit status {status}"));
    let lines: Vec<&str> = step.output.lines().collect();
    let output = lines[lines.len().saturating_sub(MOST_LINES)..].join("\n");
    details(&format!("{}: {end}", step.step), &output)
}

/// A list to unfold, unless there is nothing in it. Only what is shown of it is written out.
fn folded(what: &str, lines: &[impl Display]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let mut shown: Vec<String> = lines.iter().take(MOST_FILES).map(ToString::to_string).collect();
    if lines.len() > MOST_FILES {
        shown.push(format!("... and {} more", lines.len() - MOST_FILES));
    }
    details(&counted(lines.len(), what), &shown.join("\n"))
}

/// A text of the host or of a file's name as code, which Markdown leaves as it is.
fn code(text: &str) -> String {
    let text = text.replace('|', "\\|").replace(['\n', '\r'], " ");
    let ticks = "`".repeat(1 + longest_run(&text));
    if text.is_empty() { String::new() } else { format!("{ticks} {text} {ticks}") }
}

fn fenced(text: &str) -> String {
    let fence = "`".repeat(3.max(1 + longest_run(text)));
    format!("{fence}text\n{}\n{fence}", crate::cli::terminal::printable(text))
}

fn details(title: &str, text: &str) -> String {
    let title = in_html(title);
    format!("\n<details><summary>{title}</summary>\n\n{}\n\n</details>\n", fenced(text))
}

fn in_html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|character| character != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::{StepRecord, StepState};

    #[test]
    fn an_annotation_is_one_line_that_says_it_all() {
        assert_eq!(annotation(Level::Error, "50% lost\nand more"), "::error title=pya::50%25 lost%0Aand more");
    }

    #[test]
    fn what_the_host_printed_is_no_command() {
        let text = group("migrate", ["::error::no", "ok"].into_iter()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let word = lines[1].strip_prefix("::stop-commands::").unwrap();
        assert_eq!(lines, ["::group::migrate", lines[1], "::error::no", "ok", &format!("::{word}::"), "::endgroup::"]);
        assert_ne!(text, group("migrate", ["::error::no", "ok"].into_iter()).unwrap());
    }

    #[test]
    fn markdown_of_the_host_stays_text() {
        let report = DeployReport {
            stopped: Some("```\n# big\n```".into()),
            failed: [("a|`b`".to_owned(), "<b>no</b>\nat all".to_owned())].into(),
            ..DeployReport::default()
        };
        let text = markdown(&report);
        assert!(text.starts_with("### Deploy failed\n\n````text\n```\n# big\n```\n````\n"), "{text}");
        assert!(text.contains("- `` a\\|`b` ``: ` <b>no</b>"), "{text}");
    }

    #[test]
    fn a_launch_that_stopped_says_where_and_what_stands() {
        let step = |step, state, detail: &str| StepRecord { step, state, detail: detail.to_owned() };
        let report = LaunchReport {
            steps: vec![step("web app", StepState::Done, "made"), step("files", StepState::Failed, "<b>")],
            failed_step: Some("files"),
            error: Some("`x` is\nlost".into()),
            url: "https://a.b/".into(),
            requests: 3,
            ..LaunchReport::default()
        };
        let text = launch_markdown(&report);
        assert!(text.starts_with("### Launch stopped\n\n```text\nfiles: `x` is\nlost\nin place: web app. "), "{text}");
        assert!(text.contains("| site | ` https://a.b/ ` |\n| took | 3 requests, "), "{text}");
        assert!(
            text.contains("<summary>2 steps</summary>\n\n```text\ndone     web app               made\n"),
            "{text}"
        );
    }
}
