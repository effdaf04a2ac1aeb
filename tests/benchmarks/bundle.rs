//! Prints how many seconds it takes to pack all files below a folder into a bundle: one line of `make bench`.
//!
//! A program of its own, so that the extension module carries nothing for the benchmark.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ignore::WalkBuilder;
use pythonanywhere_api::host::{Bundle, Item};
use pythonanywhere_api::{Error, Result};

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|source| Error::Local { path: path.to_owned(), source })
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // Cargo adds `--bench`.
    let root = std::env::args().skip(1).find(|word| !word.starts_with('-')).ok_or("which folder?")?;
    let root = PathBuf::from(root);
    let start = Instant::now();
    let mut items = Vec::new();
    for entry in WalkBuilder::new(&root).standard_filters(false).build() {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() {
            let path = entry.path().strip_prefix(&root)?.to_string_lossy().into_owned();
            items.push(Item { path, local: entry.path().to_owned(), size: metadata.len() });
        }
    }
    Bundle::pack(&items, &read, |_| Ok(Vec::new()))?;
    println!("{}", start.elapsed().as_secs_f64());
    Ok(())
}
