//! What commands on a project share: the local folder, the remote one, and which files are selected.

use std::path::{Path, PathBuf};

use crate::cli::args::{self, Select};
use crate::cli::budget::keeping_budget;
use crate::cli::context::{Context, working_folder};
use crate::cli::output::Output;
use crate::cli::settings::Settings;
use crate::client::RemotePath;
use crate::deploy::{Compare, DeployDiff, DeployOptions, ExecutorChoice, ExecutorOptions, Project, SelectOptions};
use crate::error::{Error, Result};
use crate::finder::NeverSkip;
use crate::host::Variables;

/// A project, with the selection and the way to compare.
pub struct Prepared<'a> {
    pub settings: Settings<'a>,
    pub project: Project,
    pub select: SelectOptions,
    compare: Option<Compare>,
}

/// The project's place in the account, for commands that need no local files.
///
/// # Errors
/// `Config` for whatever is wrong in the options and settings.
pub fn remote<'a>(remote_root: Option<&str>, context: &'a Context) -> Result<(Settings<'a>, Project)> {
    let here = working_folder()?;
    let settings = context.settings()?;
    let project = project_in(local_root(None, &settings, &here)?, remote_root, &settings)?;
    Ok((settings, project))
}

/// The project in a local folder, with its place in the account: the one that is given, else that of the settings.
fn project_in(local_root: PathBuf, remote_root: Option<&str>, settings: &Settings<'_>) -> Result<Project> {
    let name = settings.project(&local_root)?;
    let client = settings.client()?;
    let remote_root = settings.remote_root(remote_root, client.user(), &name)?;
    Ok(Project { client, local_root, remote_root })
}

/// The project's place in the account, or the account's home folder where no project is named: for what belongs to a web app
/// rather than to a project.
///
/// # Errors
/// As for [`remote`].
pub fn remote_or_home(context: &Context) -> Result<(Settings<'_>, Project)> {
    let here = working_folder()?;
    let settings = context.settings()?;
    let local_root = local_root(None, &settings, &here)?;
    if settings.has_project() {
        drop(settings);
        return remote(None, context);
    }
    let client = settings.client()?;
    let remote_root = RemotePath::home(client.user())?;
    let project = Project { client, local_root, remote_root };
    Ok((settings, project))
}

/// Where the project is: `user@host:folder`.
pub fn destination(Project { client, remote_root, .. }: &Project) -> String {
    format!("{}@{}:{remote_root}", client.user(), client.host().authority())
}

/// The executor options: those typed, else those of the settings.
pub fn executors(args: &args::ExecutorOptions, settings: &Settings<'_>) -> ExecutorOptions {
    let wanted = args.executor.or(settings.table.executor);
    let choice = match args.console {
        Some(_) if wanted.is_none() => ExecutorChoice::Console,
        _ => wanted.unwrap_or_default(),
    };
    ExecutorOptions {
        choice,
        console: args.console,
        domain: args.domain.clone().or_else(|| settings.table.domains().into_iter().next()),
        site_url: args.site_url.clone().or_else(|| settings.table.site_url.clone()),
        allow_tasks: args.allow_tasks || settings.table.allow_tasks,
    }
}

/// Variables for commands on the host. One without a value has that of this process: so a password is in no command line.
///
/// # Errors
/// `Config` for one that is not set here, or that must not be given.
pub fn variables(given: &[String]) -> Result<Variables> {
    Variables::new(given.iter().map(|word| variable(word)).collect::<Result<Vec<_>>>()?)
}

fn variable(word: &str) -> Result<(String, String)> {
    if let Some((name, value)) = word.split_once('=') {
        return Ok((name.to_owned(), value.to_owned()));
    }
    Ok((word.to_owned(), std::env::var(word).map_err(|_| missing_variable(word))?))
}

fn missing_variable(name: &str) -> Error {
    Error::config(format!(
        "the variable {name:?} is not set here, or its value is not text: set it, or give --set-env {name}=VALUE"
    ))
}

