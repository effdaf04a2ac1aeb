//! The rules, applied to this crate.

use std::path::Path;
use std::sync::LazyLock;

use super::graph::Graph;
use super::layers::LAYERS;
use super::modules::Tree;
use super::sources::Sources;

struct Analysis {
    graph: Graph,
    /// Source files that neither the crate nor its tests have as a module.
    unread: Vec<String>,
}

static CRATE: LazyLock<Analysis> = LazyLock::new(|| {
    let sources = Sources::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))).unwrap();
    let tree = Tree::parse(&sources);
    let graph = Graph::of_tree(&tree);
    let unread = sources.paths().filter(|path| !graph.edges.contains_key(*path) && !tree.test_files.contains(*path));
    Analysis { unread: unread.map(str::to_owned).collect(), graph }
});

#[test]
fn layers_name_only_layers_below() {
    let violations: Vec<String> = LAYERS.iter().flat_map(|folder| folder.violations(&CRATE.graph)).collect();
    assert!(
        violations.is_empty(),
        "\n{}\n\nThe layers are listed in tests/rust/architecture/layers.rs.\n",
        violations.join("\n")
    );
}

#[test]
fn files_form_no_cycle() {
    let cycles = CRATE.graph.cycles();
    let described: Vec<String> = cycles
        .iter()
        .map(|cycle| format!("{} files form a cycle:\n{}", cycle.len(), CRATE.graph.describe(cycle)))
        .collect();
    assert!(described.is_empty(), "\n{}\n", described.join("\n"));
}

/// A file that was not read would pass every rule.
#[test]
fn every_source_file_is_read() {
    assert!(CRATE.unread.is_empty(), "no `mod` declares {:?}", CRATE.unread);
}
