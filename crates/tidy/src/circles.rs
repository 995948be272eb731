//! Circles of imports between the files of a crate: A uses B, and B uses A, directly or by way of others. A
//! file and the modules inside its folder may use each other, as one is the entrance to the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::modules::{Crate, Module};
use crate::tree::File;

/// Circle of imports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Circle {
    /// Paths of the files, in order.
    pub files: Vec<String>,
    /// Imports between them, in words.
    pub imports: Vec<String>,
}

/// Returns the circles of a crate.
pub fn circles(root: &str, files: &[File]) -> Vec<Circle> {
    let of = Crate::read(root, files);
    let edges: BTreeMap<&Module, Vec<&Module>> = of
        .imports
        .iter()
        .map(|(from, all)| (from, all.keys().filter(|to| !is_line(from, to)).collect()))
        .collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|from| (*from, reached(from, &edges))).collect();
    let mut circles = BTreeSet::new();
    for (from, far) in &reached {
        let circle: BTreeSet<&Module> =
            far.iter().filter(|to| reached[*to].contains(from)).copied().chain([*from]).collect();
        if circle.len() > 1 {
            circles.insert(described(&of, &circle));
        }
    }
    circles.into_iter().collect()
}

fn described(of: &Crate, circle: &BTreeSet<&Module>) -> Circle {
    let imports =
        circle.iter().flat_map(|from| of.imports[*from].iter().map(move |(to, path)| (from, to, path)));
    let inner = imports.filter(|(from, to, _)| circle.contains(to) && !is_line(from, to));
    let said = inner.map(|(from, to, path)| format!("{} uses {}: {path}", of.files[*from], of.files[to]));
    Circle { files: circle.iter().map(|module| of.files[*module].clone()).collect(), imports: said.collect() }
}

/// Returns the modules that imports lead to from one, however far.
fn reached<'a>(from: &Module, edges: &BTreeMap<&'a Module, Vec<&'a Module>>) -> BTreeSet<&'a Module> {
    let (mut found, mut open) = (BTreeSet::new(), edges.get(from).cloned().unwrap_or_default());
    while let Some(module) = open.pop() {
        if found.insert(module) {
            open.extend(edges.get(module).into_iter().flatten());
        }
    }
    found
}

/// Returns true if one module is inside the other.
fn is_line(a: &Module, b: &Module) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sources: &[(&str, &str)]) -> Vec<Vec<String>> {
        let files: Vec<File> = sources
            .iter()
            .map(|(path, text)| File { path: (*path).to_owned(), text: (*text).to_owned() })
            .collect();
        circles("src/lib.rs", &files).into_iter().map(|circle| circle.files).collect()
    }

    #[test]
    fn a_circle_is_found_through_folders_paths_and_what_is_passed_on() {
        let root = ("src/lib.rs", "mod a; mod b; pub use b::Thing;");
        let a = ("src/a.rs", "pub struct A; fn f() { crate::b::c::run(); }");
        let b = ("src/b/mod.rs", "mod c; pub use c::Thing;");
        let c = ("src/b/c.rs", "use crate::a::A; pub struct Thing; pub fn run() {}");
        assert_eq!(found(&[root, a, b, c]), [["src/a.rs", "src/b/c.rs"]]);
        // By the name that the root passes on, too.
        let a = ("src/a.rs", "use crate::Thing; pub struct A;");
        assert_eq!(found(&[root, a, b, c]), [["src/a.rs", "src/b/c.rs"]]);
        let longer = [
            ("src/lib.rs", "mod a; mod b; mod c;"),
            ("src/a.rs", "use super::b::B;"),
            ("src/b.rs", "use super::c::C;"),
            ("src/c.rs", "use super::a::A;"),
        ];
        assert_eq!(found(&longer), [["src/a.rs", "src/b.rs", "src/c.rs"]]);
    }

    #[test]
    fn what_is_no_circle_is_not_found() {
        let line = [
            ("src/lib.rs", "mod a; mod b; use crate::a::A;"),
            ("src/a.rs", "use crate::b::B; use crate::root; pub struct A;"),
            (
                "src/b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::A; } #[cfg(test)] use crate::a::A;",
            ),
        ];
        assert_eq!(found(&line), Vec::<Vec<String>>::new());
        let entrance = [
            ("src/lib.rs", "mod a;"),
            ("src/a/mod.rs", "mod b; use self::b::B; pub struct A;"),
            ("src/a/b.rs", "use super::A; pub struct B;"),
        ];
        assert_eq!(found(&entrance), Vec::<Vec<String>>::new());
    }
}
