//! What `diff` and `deploy` share: which folder goes where, and what of it.

use std::path::{Path, PathBuf};

use crate::cli::args::{CompareBy, Select};
use crate::cli::output::Output;
use crate::cli::run::Context;
use crate::cli::settings::{OneOrMore, Settings};
use crate::deploy::{Compare, DeployDiff, Project, SelectOptions};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::finder::NeverSkip;

/// A project with what is wanted of it.
pub struct Prepared<'a> {
    pub settings: Settings<'a>,
    pub project: Project,
    select: SelectOptions,
    compare: Option<Compare>,
}

impl<'a> Prepared<'a> {
    /// Puts together what was typed and what the settings say.
    ///
    /// # Errors
    /// `Config` for whatever can be seen to be wrong without asking the service.
    pub fn new(args: &Select, context: &'a Context) -> Result<Self> {
        let here = std::env::current_dir().map_err(|source| Error::Local { path: ".".into(), source })?;
        let start = args.root.clone().unwrap_or_else(|| here.clone());
        let settings = Settings::load(&context.global, Environment::read(), &start)?;
        let local_root = local_root(args.root.as_deref(), &settings, &here);
        let name = settings.project(&local_root)?;
        let client = settings.client()?;
        let remote_root = settings.remote_root(args.remote_root.as_deref(), client.user(), &name)?;
        let select = select(args, &settings)?;
        let compare = args.compare.or(settings.table.compare).map(|compare| match compare {
            CompareBy::Manifest => Compare::Manifest,
            CompareBy::Names => Compare::Names,
            CompareBy::Content => Compare::Content,
        });
        Ok(Self { settings, project: Project { client, local_root, remote_root }, select, compare })
    }

    /// Compares the two sides.
    ///
    /// # Errors
    /// Whatever made the comparison impossible; a part of it is never given.
    pub async fn diff(&self, output: &Output) -> Result<DeployDiff> {
        let Project { client, local_root, remote_root, .. } = &self.project;
        output.say(&format!(
            "{} -> {}@{}:{remote_root}",
            local_root.display(),
            client.user(),
            client.host().authority()
        ));
        let diff = crate::deploy::diff(&self.project, &self.select, &NeverSkip, self.compare).await;
        client.persist_budget();
        diff
    }

    /// The diff with the host's other files in it, which takes a complete listing.
    ///
    /// # Errors
    /// Whatever kept a folder from being listed.
    pub async fn with_unmanaged(&self, diff: &DeployDiff) -> Result<DeployDiff> {
        let diff = crate::deploy::with_unmanaged(&self.project, diff, &NeverSkip).await;
        self.project.client.persist_budget();
        diff
    }
}

/// The folder to deploy: the one named, else the table's `root`, else the table's own, else the working folder.
///
/// Not the working folder first: a deploy from a subfolder would put the subfolder's files where the project is.
fn local_root(given: Option<&Path>, settings: &Settings<'_>, here: &Path) -> PathBuf {
    match (given, &settings.table_folder) {
        (Some(root), _) => root.to_owned(),
        (None, Some(folder)) => match &settings.table.root {
            Some(root) => folder.join(root),
            None => folder.clone(),
        },
        (None, None) => here.to_owned(),
    }
}

fn select(args: &Select, settings: &Settings<'_>) -> Result<SelectOptions> {
    let mut select = SelectOptions { strict: args.strict || settings.table.strict, ..SelectOptions::default() };
    if !args.masks.is_empty() {
        select.masks.clone_from(&args.masks);
    } else if let Some(masks) = &settings.table.masks {
        select.masks = OneOrMore::to_vec(masks);
    }
    select.include.clone_from(&args.include);
    select.protected.clone_from(&settings.table.protected);
    if let Some(bytes) = settings.max_file_size(args.max_file_size)? {
        select.max_file_size = bytes;
    }
    Ok(select)
}
