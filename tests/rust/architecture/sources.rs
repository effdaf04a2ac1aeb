//! The source files of a crate as text, read from a folder or given by a test.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// The text of each file, by its path, which begins with `src/` and has slashes on every system.
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Reads every `.rs` file below `folder`, the crate's `src`.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        read_folder(folder, "src", &mut files)?;
        Ok(Self(files))
    }

    /// A crate given as pairs of a path below `src/` and the file's text.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| (format!("src/{path}"), (*text).to_owned())).collect())
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The number of files directly in each folder, and of their lines.
    pub fn lines_per_folder(&self) -> BTreeMap<&str, (usize, usize)> {
        let mut folders = BTreeMap::new();
        for (path, text) in &self.0 {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let (files, lines): &mut (usize, usize) = folders.entry(folder).or_default();
            *files += 1;
            *lines += text.lines().count();
        }
        folders
    }
}

fn read_folder(folder: &Path, name: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &path, files)?;
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.insert(path, fs::read_to_string(entry.path())?);
        }
    }
    Ok(())
}
