//! Small crates that show what each kind of name leads to, and that the rules can fail.

use std::collections::BTreeSet;

use super::graph::Graph;
use super::layers::Folder;
use super::modules::Tree;
use super::sources::Sources;

fn graph(files: &[(&str, &str)]) -> Graph {
    Graph::of(&Sources::of(files))
}

/// The edges of a crate, written `from -> to` without `src/` and `.rs`.
fn edges(files: &[(&str, &str)]) -> BTreeSet<String> {
    let short = |path: &str| path.trim_start_matches("src/").trim_end_matches(".rs").to_owned();
    graph(files).each().map(|(from, to, _)| format!("{} -> {}", short(from), short(to))).collect()
}

/// The files that `code`, in `src/user.rs`, names in a crate with a file, a folder and re-exports.
fn named_by(code: &str) -> Vec<String> {
    let files = [
        ("lib.rs", "pub mod folder; mod leaf; mod user; pub use folder::Deep as Short;"),
        ("leaf.rs", "pub struct Leaf; pub fn leaf() {} pub mod inline { pub struct Inside; }"),
        ("user.rs", code),
        (
            "folder/mod.rs",
            "mod deep; mod same; pub use deep::{Deep, Other as Renamed}; pub use same::same; pub struct Own;",
        ),
        ("folder/deep.rs", "pub struct Deep; pub struct Other; pub enum Kind { One }"),
        ("folder/same.rs", "pub fn same() {} pub struct Same;"),
    ];
    let prefix = "user -> ";
    edges(&files).iter().filter_map(|edge| edge.strip_prefix(prefix)).map(str::to_owned).collect()
}

#[track_caller]
fn assert_names(code: &str, files: &[&str]) {
    assert_eq!(named_by(code), files, "{code}");
}

#[test]
fn a_path_leads_to_the_file_that_defines_its_item() {
    assert_names("use crate::leaf::Leaf;", &["leaf"]);
    assert_names("use super::leaf::Leaf;", &["leaf"]);
    assert_names("use crate::folder::Own;", &["folder/mod"]);
    assert_names("use crate::folder::deep::Kind::One;", &["folder/deep"]);
    assert_names("use crate::leaf::inline::Inside;", &["leaf"]);
    assert_names("use std::fmt; use serde::Serialize; use ::leaf::Leaf;", &[]);
}

#[test]
fn a_reexport_leads_to_what_it_names() {
    assert_names("use crate::folder::Deep;", &["folder/deep"]);
    assert_names("use crate::folder::Renamed;", &["folder/deep"]);
    assert_names("use crate::Short;", &["folder/deep"]);
    let chain = [
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::Last;"),
        ("b.rs", "pub(crate) use crate::c::*;"),
        ("c.rs", "pub(crate) use crate::d::First as Last;"),
        ("d.rs", "pub struct First;"),
    ];
    assert_eq!(edges(&chain), ["a -> d", "b -> c", "c -> d"].map(str::to_owned).into());
}

#[test]
fn what_reexports_and_what_is_defined_beside_it_are_told_apart() {
    // The function `same` is re-exported beside the module `same`.
    assert_names("fn f() { crate::folder::same(); }", &["folder/same"]);
    assert_names("fn f(_: crate::folder::same::Same) {}", &["folder/same"]);
}

#[test]
fn an_item_of_another_crate_is_of_the_module_that_reexports_it() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::Value; fn f(_: crate::b::log::Level) {}"),
        ("b.rs", "pub use serde_json::Value; pub use log;"),
    ];
    assert_eq!(edges(&files), ["a -> b".to_owned()].into());
}

#[test]
fn groups_globs_and_renames_of_imports_are_followed() {
    assert_names("use crate::{folder::{self, Deep as _}, leaf::Leaf as Tree};", &["folder/deep", "leaf"]);
    assert_names("use crate::leaf::*;", &["leaf"]);
    // Of a folder's glob, the names that are used count.
    assert_names("use crate::folder::*;", &[]);
    assert_names("use crate::folder::*; fn f(_: Own) {}", &["folder/mod"]);
    assert_names("use crate::folder::*; fn f(_: Vec<Renamed>) {}", &["folder/deep"]);
}

#[test]
fn an_imported_name_can_begin_a_path() {
    assert_names("use crate::folder; fn f() -> folder::Deep { todo!() }", &["folder/deep"]);
    assert_names("use crate::folder as other; fn f() { other::same(); }", &["folder/same"]);
    assert_names("use super::folder::{self as it}; fn f(_: it::Own) {}", &["folder/mod"]);
    assert_names("fn f() { use crate::folder; folder::same(); }", &["folder/same"]);
    // An imported file counts as a whole, a folder does not.
    assert_names("use crate::leaf;", &["leaf"]);
    assert_names("use crate::folder;", &[]);
}

