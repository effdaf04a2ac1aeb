//! The graph in print: files and lines per folder, every edge, every cycle, and what breaks the layers.
//!
//! `cargo test --no-default-features architecture -- --ignored --nocapture` prints it; for another checkout, set
//! `PYTHONANYWHERE_SOURCE_ROOT` to that one's `src` folder.

use std::env;
use std::fmt::Write;
use std::path::PathBuf;

use super::graph::{Graph, edge};
use super::layers::LAYERS;
use super::sources::Sources;

#[test]
#[ignore = "prints the graph and checks nothing"]
fn prints_the_graph() {
    let folder = env::var_os("PYTHONANYWHERE_SOURCE_ROOT")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), PathBuf::from);
    println!("{}", report(&Sources::read(&folder).unwrap()).unwrap());
}

fn report(sources: &Sources) -> Result<String, std::fmt::Error> {
    let graph = Graph::of(sources);
    let mut text = String::new();
    writeln!(text, "\nfiles  lines  folder")?;
    for (folder, (files, lines)) in sources.lines_per_folder() {
        writeln!(text, "{files:5}  {lines:5}  {folder}")?;
    }
    writeln!(text, "\nedges: {}", graph.each().count())?;
    for (from, to, mentions) in graph.each() {
        writeln!(text, "  {}", edge(from, to, mentions))?;
    }
    let cycles = graph.cycles();
    writeln!(text, "\ncycles: {}", cycles.len())?;
    for cycle in &cycles {
        writeln!(text, "{} files:\n{}", cycle.len(), graph.describe(cycle))?;
    }
    let violations: Vec<String> = LAYERS.iter().flat_map(|folder| folder.violations(&graph)).collect();
    writeln!(text, "violations of the layers: {}", violations.len())?;
    for violation in violations {
        writeln!(text, "  {violation}")?;
    }
    Ok(text)
}
