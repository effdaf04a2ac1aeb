//! `pya env`: the environment variables of a web app, which may be passwords.
//!
//! No value is ever an argument, which every user of the machine can see, and none is printed unless that is asked for. A
//! change reloads the web app, since it has the variables that it was loaded with.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::project::remote_or_home;
use crate::api::Reloaded;
use crate::blocking::blocking;
use crate::cli::args::{Env, EnvOf};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::prompt;
use crate::cli::settings::Settings;
use crate::cli::table::table;
use crate::deploy::{ExecutorOptions, Project, reload_sites, variables};
use crate::error::{Error, Result};
use crate::host::{Variables, env_file};
use crate::text::some_of;

/// The longest file or input that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

pub async fn run(args: &Env, context: &Context) -> Result<Exit> {
    let (Env::List { of, .. }
    | Env::Set { of, .. }
    | Env::Unset { of, .. }
    | Env::Push { of, .. }
    | Env::Pull { of, .. }) = args;
    let (settings, project) = remote_or_home(context)?;
    let domain = settings.web_apps(of.domain.as_deref())?.swap_remove(0);
    let site = Site { executors: executors(of, &domain, &settings), settings, project, domain, context };
    let exit = match args {
        Env::List { show, .. } => site.list(*show).await,
        Env::Set { names, no_reload, .. } => site.change(values(names, context).await?, &[], !no_reload).await,
        Env::Unset { names, no_reload, .. } => site.change(Vec::new(), names, !no_reload).await,
        Env::Push { file, no_reload, .. } => site.change(read_file(file, context).await?, &[], !no_reload).await,
        Env::Pull { file, overwrite, .. } => site.pull(file, *overwrite).await,
    };
    site.project.client.persist_budget();
    exit
}

/// A web app whose variables are looked at or changed.
struct Site<'a> {
    settings: Settings<'a>,
    project: Project,
    executors: ExecutorOptions,
    domain: String,
    context: &'a Context,
}

fn executors(of: &EnvOf, domain: &str, settings: &Settings<'_>) -> ExecutorOptions {
    let site_url = of.site_url.clone().or_else(|| settings.table.site_url.clone());
    ExecutorOptions::by_agent(domain, site_url)
}

impl Site<'_> {
    async fn list(&self, show: bool) -> Result<Exit> {
        let found = variables::list(&self.project.client, &self.domain).await?;
        let output = &self.context.output;
        let mut document = json!({ "domain": self.domain, "names": names(&found) });
        if show {
            document["variables"] = json!(found);
        }
        let row = |(name, value): (&String, &String)| {
            if show { vec![name.clone(), value.clone()] } else { vec![name.clone()] }
        };
        let rows: Vec<Vec<String>> = found.iter().map(row).collect();
        output.answer(&table(&rows, None), &document);
        if found.is_empty() {
            output.say(&format!("{} has no variables (\"pya env set NAME\" sets one)", self.domain));
        }
        Ok(Exit::Ok)
    }

    async fn change(&self, given: Vec<(String, String)>, unset: &[String], reload: bool) -> Result<Exit> {
        let Self { project, domain, context, .. } = self;
        let output = &context.output;
        let set = Variables::new(given)?;
        let unset: BTreeSet<String> = unset.iter().cloned().collect();
        let changed = variables::change(project, &self.executors, &set, &unset).await?;
        let done = if changed.changed {
            some_of(&[(set.names().count(), "set"), (unset.len(), "removed")])
        } else {
            "nothing to change".to_owned()
        };
        let document = |reloaded: bool| {
            let (names, is_changed) = (&changed.names, changed.changed);
            json!({ "domain": domain, "names": names, "changed": is_changed, "reloaded": reloaded })
        };
        // Where nothing changed, an earlier reload may have failed.
        if !reload || (changed.loaded && !changed.changed) {
            output.answer(&format!("{domain}: {done}"), &document(false));
            if !changed.loaded {
                output.say(&format!("the web app has them once it is reloaded (\"pya reload {domain}\")"));
            }
            return Ok(Exit::Ok);
        }
        if let Err(error) = self.reload().await {
            output.answer(&format!("{domain}: {done}"), &document(false));
            let what = format!("the web app was not reloaded and still has the old ones (\"pya reload {domain}\")");
            output.failure(&format!("{what}: {}", error.chain()));
            return Ok(Exit::of(&error));
        }
        output.answer(&format!("{domain}: {done}; reloaded"), &document(true));
        Ok(Exit::Ok)
    }

    async fn reload(&self) -> Result<()> {
        for (domain, outcome) in reload_sites(&self.project.client, std::slice::from_ref(&self.domain)).await {
            if let Reloaded::CnameWarning(detail) = outcome? {
                self.context.output.warn(&format!("{domain}: {detail}"));
            }
        }
        Ok(())
    }

    async fn pull(&self, file: &Path, overwrite: bool) -> Result<Exit> {
        if file.as_os_str() == "-" {
            return Err(Error::config("name a file to write to: \"pya env list --show\" prints the values"));
        }
        let found = variables::list(&self.project.client, &self.domain).await?;
        if found.is_empty() {
            // A file that is there may have the only copy of what was never pushed.
            return Err(Error::config(format!("{} has no variables: nothing is written", self.domain)));
        }
        let (to, text, count) = (file.to_owned(), env_file::to_text(&found), found.len());
        blocking(move || write_private(&to, &text, overwrite)).await?;
        let document = json!({ "domain": self.domain, "file": file, "names": names(&found) });
        self.context.output.answer(&format!("{count} written to {}", file.display()), &document);
        let ignored = self.settings.table_folder.as_ref().is_some_and(|folder| folder.join(".git").exists());
        if ignored && file.is_relative() {
            self.context.output.say("it contains values that may be passwords: keep it out of git");
        }
        Ok(Exit::Ok)
    }
}