#[test]
fn paths_in_types_expressions_patterns_and_attributes_count() {
    assert_names("struct S(Vec<Option<crate::leaf::Leaf>>);", &["leaf"]);
    assert_names("impl crate::Short { fn f(&self) {} }", &["folder/deep"]);
    assert_names("fn f() { <crate::leaf::Leaf as Clone>::clone(); }", &["leaf"]);
    assert_names("fn f(k: u8) { match k { crate::folder::deep::Kind::One => {} _ => {} } }", &["folder/deep"]);
    assert_names(
        "#[serde(with = \"crate::leaf\", default = \"super::folder::same\")] struct S;",
        &["folder/same", "leaf"],
    );
    assert_names("#[derive(crate::leaf::Leaf)] struct S;", &["leaf"]);
    assert_names("struct S { #[arg(value_parser = super::leaf::leaf)] s: u8 }", &["leaf"]);
}

#[test]
fn paths_in_macros_count() {
    assert_names("fn f() { format!(\"{}\", crate::leaf::leaf()); }", &["leaf"]);
    assert_names("fn f(x: u8) { matches!(x, super::folder::Deep { .. }); }", &["folder/deep"]);
    assert_names("fn f() { tokio::select! { x = a() => { self::super::leaf::leaf(); } } }", &["leaf"]);
    assert_names("use crate::folder; fn f() { json!({ \"a\": [folder::same()] }); }", &["folder/same"]);
    assert_names("macro_rules! m { () => { $crate::leaf::leaf() } }", &["leaf"]);
    assert_names("fn f() { vec![Vec::<crate::leaf::Leaf>::new()]; }", &["leaf"]);
    assert_names("fn f() { vec![::leaf::x(), other::crate_name::leaf(), \"crate::leaf::leaf\"]; }", &[]);
}

#[test]
fn a_macro_leads_to_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "#[macro_use] mod a; mod b; mod c; mod d;"),
        ("a.rs", "macro_rules! plain { () => {} } #[macro_export] macro_rules! exported { () => {} }"),
        ("b.rs", "fn f() { plain!(); }"),
        ("c.rs", "fn f() { crate::exported!(); }"),
        ("d.rs", "macro_rules! plain { () => {} } fn f() { plain!(); println!(); }"),
    ];
    assert_eq!(edges(&files), ["b -> a", "c -> a"].map(str::to_owned).into());
}

#[test]
fn nested_and_inline_modules_count_their_own_supers() {
    assert_names("mod inner { use super::super::leaf::Leaf; }", &["leaf"]);
    assert_names("struct Own; mod inner { use super::Own; }", &[]);
    assert_names("mod inner { pub struct Here; } fn f(_: self::inner::Here) {}", &[]);
    assert_names("use crate::leaf::Leaf; mod inner { fn f(_: super::Leaf) {} }", &["leaf"]);
}

#[test]
fn a_method_leads_to_the_impl_that_has_it() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
        ("a.rs", "pub struct Run; impl Run { fn start(&self) { self.go(); } fn here(&self) { self.start(); } }"),
        ("b.rs", "use crate::a::Run; impl Run { pub fn go(&self) { self.here(); Self::new(); } }"),
        ("c.rs", "impl crate::a::Run { pub fn new() {} }"),
        ("d.rs", "impl Trait for super::a::Run { fn f(&self) { vec![Self::new(), self.go()]; } }"),
        ("e.rs", "fn f() { crate::a::Run::go(); other.new(); }"),
    ];
    let expected = ["a -> b", "b -> a", "b -> c", "c -> a", "d -> a", "d -> b", "d -> c", "e -> a", "e -> b"];
    assert_eq!(edges(&files), expected.map(str::to_owned).into());
}

#[test]
fn comments_visibility_tests_and_local_names_do_not_count() {
    assert_names("//! See [`crate::leaf::Leaf`].\n/// And [`super::leaf`].\nstruct S; // crate::leaf", &[]);
    assert_names("pub(in crate::leaf) struct S; pub(super) struct T;", &[]);
    assert_names("#[cfg(test)] mod tests { use crate::leaf::Leaf; }", &[]);
    assert_names("#[cfg(test)] mod missing_file;", &[]);
    assert_names("#[cfg(all(test, unix))] use crate::leaf::Leaf;", &[]);
    assert_names("struct S; impl S { #[cfg(test)] fn f(_: crate::leaf::Leaf) {} }", &[]);
    assert_names("fn f(leaf: u8) { let folder = leaf; g(folder); }", &[]);
    assert_names("#[cfg(feature = \"test\")] use crate::leaf::Leaf;", &["leaf"]);
    assert_names("#[cfg(not(test))] use crate::leaf::Leaf;", &["leaf"]);
}

