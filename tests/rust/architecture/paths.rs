//! The paths in a module's code: in `use` declarations, types, expressions, patterns, attributes and macros.
//!
//! The arguments of a macro need not be Rust, so they are read as tokens: names joined by `::` are a path there. A call
//! `self.method()` counts as the path `Self::method`. Comments, visibilities such as `pub(in path)`, and code that only
//! tests compile do not count.

use std::mem;

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Arm, Attribute, Expr, ExprMethodCall, Field, FieldValue, ImplItem, Item, ItemImpl, ItemMacro, ItemUse, Local,
    Macro, Meta, Path, StmtMacro, TraitItem, Type, Variant, VisRestricted, Visibility,
};

use super::modules::{Module, attributes, imports, is_test};

/// A path, and where it is written.
pub struct Named {
    pub path: Vec<String>,
    pub line: usize,
    pub place: Place,
}

/// What a path is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A `use` declaration that is private to the module.
    Import,
    /// A `use` declaration with a visibility.
    Reexport,
    /// The name of a macro in a call.
    Macro,
    /// Anything else.
    Code,
}

/// Every path in the module, without its child modules.
pub fn paths(module: &Module) -> Vec<Named> {
    let mut finder = Finder { found: Vec::new(), own_type: None };
    module.items.iter().for_each(|item| finder.visit_item(item));
    finder.found
}

/// The names of a path.
pub fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// The path of the type that an `impl` is for, if it has one.
pub fn type_of(item: &ItemImpl) -> Option<Vec<String>> {
    match &*item.self_ty {
        Type::Path(path) if path.qself.is_none() && path.path.leading_colon.is_none() => Some(names(&path.path)),
        _ => None,
    }
}

struct Finder {
    found: Vec<Named>,
    /// What `Self` means in the `impl` that is being visited.
    own_type: Option<Vec<String>>,
}

impl Finder {
    fn add(&mut self, path: &Path, place: Place) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            self.add_names(names(path), first.ident.span(), place);
        }
    }

    fn add_names(&mut self, mut path: Vec<String>, span: Span, place: Place) {
        if path[0] == "Self"
            && let Some(own_type) = &self.own_type
        {
            path.splice(..1, own_type.iter().cloned());
        }
        self.found.push(Named { path, line: span.start().line, place });
    }

    /// A call of a method on `self`.
    fn add_method(&mut self, name: &str, span: Span) {
        self.add_names(vec!["Self".to_owned(), name.to_owned()], span, Place::Code);
    }

    /// Finds paths among tokens: names, alone or joined by `::`, and calls of methods on `self`.
    fn scan(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Group(group) => self.scan(group.stream()),
                TokenTree::Ident(first) if first == "self" && is_method_call(&tokens[at + 1..]) => {
                    self.add_method(&tokens[at + 2].to_string(), first.span());
                }
                TokenTree::Ident(first) => {
                    let continues = joined(&tokens[..at]);
                    let mut path = vec![first.to_string()];
                    while let Some(TokenTree::Ident(next)) = tokens.get(at + 3)
                        && joined(&tokens[..at + 3])
                    {
                        path.push(next.to_string());
                        at += 3;
                    }
                    // Before such a `::` there is nothing, for another crate, or the `>` of a path that was seen.
                    if !continues {
                        self.add_names(path, first.span(), Place::Code);
                    }
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    /// Finds paths in the strings of an attribute, as in `#[serde(with = "path::to")]`.
    fn scan_strings(&mut self, tokens: TokenStream) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => self.scan_strings(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = syn::parse_str::<syn::LitStr>(&literal.to_string());
                    let path = text.and_then(|text| text.parse_with(Path::parse_mod_style));
                    if let Ok(path) = path
                        && path.segments.len() > 1
                        && path.leading_colon.is_none()
                    {
                        self.add_names(names(&path), literal.span(), Place::Code);
                    }
                }
                TokenTree::Ident(_) | TokenTree::Punct(_) => {}
            }
        }
    }
}

/// Whether these tokens end with `::`.
fn joined(before: &[TokenTree]) -> bool {
    matches!(before, [.., TokenTree::Punct(first), TokenTree::Punct(second)]
        if first.as_char() == ':' && first.spacing() == Spacing::Joint && second.as_char() == ':')
}

/// Whether these tokens, which follow a name, begin with a call of one of its methods.
fn is_method_call(after: &[TokenTree]) -> bool {
    matches!(after, [TokenTree::Punct(dot), TokenTree::Ident(_), TokenTree::Group(arguments), ..]
        if dot.as_char() == '.' && arguments.delimiter() == Delimiter::Parenthesis)
}

/// Methods of a visitor that pass over what only tests compile.
macro_rules! skip_tests {
    ($($visit:ident: $node:ty => $attributes:expr;)*) => {
        $(fn $visit(&mut self, node: &'ast $node) {
            let attributes: fn(&$node) -> &[Attribute] = $attributes;
            if !is_test(attributes(node)) {
                visit::$visit(self, node);
            }
        })*
    };
}

impl<'ast> Visit<'ast> for Finder {
    skip_tests! {
        visit_item: Item => attributes;
        visit_impl_item: ImplItem => |node| match node {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        visit_trait_item: TraitItem => |node| match node {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            _ => &[],
        };
        visit_arm: Arm => |node| &node.attrs;
        visit_field: Field => |node| &node.attrs;
        visit_field_value: FieldValue => |node| &node.attrs;
        visit_local: Local => |node| &node.attrs;
        visit_stmt_macro: StmtMacro => |node| &node.attrs;
        visit_variant: Variant => |node| &node.attrs;
    }

    fn visit_path(&mut self, path: &'ast Path) {
        self.add(path, Place::Code);
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let place = if matches!(item.vis, Visibility::Inherited) { Place::Import } else { Place::Reexport };
        self.found.extend(imports(item).into_iter().map(|import| Named {
            path: import.path,
            line: import.line,
            place,
        }));
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let outer = mem::replace(&mut self.own_type, type_of(item));
        visit::visit_item_impl(self, item);
        self.own_type = outer;
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        if matches!(&*call.receiver, Expr::Path(receiver) if receiver.path.is_ident("self")) {
            self.add_method(&call.method.to_string(), call.method.span());
        }
        visit::visit_expr_method_call(self, call);
    }

    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_item_macro(&mut self, item: &'ast ItemMacro) {
        if item.ident.is_some() {
            self.scan(item.mac.tokens.clone());
        } else {
            visit::visit_item_macro(self, item);
        }
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add(&call.path, Place::Macro);
        self.scan(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        match &attribute.meta {
            Meta::List(list) => {
                self.scan(list.tokens.clone());
                self.scan_strings(list.tokens.clone());
            }
            Meta::NameValue(pair) if !pair.path.is_ident("doc") => self.visit_expr(&pair.value),
            Meta::NameValue(_) | Meta::Path(_) => {}
        }
    }
}
