//! The module tree of a crate: the file of each module, and what the names in its scope mean.
//!
//! Built from `mod` declarations, as the compiler does, not from a listing of the folder. Conditions on features and
//! platforms are ignored, so the result is the same however the test is built. Test modules are left out.

use std::collections::{HashMap, HashSet};

use proc_macro2::TokenTree;
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, ItemUse, Meta, UseTree};

use super::sources::Sources;

/// The place of a module in [`Tree::modules`].
pub type ModuleId = usize;

/// Every module, except those that only tests compile.
pub struct Tree {
    /// The first one is the crate's root.
    pub modules: Vec<Module>,
    /// Files that only tests compile.
    pub test_files: HashSet<String>,
    /// The modules that define a `macro_rules!` of this name.
    pub macros: HashMap<String, Vec<ModuleId>>,
}

/// A file, or a `mod name { ... }` in one.
pub struct Module {
    pub file: String,
    pub parent: Option<ModuleId>,
    pub items: Vec<Item>,
    pub names: HashMap<String, Vec<Meaning>>,
    /// The modules of `use module::*`.
    pub globs: Vec<Vec<String>>,
    /// Whether its macros are its parent's too: `#[macro_use]`.
    pub lends_macros: bool,
    /// The folder of its child modules' files.
    folder: String,
}

/// What a name in a module's scope means. It may have several meanings, such as a module and a function.
pub enum Meaning {
    /// An item that this module defines.
    Item(ModuleId),
    Module(ModuleId),
    /// What this path leads to.
    Import(Vec<String>),
}

/// One name, or all names, that a `use` declaration brings in.
pub struct Import {
    pub path: Vec<String>,
    pub brings: Brings,
    pub line: usize,
}

pub enum Brings {
    Name(String),
    /// `use path as _`: a trait's methods.
    Nothing,
    Everything,
}

impl Tree {
    /// Parses the crate from `src/lib.rs` on.
    ///
    /// # Panics
    /// If a file is missing or cannot be parsed, or if a module has a `#[path]`.
    pub fn parse(sources: &Sources) -> Self {
        let mut tree = Self { modules: Vec::new(), test_files: HashSet::new(), macros: HashMap::new() };
        tree.add_file(sources, "src/lib.rs", None, "src".to_owned());
        tree
    }

    fn add_file(&mut self, sources: &Sources, file: &str, parent: Option<ModuleId>, folder: String) -> ModuleId {
        let text = sources.text(file).unwrap_or_else(|| panic!("{file} is missing"));
        let parsed = syn::parse_file(text).unwrap_or_else(|error| {
            panic!("{file}:{}: {error}", error.span().start().line);
        });
        self.add(sources, file, parent, folder, parsed.items)
    }

    fn add(
        &mut self,
        sources: &Sources,
        file: &str,
        parent: Option<ModuleId>,
        folder: String,
        mut items: Vec<Item>,
    ) -> ModuleId {
        let id = self.modules.len();
        items.retain(|item| match item {
            Item::Mod(module) if is_test(&module.attrs) => {
                self.test_files.extend(files_of(&folder, &module.ident));
                false
            }
            item => !is_test(attributes(item)),
        });
        let module = Module {
            file: file.to_owned(),
            parent,
            items: Vec::new(),
            names: HashMap::new(),
            globs: Vec::new(),
            lends_macros: false,
            folder,
        };
        self.modules.push(module);
        for item in &mut items {
            if let Item::Mod(module) = item {
                let child = self.add_child(sources, id, module);
                self.modules[child].lends_macros = has(&module.attrs, "macro_use");
                self.modules[id].mean(&module.ident, Meaning::Module(child));
            }
        }
        for item in &items {
            self.define(id, item);
        }
        self.modules[id].items = items;
        id
    }