#[test]
fn declaring_and_reexporting_what_lies_below_is_no_edge() {
    let files = [
        ("lib.rs", "mod a; mod b;"),
        ("a/mod.rs", "mod child; pub use child::Child; pub use crate::b::B; pub struct Parent;"),
        ("a/child.rs", "use super::Parent; pub struct Child;"),
        ("b.rs", "pub struct B;"),
    ];
    assert_eq!(edges(&files), ["a/child -> a/mod", "a/mod -> b"].map(str::to_owned).into());
    let uses = [
        ("lib.rs", "mod a;"),
        ("a/mod.rs", "mod child; pub use child::C; fn f(_: C) {}"),
        ("a/child.rs", "pub struct C;"),
    ];
    assert_eq!(edges(&uses), ["a/mod -> a/child".to_owned()].into());
}

#[test]
fn imports_that_lead_in_a_cycle_end() {
    assert_names("use self::a::b; mod a { pub use super::b; } fn f() { b(); }", &[]);
    assert_names("use time::time; use user::*; fn f() { time(); g(); }", &[]);
}

#[test]
fn cycles_are_found_with_the_edges_that_form_them() {
    let graph = graph(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B;\npub struct A;"),
        ("b.rs", "use crate::c::C;\npub struct B;"),
        ("c.rs", "pub struct C;\nfn f() { crate::a::A; }"),
        ("d.rs", "use crate::a::A;"),
    ]);
    let cycles = graph.cycles();
    assert_eq!(cycles, [BTreeSet::from(["src/a.rs", "src/b.rs", "src/c.rs"])]);
    assert_eq!(
        graph.describe(&cycles[0]),
        "  src/a.rs:1 names src/b.rs (crate::b::B)\n  \
           src/b.rs:1 names src/c.rs (crate::c::C)\n  \
           src/c.rs:2 names src/a.rs (crate::a::A)\n"
    );
}

const TABLE: Folder = Folder {
    path: "src",
    layers: &[("top", "middle *.rs"), ("middle", "root.rs"), ("*.rs", "root.rs"), ("root.rs", "")],
};

#[test]
fn edges_against_the_layers_are_violations() {
    let violations = TABLE.violations(&graph(&[
        ("lib.rs", "mod middle; mod other; mod root; mod top; pub use top::Top;"),
        ("top/mod.rs", "use crate::middle::Middle; use crate::other::Other;\nuse crate::root::Root;\npub struct Top;"),
        ("middle/mod.rs", "mod file; pub struct Middle;"),
        ("middle/file.rs", "use super::Middle;\nfn f() { crate::Top; }"),
        ("other.rs", "use crate::root::Root; pub struct Other;"),
        ("root.rs", "use crate::middle;\npub struct Root(middle::Middle);"),
    ]));
    assert_eq!(
        violations,
        [
            "src/middle/file.rs:2 names src/top/mod.rs (crate::Top) (middle may not use top)",
            "src/root.rs:2 names src/middle/mod.rs (middle::Middle) (root.rs may not use middle)",
            "src/top/mod.rs:2 names src/root.rs (crate::root::Root) (top may not use root.rs)",
        ]
    );
}

#[test]
fn files_in_no_layer_and_layers_without_files_are_violations() {
    let violations = TABLE.violations(&graph(&[
        ("lib.rs", "mod extra; mod middle; mod root;"),
        ("extra/mod.rs", ""),
        ("middle/mod.rs", ""),
        ("root.rs", ""),
    ]));
    assert_eq!(
        violations,
        [
            "src/extra/mod.rs is in no layer of src",
            "the layer top of src has no file",
            "the layer *.rs of src has no file",
        ]
    );
}

#[test]
fn a_table_in_which_a_layer_may_use_a_higher_one_is_a_violation() {
    let table = Folder { path: "src", layers: &[("low", ""), ("high", "low")] };
    let violations =
        table.violations(&graph(&[("lib.rs", "mod high; mod low;"), ("high/mod.rs", ""), ("low/mod.rs", "")]));
    assert_eq!(violations, ["low is no layer of src below high"]);
}

#[test]
fn files_of_test_modules_are_known_and_not_read() {
    let files = [("lib.rs", "#[cfg(test)] mod testing; mod a;"), ("testing.rs", "not Rust"), ("a.rs", "")];
    let tree = Tree::parse(&Sources::of(&files));
    assert!(tree.test_files.contains("src/testing.rs"));
    assert_eq!(tree.modules.len(), 2);
}

#[test]
#[should_panic(expected = "neither src/gone.rs nor src/gone/mod.rs is there")]
fn a_missing_file_is_no_empty_module() {
    graph(&[("lib.rs", "mod gone;")]);
}
