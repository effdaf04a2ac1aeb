//! Environments: `[tool.pythonanywhere.env.NAME]` overrides keys of `[tool.pythonanywhere]`, chosen by `--env`,
//! `env=` or `PYA_ENV`.
//!
//! All of them are checked, also where none is chosen, so that a mistake does not wait for the day when staging is needed. A
//! value is replaced as a whole: lists are not joined, since what protects a database could not be taken away then.

use toml::{Table, Value};

use crate::setting::Setting;

/// The variable that chooses one where no option does.
pub const VARIABLE: &str = "PYA_ENV";

/// The key that holds them.
pub const KEY: &str = "env";

/// The environment of a caller that may have named one, else that of the variable. An empty name is none.
#[must_use]
pub fn chosen(named: Option<String>) -> Option<String> {
    named.or_else(|| std::env::var(VARIABLE).ok()).filter(|name| !name.is_empty())
}

/// The table as it holds in the environment `chosen`. `check` gets what each environment overrides, and each table that comes
/// of it, with its name for messages.
///
/// # Errors
/// What is wrong with an environment, or the names of those that there are if `chosen` is none of them.
pub fn apply(
    mut table: Table,
    chosen: Option<&str>,
    check: impl Fn(&str, &Table, &Table) -> Result<(), String>,
) -> Result<Table, String> {
    let environments = taken_out(&mut table)?;
    let names: Vec<String> = environments.keys().cloned().collect();
    let mut found = None;
    for (name, overrides) in environments {
        let title = format!("[tool.pythonanywhere.{KEY}.{name}]");
        let Value::Table(overrides) = overrides else { return Err(format!("{title} is not a table")) };
        let merged = merged(&table, &overrides);
        check(&title, &overrides, &merged)?;
        if chosen == Some(&name) {
            found = Some(merged);
        }
    }
    match (chosen, found) {
        (None, _) => Ok(table),
        (Some(_), Some(merged)) => Ok(merged),
        (Some(name), None) => Err(unknown(name, &names)),
    }
}

/// The environments, which are no longer in the table then.
fn taken_out(table: &mut Table) -> Result<Table, String> {
    match table.remove(KEY) {
        None => Ok(Table::new()),
        Some(Value::Table(environments)) => Ok(environments),
        Some(_) => {
            Err(format!("[tool.pythonanywhere] {KEY}: expected tables, such as [tool.pythonanywhere.{KEY}.staging]"))
        }
    }
}

/// What is said of an environment that there is not, if there are those with `names`.
#[must_use]
pub fn unknown(name: &str, names: &[String]) -> String {
    let there = match names {
        [] => format!("there is none; [tool.pythonanywhere.{KEY}.{name}] in pyproject.toml would make it"),
        names => format!("there are: {}", names.join(", ")),
    };
    format!("no environment has the name {name:?} ({} or {VARIABLE}): {there}", Setting::Environment)
}

fn merged(table: &Table, overrides: &Table) -> Table {
    let mut merged = table.clone();
    // An address belongs to the domain that it was given for: requests to one site must not go to another.
    if overrides.contains_key("domain") {
        merged.remove("site_url");
    }
    merged.extend(overrides.clone());
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(lines: &str, chosen: Option<&str>) -> Result<Table, String> {
        apply(lines.parse().unwrap(), chosen, |_, _, _| Ok(()))
    }

    const LINES: &str = "domain = 'a.b'\nsite_url = 'http://127.0.0.1:1'\nprotected = ['/x']\n\
        [env.staging]\ndomain = 'c.d'\nprotected = []\n[env.fast]\nsite_url = 'http://127.0.0.1:2'";

    #[test]
    fn an_environment_overrides_whole_values() {
        let text = |chosen| applied(LINES, chosen).unwrap().to_string();
        assert_eq!(text(None), "domain = \"a.b\"\nprotected = [\"/x\"]\nsite_url = \"http://127.0.0.1:1\"\n");
        // The address of one site is not that of another.
        assert_eq!(text(Some("staging")), "domain = \"c.d\"\nprotected = []\n");
        assert!(text(Some("fast")).ends_with("site_url = \"http://127.0.0.1:2\"\n"));
    }

    #[test]
    fn an_unknown_one_names_those_that_there_are() {
        assert!(applied(LINES, Some("stagin")).unwrap_err().ends_with("there are: fast, staging"));
        assert!(applied("", Some("x")).unwrap_err().contains("[tool.pythonanywhere.env.x]"));
        for lines in ["env = 3", "env = ['staging']", "env.staging = 'x'"] {
            assert!(applied(lines, None).unwrap_err().contains("table"), "{lines}");
        }
    }

    #[test]
    fn all_of_them_are_checked() {
        let outcome = apply(LINES.parse().unwrap(), None, |title, overrides, _| {
            if overrides.contains_key("domain") { Err(title.to_owned()) } else { Ok(()) }
        });
        assert_eq!(outcome.unwrap_err(), "[tool.pythonanywhere.env.staging]");
    }
}
