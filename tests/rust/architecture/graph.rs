//! Which files name which others, and the cycles among them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::methods::Methods;
use super::modules::{ModuleId, Tree};
use super::paths::{Named, Place, paths};
use super::resolve::Target;
use super::sources::Sources;

/// Where one file names items of another: the line, and the path.
pub type Mentions = BTreeSet<(usize, String)>;

/// Files, and an edge from each to those it names.
pub struct Graph {
    pub edges: BTreeMap<String, BTreeMap<String, Mentions>>,
}

impl Graph {
    pub fn of(sources: &Sources) -> Self {
        Self::of_tree(&Tree::parse(sources))
    }

    pub fn of_tree(tree: &Tree) -> Self {
        let mut edges: BTreeMap<String, BTreeMap<String, Mentions>> = BTreeMap::new();
        let methods = Methods::of(tree);
        for (id, module) in tree.modules.iter().enumerate() {
            let from = edges.entry(module.file.clone()).or_default();
            for named in paths(module) {
                let method = methods.find(tree, id, &named.path);
                for id in tree.modules_named(id, &named).into_iter().chain(method) {
                    let file = &tree.modules[id].file;
                    if *file != module.file {
                        let mentions = from.entry(file.clone()).or_default();
                        mentions.insert((named.line, named.path.join("::")));
                    }
                }
            }
        }
        Self { edges }
    }

    /// Each edge: the file that names, the file that is named, and where.
    pub fn each(&self) -> impl Iterator<Item = (&str, &str, &Mentions)> {
        self.edges.iter().flat_map(|(from, targets)| {
            targets.iter().map(move |(to, mentions)| (from.as_str(), to.as_str(), mentions))
        })
    }

    /// The sets of files that depend on each other: strongly connected components, by Tarjan's algorithm.
    pub fn cycles(&self) -> Vec<BTreeSet<&str>> {
        let mut search =
            Search { graph: self, order: BTreeMap::new(), low: BTreeMap::new(), stack: vec![], found: vec![] };
        for file in self.edges.keys() {
            if !search.order.contains_key(file.as_str()) {
                search.visit(file);
            }
        }
        search.found.sort();
        search.found
    }

    /// The edges within a cycle, one a line.
    pub fn describe(&self, cycle: &BTreeSet<&str>) -> String {
        let mut text = String::new();
        for (from, to, mentions) in self.each().filter(|(from, to, _)| cycle.contains(from) && cycle.contains(to)) {
            writeln!(text, "  {}", edge(from, to, mentions)).unwrap();
        }
        text
    }
}

/// An edge in words, with the first place.
pub fn edge(from: &str, to: &str, mentions: &Mentions) -> String {
    let (line, first) = mentions.first().expect("an edge comes from somewhere");
    let more = if mentions.len() > 1 { format!(" and {} more", mentions.len() - 1) } else { String::new() };
    format!("{from}:{line} names {to} ({first}{more})")
}

impl Tree {
    /// The modules that define what is named.
    fn modules_named(&self, from: ModuleId, named: &Named) -> Vec<ModuleId> {
        let targets = match (named.place, named.path.as_slice()) {
            (Place::Macro, [name]) => match self.resolve(from, &named.path) {
                found if found.is_empty() => self.macro_named(from, name).into_iter().collect(),
                found => found,
            },
            _ => self.resolve(from, &named.path),
        };
        // Outside of imports, a single name is an item or a local variable.
        let may_be_module = matches!(named.place, Place::Import | Place::Reexport) || named.path.len() > 1;
        let defines = |target: &Target| match *target {
            // A folder's mod.rs declares and re-exports what is below it, and does not depend on it for that.
            Target::Module(id) | Target::Item(id) if named.place == Place::Reexport && self.is_below(id, from) => None,
            Target::Item(id) => Some(id),
            // A folder counts by what is used of it, a file as a whole.
            Target::Module(id) => (may_be_module && !self.has_files_below(id)).then_some(id),
        };
        targets.iter().filter_map(defines).collect()
    }

    fn has_files_below(&self, id: ModuleId) -> bool {
        let file = &self.modules[id].file;
        self.modules.iter().enumerate().any(|(child, module)| module.file != *file && self.is_below(child, id))
    }

    /// The `macro_rules!` of this name that is in scope, the nearest if there are several. It is in scope in the module
    /// that defines it and those below, and in the parent's of a module that is declared `#[macro_use]`.
    fn macro_named(&self, from: ModuleId, name: &str) -> Option<Target> {
        let outermost = |mut id: ModuleId| {
            while self.modules[id].lends_macros
                && let Some(parent) = self.modules[id].parent
            {
                id = parent;
            }
            id
        };
        let definers = self.macros.get(name)?;
        let seen = definers.iter().map(|&definer| (outermost(definer), definer));
        let seen = seen.filter(|&(scope, _)| scope == from || self.is_below(from, scope));
        // Of the modules that enclose this one, the innermost was added last.
        seen.max().map(|(_, definer)| Target::Item(definer))
    }
}

/// Tarjan's search: a file's `low` is the first file in the order of visits that is known to be in its cycle.
struct Search<'a> {
    graph: &'a Graph,
    order: BTreeMap<&'a str, usize>,
    low: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<BTreeSet<&'a str>>,
}

impl<'a> Search<'a> {
    fn visit(&mut self, file: &'a str) {
        let number = self.order.len();
        self.order.insert(file, number);
        self.low.insert(file, number);
        self.stack.push(file);
        let graph = self.graph;
        for next in graph.edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            let reached = match self.order.get(next.as_str()) {
                None => {
                    self.visit(next);
                    self.low[next.as_str()]
                }
                Some(&number) if self.stack.contains(&next.as_str()) => number,
                Some(_) => continue,
            };
            let low = self.low[file].min(reached);
            self.low.insert(file, low);
        }
        if self.low[file] == number {
            let begin = self.stack.iter().position(|one| *one == file).expect("pushed above");
            let cycle: BTreeSet<&str> = self.stack.drain(begin..).collect();
            if cycle.len() > 1 {
                self.found.push(cycle);
            }
        }
    }
}
