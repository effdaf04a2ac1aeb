//! Where the environment file of a project is: `.env`.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::platform::canonical;
use crate::setting::Setting;

/// What a project's environment file is called.
const NAME: &str = ".env";

/// The environment file of the project at `root`, a path without links, if it has one: there, or in a folder on the way to
/// `folder`, where its code or its settings are. Libraries look beside the settings.
///
/// # Errors
/// `Config` if it lies outside the project, as behind a link: what it has may be for another one.
pub fn find(root: &Path, folder: &Path) -> Result<Option<PathBuf>> {
    let mut folders: Vec<&Path> = folder.ancestors().take_while(|place| place.starts_with(root)).collect();
    folders.reverse();
    let files = folders.into_iter().map(|place| place.join(NAME));
    let Some(file) = files.into_iter().find(|file| file.is_file()) else { return Ok(None) };
    let target = canonical(&file).map_err(|source| Error::Local { path: file.clone(), source })?;
    if !target.starts_with(root) {
        return Err(Error::config(format!(
            "{} leads out of the project, to {}: if the web app is to have its variables, name it ({})",
            file.display(),
            target.display(),
            Setting::EnvFile
        )));
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_file_on_the_way_to_the_settings_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let root = canonical(folder.path()).unwrap();
        let settings = root.join("web/mysite");
        std::fs::create_dir_all(&settings).unwrap();
        assert_eq!(find(&root, &settings).unwrap(), None);
        for place in [&settings, &root.join("web"), &root] {
            std::fs::write(place.join(NAME), "A=1\n").unwrap();
            assert_eq!(find(&root, &settings).unwrap(), Some(place.join(NAME)));
        }
        // One above the project is another's.
        assert_eq!(find(&settings, &settings).unwrap(), Some(settings.join(NAME)));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_project_is_refused_and_one_inside_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let root = canonical(folder.path()).unwrap().join("project");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("inside"), "A=1\n").unwrap();
        std::os::unix::fs::symlink("inside", root.join(NAME)).unwrap();
        assert_eq!(find(&root, &root).unwrap(), Some(root.join(NAME)));
        std::fs::write(root.with_file_name("other"), "A=s3cret\n").unwrap();
        std::fs::remove_file(root.join(NAME)).unwrap();
        std::os::unix::fs::symlink("../other", root.join(NAME)).unwrap();
        let error = find(&root, &root).unwrap_err().to_string();
        assert!(error.contains("other") && error.contains("env_file=") && !error.contains("s3cret"), "{error}");
    }
}
