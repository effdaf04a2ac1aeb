//! What stays on the host although it is gone here, and changes what the new files do.
//!
//! Python prefers the package `models/` to the module `models.py`, and Django runs every migration that it finds. Both
//! look deployed and are not, so the plan says so.

use std::collections::BTreeSet;

use super::options::DeployOptions;
use crate::deploy::diff::model::DeployDiff;
use crate::setting::Setting;
use crate::text::{counted, first_few};

/// Warnings about files that stay; `going` are those that this deploy deletes.
pub(crate) fn warnings(diff: &DeployDiff, options: &DeployOptions, going: &BTreeSet<&String>) -> Vec<String> {
    let staying: BTreeSet<&str> =
        diff.removed.iter().chain(&diff.unmanaged).filter(|path| !going.contains(path)).map(String::as_str).collect();
    let mut warnings: Vec<String> =
        staying.iter().filter_map(|path| hidden_by(path, &diff.base.local.keys().collect())).collect();
    let migrations: Vec<&str> = staying.into_iter().filter(|path| is_migration(path)).collect();
    if options.steps.migrate && !migrations.is_empty() {
        warnings.push(format!(
            "{} deleted locally but still on the host, so migrate uses {}. {} deletes what earlier deploys sent",
            match migrations.len() {
                1 => "1 migration is".to_owned(),
                number => format!("{} are", counted(number, "migration")),
            },
            first_few(migrations.iter().map(|&path| path.to_owned())),
            Setting::Delete
        ));
    }
    warnings
}

/// What to say if the package of which `path` is the beginning hides a module that is here.
fn hidden_by(path: &str, local: &BTreeSet<&String>) -> Option<String> {
    let package = path.strip_suffix("/__init__.py")?;
    let module = format!("{package}.py");
    local.contains(&module).then(|| {
        format!(
            "{module} has no effect on the host while the package {package}/ is there, which Python prefers: {} deletes \
             what earlier deploys sent",
            Setting::Delete
        )
    })
}

fn is_migration(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let name = parts.next().unwrap_or_default();
    let is_module = name.strip_suffix(".py").is_some_and(|name| name != "__init__");
    is_module && parts.next() == Some("migrations")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_the_modules_in_a_folder_of_that_name() {
        assert!(is_migration("app/migrations/0002_x.py") && is_migration("migrations/0001_initial.py"));
        for other in
            ["app/migrations/__init__.py", "app/migrations.py", "app/migrations/x.sql", "app/migrations/a/b.py"]
        {
            assert!(!is_migration(other), "{other}");
        }
    }

    #[test]
    fn a_package_hides_the_module_of_its_name() {
        let local = ["app/models.py".to_owned()];
        let local: BTreeSet<&String> = local.iter().collect();
        assert!(hidden_by("app/models/__init__.py", &local).unwrap().contains("app/models.py has no effect"));
        assert_eq!(hidden_by("app/models/x.py", &local), None);
        assert_eq!(hidden_by("app/views/__init__.py", &local), None);
    }
}