/// The executor options of a command that reloads, and what it reloads. The only domain given with `--reload` counts before those of the table, and
/// without `--domain` an address belongs to the one domain that is reloaded.
pub fn executors_and_reloads(
    args: &args::ExecutorOptions,
    settings: &Settings<'_>,
    no_reload: bool,
    given: &[String],
) -> (ExecutorOptions, Vec<String>) {
    let mut options = executors(args, settings);
    let reload = settings.reloads(no_reload, given);
    if args.domain.is_none() {
        let others = settings.table.domains();
        if let ([domain], false) = (given, no_reload) {
            options.domain = Some(domain.clone());
            // The table's address is that of the table's first domain.
            let is_theirs = others.first().is_none_or(|first| first == domain);
            options.site_url = args.site_url.clone().or(options.site_url.filter(|_| is_theirs));
        } else if args.site_url.is_some() && reload.len() > 1 {
            // Which of them it belongs to is not said: that is refused.
            options.domain = None;
        }
    }
    (options, reload)
}

impl<'a> Prepared<'a> {
    /// Combines the options typed with the settings.
    ///
    /// # Errors
    /// `Config` for whatever is wrong in the options and settings.
    pub fn new(args: &Select, context: &'a Context) -> Result<Self> {
        let here = working_folder()?;
        let start = args.root.clone().unwrap_or_else(|| here.clone());
        let settings = context.settings_at(&start)?;
        let local_root = local_root(args.root.as_deref(), &settings, &here)?;
        let project = project_in(local_root, args.remote_root.as_deref(), &settings)?;
        let select = select(args, &settings)?;
        let compare = args.compare.or(settings.table.compare);
        Ok(Self { settings, project, select, compare })
    }

    /// Compares the local files with those on the host.
    ///
    /// # Errors
    /// Whatever made the comparison impossible; there is never a partial diff.
    pub async fn diff(&self, executors: &ExecutorOptions, output: &Output) -> Result<DeployDiff> {
        let Project { client, local_root, .. } = &self.project;
        output.say(&format!("{} -> {}", local_root.display(), destination(&self.project)));
        let lane = executors.lane(client);
        let diff = crate::deploy::diff_by_site(&self.project, &self.select, &NeverSkip, self.compare, lane.as_ref());
        keeping_budget(client, diff).await
    }

    /// The diff with the unmanaged files on the host in it that a deploy may delete, which takes a complete listing and
    /// the first bytes of each.
    ///
    /// # Errors
    /// `Config` if `options` do not allow so many deletes; whatever kept a folder from being listed, or a file from being
    /// read.
    pub async fn with_unmanaged(&self, diff: &DeployDiff, options: &DeployOptions) -> Result<DeployDiff> {
        let client = &self.project.client;
        let spared = async {
            let listed = crate::deploy::with_unmanaged(&self.project, diff, &NeverSkip).await?;
            listed.plan_with(options)?;
            crate::deploy::spare_live_data(client, &listed, &options.include).await
        };
        keeping_budget(client, spared).await
    }
}

/// The folder to deploy: the one named, else the table's `root`, else the table's own, else the working folder.
///
/// Not the working folder first: a deploy from a subfolder would put the subfolder's files where the project is.
///
/// # Errors
/// `Config` if the table's `root` leads out of the work tree.
pub fn local_root(given: Option<&Path>, settings: &Settings<'_>, here: &Path) -> Result<PathBuf> {
    match (given, &settings.table_folder) {
        (Some(root), _) => Ok(root.to_owned()),
        (None, Some(folder)) => settings.table.root_in(folder),
        (None, None) => Ok(here.to_owned()),
    }
}

/// The selection: what was typed, else what the table says.
///
/// # Errors
/// `Config` if the table's size is none.
pub fn select(args: &Select, settings: &Settings<'_>) -> Result<SelectOptions> {
    let mut select = settings.table.select()?;
    select.strict |= args.strict;
    select.no_git |= args.no_git;
    select.allow_lfs_pointers |= args.allow_lfs_pointers;
    select.delete_untracked |= args.delete_untracked;
    if !args.masks.is_empty() {
        select.masks.clone_from(&args.masks);
    }
    select.include.clone_from(&args.include);
    if let Some(bytes) = args.max_file_size {
        select.max_file_size = bytes;
    }
    Ok(select)
}
