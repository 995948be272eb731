//! Modules of a crate, and the imports between their files.
//!
//! A module that stands in a file of its own is a node; modules inside a file belong to it. An import is a
//! path that begins with `crate`, `self` or `super`, in a `use` or anywhere else in the code, and leads to an
//! item of another file; where a module passes an item on (`pub use`), the import leads to the item's own
//! file. Tests (`#[cfg(test)]`) and the insides of macro calls do not count.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemUse, UseTree, Visibility};

use crate::tree::File;

/// Path of a module from the root of its crate; empty for the root.
pub(crate) type Module = Vec<String>;

/// Files of a crate by the module that each is, and the imports between them.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    pub(crate) files: BTreeMap<Module, String>,
    /// Of each file the files that it imports from, each with one path that leads there.
    pub(crate) imports: BTreeMap<Module, BTreeMap<Module, String>>,
}

/// File while the crate is read.
struct Source {
    path: String,
    syntax: syn::File,
}

impl Crate {
    /// Reads a crate from its root file; `files` has at least its sources. Files that do not parse are left
    /// out: the compiler says so.
    pub(crate) fn read(root: &str, files: &[File]) -> Crate {
        let by_path: BTreeMap<&str, &File> = files.iter().map(|file| (file.path.as_str(), file)).collect();
        let mut sources: BTreeMap<Module, Source> = BTreeMap::new();
        let mut open = vec![(Module::new(), root.to_owned())];
        while let Some((module, path)) = open.pop() {
            let Some(file) = by_path.get(path.as_str()) else { continue };
            let Ok(syntax) = syn::parse_file(&file.text) else { continue };
            open.extend(declared(&module, &path, &syntax.items, &by_path));
            sources.insert(module, Source { path, syntax });
        }
        let passed_on = passed_on(&sources);
        let mut imports = BTreeMap::new();
        for (module, source) in &sources {
            let mut paths = Paths { module, inner: Vec::new(), found: BTreeSet::new() };
            paths.visit_file(&source.syntax);
            let leads = |path: &Vec<String>| Some((home(path, &sources, &passed_on, 0)?, path.join("::")));
            let all = paths.found.iter().filter_map(leads).filter(|(to, _)| to != module).collect();
            imports.insert(module.clone(), all);
        }
        let files = sources.into_iter().map(|(module, source)| (module, source.path)).collect();
        Crate { files, imports }
    }
}

/// Returns the modules that items declare and that are files of their own.
fn declared(
    module: &Module,
    path: &str,
    items: &[Item],
    files: &BTreeMap<&str, &File>,
) -> Vec<(Module, String)> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let is_root = module.is_empty() || name == "mod.rs";
    let base = if is_root { folder.to_owned() } else { format!("{folder}/{}", name.trim_end_matches(".rs")) };
    let mut all = Vec::new();
    for item in items {
        let Item::Mod(item) = item else { continue };
        if item.content.is_some() || is_test(&item.attrs) {
            continue;
        }
        let name = item.ident.to_string();
        let places = [format!("{base}/{name}.rs"), format!("{base}/{name}/mod.rs")];
        let place = places.into_iter().find(|place| files.contains_key(place.as_str()));
        let mut inner = module.clone();
        inner.push(name);
        all.extend(place.map(|place| (inner, place)));
    }
    all
}

fn is_test(attributes: &[Attribute]) -> bool {
    let is_one = |attribute: &Attribute| {
        let mut found = false;
        if attribute.path().is_ident("cfg") {
            // A list that cannot be read has no `test` in it.
            let _ = attribute.parse_nested_meta(|meta| {
                found |= meta.path.is_ident("test");
                Ok(())
            });
        }
        found || attribute.path().is_ident("test")
    };
    attributes.iter().any(is_one)
}

/// Returns the items that each module passes on under a name, with the path that each leads to.
fn passed_on(sources: &BTreeMap<Module, Source>) -> BTreeMap<(Module, String), Vec<String>> {
    let mut all = BTreeMap::new();
    for (module, source) in sources {
        for item in &source.syntax.items {
            let Item::Use(item) = item else { continue };
            if matches!(item.vis, Visibility::Inherited) || is_test(&item.attrs) {
                continue;
            }
            for (path, name) in leaves(item) {
                // In a `pub use` of the module's own child, the child is named without `self`.
                let own = path.first().is_some_and(|first| {
                    let child = [module.clone(), vec![first.clone()]].concat();
                    sources.contains_key(&child)
                });
                let path = if own { [vec!["self".to_owned()], path].concat() } else { path };
                all.extend(absolute(module, &path).map(|path| ((module.clone(), name), path)));
            }
        }
    }
    all
}

/// Returns the paths that a `use` names, each with the name that it gives.
fn leaves(item: &ItemUse) -> Vec<(Vec<String>, String)> {
    fn walk(tree: &UseTree, before: &[String], all: &mut Vec<(Vec<String>, String)>) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => walk(&path.tree, &with(path.ident.to_string()), all),
            UseTree::Name(name) if name.ident == "self" => {
                all.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
            }
            UseTree::Name(name) => all.push((with(name.ident.to_string()), name.ident.to_string())),
            UseTree::Rename(name) => all.push((with(name.ident.to_string()), name.rename.to_string())),
            UseTree::Glob(_) => all.push((before.to_vec(), "*".to_owned())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, before, all)),
        }
    }
    let mut all = Vec::new();
    walk(&item.tree, &[], &mut all);
    all
}

/// Returns a path from the root of the crate, for one that begins with `crate`, `self` or `super`.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let (first, mut rest) = path.split_first()?;
    let mut from: &[String] = match first.as_str() {
        "crate" => &[],
        "self" => module,
        "super" => module.split_last()?.1,
        _ => return None,
    };
    while let Some((next, after)) = rest.split_first().filter(|(next, _)| *next == "super") {
        let _ = next;
        (from, rest) = (from.split_last()?.1, after);
    }
    Some([from, rest].concat())
}

/// Returns the module of the file that a path leads to.
fn home(
    path: &[String],
    sources: &BTreeMap<Module, Source>,
    passed_on: &BTreeMap<(Module, String), Vec<String>>,
    depth: usize,
) -> Option<Module> {
    let length = (0..=path.len()).rev().find(|length| sources.contains_key(&path[..*length]))?;
    let (module, rest) = path.split_at(length);
    let next = rest.first().and_then(|name| passed_on.get(&(module.to_vec(), name.clone())));
    match next {
        // What passes on is passed on in turn, in few steps.
        Some(next) if depth < 8 && next != path => {
            let further = [&next[..], &rest[1..]].concat();
            home(&further, sources, passed_on, depth + 1)
        }
        _ => Some(module.to_vec()),
    }
}

/// Collector of the paths in a file.
struct Paths<'a> {
    module: &'a Module,
    /// Modules inside the file that are being visited.
    inner: Vec<String>,
    found: BTreeSet<Vec<String>>,
}

impl Paths<'_> {
    fn add(&mut self, path: &[String]) {
        let here = [self.module.as_slice(), &self.inner].concat();
        self.found.extend(absolute(&here, path));
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Mod(item) => &item.attrs,
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.inner.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.inner.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        // What is only passed on is no import of the file that passes it on.
        if matches!(item.vis, Visibility::Inherited) {
            leaves(item).iter().for_each(|(path, _)| self.add(path));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 {
            self.add(&names);
        }
        visit::visit_path(self, path);
    }
}
