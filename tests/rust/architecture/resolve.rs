//! Which module defines what a path names, through imports, re-exports and globs.
//!
//! A path whose first name is not in the module's scope begins with another crate, a type parameter or a local variable,
//! and resolves to nothing. What follows an item, such as a variant or an associated function, belongs to that item.

use std::collections::HashSet;

use super::modules::{Meaning, ModuleId, Tree};

/// What a path means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    Module(ModuleId),
    /// An item, by the module that defines it.
    Item(ModuleId),
}

/// The imports and globs that are being followed. One that leads back to itself names another crate: `use time::time`.
type Pending = HashSet<(ModuleId, String, usize)>;

impl Tree {
    /// Everything that a path in the module `from` may mean; nothing if it leads out of the crate.
    pub fn resolve(&self, from: ModuleId, path: &[String]) -> Vec<Target> {
        self.follow(from, path, &mut Pending::new())
    }

    fn follow(&self, from: ModuleId, path: &[String], pending: &mut Pending) -> Vec<Target> {
        let Some((first, rest)) = path.split_first() else { return Vec::new() };
        let mut reached = match first.as_str() {
            "crate" => vec![Target::Module(0)],
            "self" => vec![Target::Module(from)],
            "super" => vec![Target::Module(self.parent(from))],
            name => self.look_up(from, name, pending).unwrap_or_default(),
        };
        for name in rest {
            reached = self.step(&reached, name, pending);
        }
        reached
    }

    fn parent(&self, id: ModuleId) -> ModuleId {
        self.modules[id].parent.unwrap_or(id)
    }

    /// Goes one name further. A name in a module comes before one that belongs to an item, such as a variant.
    fn step(&self, reached: &[Target], name: &str, pending: &mut Pending) -> Vec<Target> {
        let mut further = Vec::new();
        let mut unknown = Vec::new();
        for target in reached {
            match *target {
                Target::Module(id) if name == "super" => further.push(Target::Module(self.parent(id))),
                Target::Module(id) => match self.look_up(id, name, pending) {
                    Some(found) => further.extend(found),
                    // Such as what a macro defines.
                    None => unknown.push(Target::Item(id)),
                },
                Target::Item(_) => {}
            }
        }
        let items = reached.iter().copied().filter(|target| matches!(target, Target::Item(_)));
        let best = [further, items.collect(), unknown].into_iter().find(|targets| !targets.is_empty());
        best.unwrap_or_default()
    }

    /// What a name in a module's scope means; `None` if it is not in scope.
    fn look_up(&self, id: ModuleId, name: &str, pending: &mut Pending) -> Option<Vec<Target>> {
        let module = &self.modules[id];
        let Some(meanings) = module.names.get(name) else {
            return self.look_up_in_globs(id, name, pending);
        };
        let mut found = Vec::new();
        for (index, meaning) in meanings.iter().enumerate() {
            match meaning {
                Meaning::Item(definer) => found.push(Target::Item(*definer)),
                Meaning::Module(child) => found.push(Target::Module(*child)),
                Meaning::Import(path) => {
                    let key = (id, name.to_owned(), index);
                    if pending.insert(key.clone()) {
                        found.extend(self.follow(id, path, pending));
                        pending.remove(&key);
                    }
                }
            }
        }
        // An item of another crate counts as defined by the module that imports it.
        Some(if found.is_empty() { vec![Target::Item(id)] } else { found })
    }

    fn look_up_in_globs(&self, id: ModuleId, name: &str, pending: &mut Pending) -> Option<Vec<Target>> {
        let globs = &self.modules[id].globs;
        globs.iter().enumerate().find_map(|(index, path)| {
            let key = (id, "*".to_owned(), index);
            if !pending.insert(key.clone()) {
                return None;
            }
            let modules = self.follow(id, path, pending);
            let found = modules.iter().find_map(|target| match *target {
                Target::Module(other) if other != id => self.look_up(other, name, pending),
                _ => None,
            });
            pending.remove(&key);
            found
        })
    }
}
