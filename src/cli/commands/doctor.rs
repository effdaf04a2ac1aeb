//! `pya doctor`: what is wrong with the project and its account, and the command that mends it.
//!
//! A configuration that cannot be used is a finding like any other: whoever asks what is wrong wants to be told that.

use std::fmt::Write as _;

use super::project::remote;
use crate::cli::args::Doctor;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::settings::Settings;
use crate::cli::step_line::wrapped;
use crate::client::RemotePath;
use crate::deploy::Project;
use crate::doctor::{Check, Diagnosis, Examination, Finding, Health, examine};
use crate::error::{Error, ErrorKind, Result};

/// Before a message, and before what goes on below it.
const INDENT: usize = 24;

pub async fn run(args: &Doctor, context: &Context) -> Result<Exit> {
    let diagnosis = diagnose(args, true, context).await?;
    report(&diagnosis, context);
    Ok(if diagnosis.count(Health::Error) == 0 { Exit::Ok } else { Exit::Failed })
}

/// What was found; where it `may_write`, also whether the disk takes another file.
///
/// # Errors
/// `Closed` if a signal ended it.
pub async fn diagnose(args: &Doctor, may_write: bool, context: &Context) -> Result<Diagnosis> {
    let examined = match context.settings() {
        Ok(settings) => examined(args, may_write, &settings, context).await,
        Err(error) => Err(error),
    };
    match examined {
        Err(error) if error.kind() != ErrorKind::Closed => Ok(Diagnosis { findings: vec![unusable(&error)] }),
        examined => examined,
    }
}

async fn examined(args: &Doctor, may_write: bool, settings: &Settings<'_>, context: &Context) -> Result<Diagnosis> {
    let (project, configuration) = project_of(args, settings, context)?;
    let examination = Examination {
        project,
        domain: args.domain.clone().or_else(|| settings.table.domains().into_iter().next()),
        site_url: args.site_url.clone().or_else(|| settings.table.site_url.clone()),
        manage: settings.table.manage.clone(),
        settings: settings.table.settings.clone(),
        may_write,
    };
    let mut diagnosis = examine(&examination).await;
    diagnosis.findings.insert(0, configuration);
    Ok(diagnosis)
}

/// The project, and whether its configuration can be used.
fn project_of(args: &Doctor, settings: &Settings<'_>, context: &Context) -> Result<(Project, Finding)> {
    match remote(args.remote_root.as_deref(), context) {
        Ok((_, project)) => Ok((project, Finding::ok(Check::Configuration, "it can be used"))),
        Err(error) if error.kind() == ErrorKind::Closed => Err(error),
        // The account can be looked at all the same.
        Err(error) => Ok((without_project(settings)?, unusable(&error))),
    }
}

/// The account, with its home folder in place of a project.
fn without_project(settings: &Settings<'_>) -> Result<Project> {
    let client = settings.client()?;
    let remote_root = RemotePath::home(client.user())?;
    Ok(Project { client, local_root: ".".into(), remote_root })
}

/// Why the configuration cannot be used.
fn unusable(error: &Error) -> Finding {
    let why = error.chain();
    let command = if why.contains("pyproject.toml") { "pya init" } else { "pya login" };
    Finding::error(Check::Configuration, why, command)
}

fn report(diagnosis: &Diagnosis, context: &Context) {
    context.output.answer(&table(diagnosis, context.output.width()), &diagnosis.document());
    context.output.say(&summary(diagnosis));
}

fn summary(diagnosis: &Diagnosis) -> String {
    match [Health::Error, Health::Warning].map(|health| diagnosis.count(health)) {
        [0, 0] => "all is well".to_owned(),
        [errors, warnings] => format!("errors: {errors}, warnings: {warnings}"),
    }
}

/// A line for each finding, wrapped where the terminal is narrow, and below it the command.
fn table(diagnosis: &Diagnosis, width: Option<usize>) -> String {
    let mut text = String::new();
    for Finding { check, health, message, command } in &diagnosis.findings {
        // Writing to a String cannot fail.
        let start = format!("{health:<8} {:<14} ", check.name());
        let _ = writeln!(text, "{}", wrapped(&start, message, width, INDENT));
        if let Some(command) = command {
            let _ = writeln!(text, "{:INDENT$}$ {command}", "");
        }
    }
    text
}
