//! Which file has a method: the `impl` of a type may be in another file than the type.

use std::collections::HashMap;

use syn::{ImplItem, Item};

use super::modules::{ModuleId, Tree};
use super::paths::type_of;
use super::resolve::Target;

/// The module whose `impl` has a method. The key is the type (where it is defined, and its name) and the method's name.
pub struct Methods(HashMap<(Target, String, String), ModuleId>);

impl Methods {
    pub fn of(tree: &Tree) -> Self {
        let mut methods = HashMap::new();
        for (id, module) in tree.modules.iter().enumerate() {
            for (path, method) in module.items.iter().flat_map(methods_of) {
                for target in tree.resolve(id, &path) {
                    methods.insert((target, path[path.len() - 1].clone(), method.clone()), id);
                }
            }
        }
        Self(methods)
    }

    /// The module that has the method `path`, if that ends with the names of a type and one of its methods.
    pub fn find(&self, tree: &Tree, from: ModuleId, path: &[String]) -> Option<ModuleId> {
        let (name, path) = path.split_last()?;
        let type_name = path.last()?;
        let targets = tree.resolve(from, path);
        targets.into_iter().find_map(|target| self.0.get(&(target, type_name.clone(), name.clone())).copied())
    }
}

/// The methods of an `impl` without a trait, each with the path of the type.
fn methods_of(item: &Item) -> Vec<(Vec<String>, String)> {
    let Item::Impl(item) = item else { return Vec::new() };
    let (None, Some(path)) = (&item.trait_, type_of(item)) else { return Vec::new() };
    let names = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(method) => Some(method.sig.ident.to_string()),
        _ => None,
    });
    names.map(|name| (path.clone(), name)).collect()
}