fn names(found: &BTreeMap<String, String>) -> Value {
    json!(found.keys().collect::<Vec<_>>())
}

/// Refuses names that are none, and values beside them.
fn check_names(names: &[String]) -> Result<()> {
    if let Some((name, _)) = names.iter().find_map(|name| name.split_once('=')) {
        return Err(visible_value(name));
    }
    Variables::new(names.iter().map(|name| (name.clone(), String::new()))).map(drop)
}

fn visible_value(name: &str) -> Error {
    Error::config(format!(
        "give only the name, {name}: a value in a command line can be seen by every user of this machine. It is asked \
         for, or read from stdin"
    ))
}

/// The values of these variables: typed, or one on stdin.
async fn values(names: &[String], context: &Context) -> Result<Vec<(String, String)>> {
    // Before anybody types.
    check_names(names)?;
    if !io::stdin().is_terminal() {
        let [name] = names else {
            return Err(Error::config("stdin has one value: give one name, or use \"pya env push\" for several"));
        };
        let mut value = blocking(|| read_text(io::stdin().lock(), Path::new("stdin"))).await?;
        if value.is_empty() {
            // The program that should have printed it has failed.
            return Err(Error::config("the input ended before the value: for an empty one, send an empty line"));
        }
        value.truncate(without_line_break(&value).len());
        return Ok(vec![(name.clone(), value)]);
    }
    let mut values = Vec::new();
    for name in names {
        values.push((name.clone(), prompt::hidden(&context.output, &format!("{name} (not shown):")).await?));
    }
    Ok(values)
}

/// A value without the line break of the command that printed it: that of Windows is two characters.
fn without_line_break(value: &str) -> &str {
    value.strip_suffix("\r\n").or_else(|| value.strip_suffix('\n')).unwrap_or(value)
}

/// The variables in a file; `-` is stdin.
async fn read_file(file: &Path, context: &Context) -> Result<Vec<(String, String)>> {
    let path = file.to_owned();
    let text = blocking(move || text_of(&path)).await?;
    let given = env_file::parse(&text).map_err(|error| Error::config(format!("{}: {error}", file.display())))?;
    if given.is_empty() {
        return Err(Error::config(format!("{} has no variables", file.display())));
    }
    let refers: Vec<&str> =
        given.iter().filter(|(_, value)| value.contains("${")).map(|(name, _)| name.as_str()).collect();
    if !refers.is_empty() {
        context.output.warn(&format!("\"${{\" is sent as it is, nothing is put in its place: {}", refers.join(", ")));
    }
    Ok(given)
}

fn text_of(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        return read_text(io::stdin().lock(), Path::new("stdin"));
    }
    let opened = std::fs::File::open(path).map_err(|source| Error::Local { path: path.to_owned(), source })?;
    read_text(opened, path)
}

fn read_text(source: impl Read, path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    source
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Local { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::config(format!("{} is too long for variables", path.display())));
    }
    String::from_utf8(bytes).map_err(|_| Error::config(format!("{} is not UTF-8 text", path.display())))
}

/// Writes a file that nobody else may read, in one step.
fn write_private(path: &Path, text: &str, overwrite: bool) -> Result<()> {
    let failed = |source| Error::Local { path: path.to_owned(), source };
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(Error::config(format!("{} exists: --overwrite replaces it", path.display())));
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned);
    // Made for its owner only.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)?;
    let placed = if overwrite { file.persist(path) } else { file.persist_noclobber(path) };
    placed.map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_of_either_system_is_not_part_of_a_value() {
        for (printed, value) in [("a\n", "a"), ("a\r\n", "a"), ("a", "a"), ("a\n\n", "a\n"), ("a\r", "a\r"), ("", "")] {
            assert_eq!(without_line_break(printed), value, "{printed:?}");
        }
    }
}
