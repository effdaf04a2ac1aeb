//! The layers of the crate as tables, and what breaks them.

use super::graph::{Graph, edge};

/// A folder whose subfolders are layers.
///
/// A file directly in it belongs to the row with its name, or else to the row [`FILES`]. The folder's `mod.rs` or
/// `lib.rs` is in no layer, since it declares all of them.
pub struct Folder<'a> {
    pub path: &'a str,
    /// From top to bottom, each layer and the ones that it may name. What is outside the folder is not in question here.
    pub layers: &'a [(&'a str, &'a str)],
}

/// The layer of the files directly in a folder.
const FILES: &str = "*.rs";

/// The layers of this crate.
pub const LAYERS: &[Folder] = &[
    Folder {
        path: "src",
        layers: &[
            (
                "python",
                "cli doctor emulator webfaction launch project_table deploy host dropin finder api client *.rs platform",
            ),
            (
                "cli",
                "doctor emulator webfaction launch project_table deploy host finder api login client *.rs platform",
            ),
            ("doctor", "deploy host finder api client *.rs platform"),
            ("emulator", "*.rs platform"),
            ("webfaction", "client *.rs platform"),
            ("launch", "project_table deploy host finder api client *.rs platform"),
            ("project_table", "deploy client *.rs platform"),
            ("deploy", "host finder api client *.rs platform"),
            ("host", "finder api client *.rs platform"),
            ("dropin", "client *.rs platform"),
            ("finder", "api client *.rs platform"),
            ("api", "client *.rs platform"),
            ("login", "client *.rs platform"),
            ("client", "*.rs platform"),
            ("*.rs", "platform"),
            ("platform", ""),
        ],
    },
    Folder {
        path: "src/launch",
        layers: &[
            ("sequence.rs", "website.rs prepare.rs steps generated detect *.rs"),
            ("website.rs", "prepare.rs steps generated detect *.rs"),
            ("prepare.rs", "steps generated detect *.rs"),
            ("steps", "generated detect *.rs"),
            ("*.rs", "generated detect"),
            ("generated", "detect"),
            ("detect", ""),
        ],
    },
    Folder {
        path: "src/deploy",
        layers: &[
            ("apply", "operations plan diff selection state *.rs"),
            ("operations", "plan diff selection state *.rs"),
            ("plan", "diff selection state *.rs"),
            ("diff", "selection state *.rs"),
            ("selection", "state *.rs"),
            ("state", "*.rs"),
            ("*.rs", ""),
        ],
    },
];

impl Folder<'_> {
    /// The layer of a file; `None` if the file is outside the folder or declares its layers.
    fn layer_of<'f>(&self, file: &'f str) -> Option<&'f str> {
        let below = file.strip_prefix(self.path)?.strip_prefix('/')?;
        match below.split_once('/') {
            Some((layer, _)) => Some(layer),
            None if below == "mod.rs" || below == "lib.rs" => None,
            None if self.layers.iter().any(|(layer, _)| *layer == below) => Some(below),
            None => Some(FILES),
        }
    }

    /// Everything that breaks this table: edges that it does not allow, and places where it does not fit the files, so
    /// that it cannot grow stale unnoticed.
    pub fn violations(&self, graph: &Graph) -> Vec<String> {
        let mut violations = self.misfits(graph);
        for (from, to, mentions) in graph.each() {
            let (Some(layer), Some(named)) = (self.layer_of(from), self.layer_of(to)) else { continue };
            let allowed = self.layers.iter().find(|(name, _)| *name == layer).map_or("", |(_, allowed)| allowed);
            if layer != named && !allowed.split(' ').any(|name| name == named) {
                violations.push(format!("{} ({layer} may not use {named})", edge(from, to, mentions)));
            }
        }
        violations
    }

    fn misfits(&self, graph: &Graph) -> Vec<String> {
        let mut misfits = Vec::new();
        for file in graph.edges.keys() {
            if let Some(layer) = self.layer_of(file)
                && !self.layers.iter().any(|(name, _)| *name == layer)
            {
                misfits.push(format!("{file} is in no layer of {}", self.path));
            }
        }
        for (row, (layer, allowed)) in self.layers.iter().enumerate() {
            if !graph.edges.keys().any(|file| self.layer_of(file) == Some(layer)) {
                misfits.push(format!("the layer {layer} of {} has no file", self.path));
            }
            let below = &self.layers[row + 1..];
            for name in allowed.split_whitespace().filter(|name| !below.iter().any(|(layer, _)| layer == name)) {
                misfits.push(format!("{name} is no layer of {} below {layer}", self.path));
            }
        }
        misfits
    }
}