    /// Adds the module that `mod` declares. The items of an inline module move to the module added for it.
    fn add_child(&mut self, sources: &Sources, parent: ModuleId, module: &mut syn::ItemMod) -> ModuleId {
        assert!(
            !has(&module.attrs, "path"),
            "#[path] is not supported: mod {} in {}",
            module.ident,
            self.modules[parent].file
        );
        let below = &self.modules[parent].folder;
        let folder = format!("{below}/{}", module.ident);
        if let Some((_, items)) = module.content.take() {
            let file = self.modules[parent].file.clone();
            return self.add(sources, &file, Some(parent), folder, items);
        }
        let [leaf, in_folder] = files_of(below, &module.ident);
        let file = [&leaf, &in_folder].into_iter().find(|file| sources.text(file).is_some());
        let file = file.unwrap_or_else(|| panic!("neither {leaf} nor {in_folder} is there")).clone();
        self.add_file(sources, &file, Some(parent), folder)
    }

    /// Adds the names that an item brings into the scope of the module `id`.
    fn define(&mut self, id: ModuleId, item: &Item) {
        match item {
            Item::Macro(definition) => {
                let Some(name) = &definition.ident else { return };
                self.macros.entry(name.to_string()).or_default().push(id);
                if has(&definition.attrs, "macro_export") {
                    self.modules[0].mean(name, Meaning::Item(id));
                }
            }
            item => {
                if let Some(name) = name_of(item) {
                    self.modules[id].mean(name, Meaning::Item(id));
                }
            }
        }
        Uses(&mut self.modules[id]).visit_item(item);
    }

    /// Whether `id` lies below `above`.
    pub fn is_below(&self, id: ModuleId, above: ModuleId) -> bool {
        std::iter::successors(self.modules[id].parent, |&parent| self.modules[parent].parent).any(|one| one == above)
    }
}

impl Module {
    fn mean(&mut self, name: &Ident, meaning: Meaning) {
        self.names.entry(name.to_string()).or_default().push(meaning);
    }
}

/// Collects `use` declarations. Those within functions count for the whole module, which can add a dependency that is not
/// there, but hides none.
struct Uses<'a>(&'a mut Module);

impl Visit<'_> for Uses<'_> {
    fn visit_item(&mut self, item: &Item) {
        if !is_test(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        for import in imports(item) {
            match import.brings {
                Brings::Name(name) => self.0.names.entry(name).or_default().push(Meaning::Import(import.path)),
                Brings::Everything => self.0.globs.push(import.path),
                Brings::Nothing => {}
            }
        }
    }
}

/// What a `use` declaration imports; nothing if it begins with `::`, which means another crate.
pub fn imports(item: &ItemUse) -> Vec<Import> {
    let mut found = Vec::new();
    if item.leading_colon.is_none() {
        flatten(&item.tree, &[], &mut found);
    }
    found
}

fn flatten(tree: &UseTree, before: &[String], found: &mut Vec<Import>) {
    let followed_by = |name: &Ident| match name.to_string() {
        // `use path::{self}`
        name if name == "self" && !before.is_empty() => before.to_vec(),
        name => [before, &[name]].concat(),
    };
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &followed_by(&path.ident), found),
        UseTree::Name(name) => {
            let path = followed_by(&name.ident);
            let brings = path.last().map_or(Brings::Nothing, |last| Brings::Name(last.clone()));
            found.push(Import { path, brings, line: name.ident.span().start().line });
        }
        UseTree::Rename(renamed) => {
            let brings = match renamed.rename.to_string() {
                name if name == "_" => Brings::Nothing,
                name => Brings::Name(name),
            };
            found.push(Import { path: followed_by(&renamed.ident), brings, line: renamed.ident.span().start().line });
        }
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            found.push(Import { path: before.to_vec(), brings: Brings::Everything, line });
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, found)),
    }
}

fn files_of(folder: &str, module: &Ident) -> [String; 2] {
    [format!("{folder}/{module}.rs"), format!("{folder}/{module}/mod.rs")]
}

fn name_of(item: &Item) -> Option<&Ident> {
    Some(match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    })
}

pub fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

/// Whether only tests compile what has these attributes: `cfg(test)`, also within `all`.
pub fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let mut tokens = list.tokens.clone().into_iter();
            match (tokens.next(), tokens.next()) {
                (Some(TokenTree::Ident(name)), None) => name == "test",
                (Some(TokenTree::Ident(name)), Some(TokenTree::Group(group))) if name == "all" => {
                    group.stream().into_iter().any(|token| matches!(token, TokenTree::Ident(name) if name == "test"))
                }
                _ => false,
            }
        }
        _ => false,
    })
}
