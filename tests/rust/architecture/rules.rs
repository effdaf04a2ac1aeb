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

/// What differs between systems is in `src/platform/`. But the keyring is another program on each, behind one interface in
/// one file; and the emulator is left out as a whole where there is no Unix: the lines that leave it out name it.
#[test]
fn only_one_folder_knows_which_system_this_is() {
    const CONDITIONS: [&str; 7] =
        ["cfg(unix", "not(unix", "cfg!(unix", "cfg(windows", "cfg!(windows", "target_os", "rustix::"];
    let sources = Sources::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))).unwrap();
    let mut found = Vec::new();
    for path in sources.paths() {
        if ["src/platform/", "src/emulator/", "src/login/keyring.rs"].iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let text = sources.text(path).unwrap();
        // Tests make links and the like, and stand last.
        let code = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|start| text.find(start)).min();
        let lines: Vec<&str> = text[..code.unwrap_or(text.len())].lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let is_condition =
                CONDITIONS.iter().chain(&["std::os::unix", "std::os::windows"]).any(|one| line.contains(one));
            let leaves_out_emulator = || {
                lines[number + 1..].iter().take(2).any(|next| next.contains("emulator") || next.contains("mod demo"))
            };
            if is_condition && !leaves_out_emulator() {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}\n\nAsk src/platform instead.\n", found.join("\n"));
}
