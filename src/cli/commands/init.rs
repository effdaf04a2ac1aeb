//! `pya init`: the files that a project needs to be launched. Nothing is sent.
//!
//! The plan of the local part is the same for `pya launch`, and is made here for both.

use std::path::Path;

use serde_json::json;

use super::project::local_root;
use crate::cli::args::{Detect, Init};
use crate::cli::context::{Context, working_folder};
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::settings::Settings;
use crate::cli::step_line::step_line;
use crate::client::BaseUrl;
use crate::error::{Error, Result};
use crate::launch::{DetectOptions, LocalOptions, LocalPlan, own_domain, plan};
use crate::project_table::first_given;

pub fn run(args: &Init, context: &Context) -> Result<Exit> {
    let (_, local) = local_plan(&args.detect, context)?;
    let output = &context.output;
    tell_found(&local, output);
    let written = if args.dry_run { Vec::new() } else { local.write()? };
    let mut document = local.to_json();
    document["written"] = json!(written);
    output.answer(&contents(&local).join("\n"), &document);
    output.warn_all(&local.warnings);
    output.say(&match (args.dry_run, written.is_empty()) {
        (true, _) if local.writes().is_empty() => "nothing to write: the project is ready for pya launch".to_owned(),
        (true, _) => "dry run, nothing was written".to_owned(),
        (false, true) => "nothing to write: the project is ready for pya launch".to_owned(),
        (false, false) => format!("{} written; next: pya launch", written.join(" and ")),
    });
    Ok(Exit::Ok)
}

/// The lines of each file that is written, below its name.
fn contents(local: &LocalPlan) -> Vec<String> {
    local.writes().iter().flat_map(|(path, content)| below_name(path, content)).collect()
}

fn below_name(path: &str, content: &str) -> Vec<String> {
    let lines = content.lines().map(|line| format!("    {line}").trim_end().to_owned());
    std::iter::once(format!("{path}:")).chain(lines).collect()
}

/// Says what the project is, in lines of a name and a text.
pub(super) fn tell_found(local: &LocalPlan, output: &Output) {
    for (name, text) in local.found() {
        output.say(&step_line("found", name, &text, Output::message_width()));
    }
}

/// What is to be done on this machine, by the options typed and the settings.
///
/// # Errors
/// `Config` for whatever is wrong in them, or does not show.
pub(super) fn local_plan<'a>(args: &Detect, context: &'a Context) -> Result<(Settings<'a>, LocalPlan)> {
    let here = working_folder()?;
    let settings = context.settings_at(start_folder(args.root.as_deref(), &here)?)?;
    let root = local_root(args.root.as_deref(), &settings, &here)?;
    if let Some(folder) = &settings.table_folder {
        settings.table.check_root(folder, &root)?;
    }
    let account = settings.user_and_host();
    let domain = args.domain.clone().or_else(|| settings.table.domains().into_iter().next());
    let domain = domain.map_or_else(|| domain_of(&account), Ok)?;
    let (user, host) = account.ok().unzip();
    let options = LocalOptions {
        detect: detect_options(args, context).or(&settings.table),
        project: first_given([&context.global.project, &settings.table.project]),
        domain,
        user,
        host: host.filter(is_noted).map(|host| host.authority().to_owned()),
        site_url: args.site_url.clone(),
        table_folder: settings.table_folder.clone(),
        environment: settings.environment_name().map(str::to_owned),
    };
    let local = plan(&root, &options)?;
    Ok((settings, local))
}

fn detect_options(args: &Detect, context: &Context) -> DetectOptions {
    DetectOptions {
        settings: args.settings.clone(),
        manage: None,
        wsgi: args.wsgi.clone(),
        asgi: args.asgi.clone(),
        env_file: args.env_file.clone(),
        interpreter: Some(context.python.executable.clone()),
    }
}

/// The folder that is named, else the working folder.
fn start_folder<'a>(root: Option<&'a Path>, here: &'a Path) -> Result<&'a Path> {
    let start = root.unwrap_or(here);
    if start.is_dir() { Ok(start) } else { Err(Error::config(format!("there is no folder {}", start.display()))) }
}

/// The domain that every account has.
fn domain_of(account: &Result<(String, BaseUrl)>) -> Result<String> {
    let domain = account.as_ref().map(|(user, host)| own_domain(user, host));
    domain.map_err(|error| Error::config(format!("{error}, or name the web app with --domain")))
}

/// Whether the table is to name a host: another system of the service than the usual one.
fn is_noted(host: &BaseUrl) -> bool {
    host.is_public_system() && host.authority() != BaseUrl::DEFAULT_HOST
}
