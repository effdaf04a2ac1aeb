//! Virtualenvs on the host, in `~/.virtualenvs`, where the service's own guides make them.
//!
//! One that is there is used and never made anew, whoever made it: it may hold what nobody could install again. Only what
//! an interrupted job of ours left half-made is removed.

use super::maintenance::carry_out;
use crate::deploy::plan::executor::{ExecutorOptions, NO_COMMANDS};
use crate::deploy::project::Project;
use crate::error::{Error, Result};
use crate::host::{Operation, Variables, VenvResult};

/// Makes the virtualenv `name` in `~/.virtualenvs` for this version of Python (`3.13`), unless there is one.
///
/// # Errors
/// `Config` for a name or version that is none, if nothing can run it, and if the virtualenv that is there has another
/// Python or is none; `Job` if it could not be made.
pub async fn make_virtualenv(
    project: &Project,
    executors: &ExecutorOptions,
    name: &str,
    python: &str,
) -> Result<VenvResult> {
    check_name(name)?;
    check_python(python)?;
    let executor = executors.for_job(&project.client, NO_COMMANDS).await?;
    let operation = Operation::Venv { name: name.to_owned(), python: python.to_owned() };
    let made: VenvResult = carry_out(project, executors, &executor, operation, Variables::default()).await?;
    Ok(VenvResult { path: format!("/home/{}/.virtualenvs/{name}", project.client.user()), ..made })
}

fn check_name(name: &str) -> Result<()> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if is_name && name.len() <= 100 {
        return Ok(());
    }
    Err(Error::config(format!(
        "{name:?} cannot be the name of a virtualenv: use letters, digits, dots, hyphens and underscores, and begin with \
         a letter or digit"
    )))
}

fn check_python(version: &str) -> Result<()> {
    let is_number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    match version.split_once('.') {
        Some((major, minor)) if is_number(major) && is_number(minor) => Ok(()),
        _ => Err(Error::config(format!("{version:?} is not a version of Python such as 3.13"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment() {
        for name in ["a", "my-site", "my_site.3", "3a", "A.B"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", "..", ".a", "-a", "_a", "a/b", "../a", "a b", "a\0", "ä", "a\n", &"a".repeat(101)] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_version_has_two_numbers() {
        for version in ["3.8", "3.13"] {
            assert!(check_python(version).is_ok(), "{version}");
        }
        for version in ["", "3", "3.", "3.13.1", "3.x", "-3.8", "3.8/../x", "3. 8"] {
            assert!(check_python(version).is_err(), "{version:?}");
        }
    }
}
