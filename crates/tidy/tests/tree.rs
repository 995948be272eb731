//! The repository keeps to its rules. Lists of known faults only become shorter.

use longhaul_tidy::circles::{Circle, circles};
use longhaul_tidy::comments::{left_to_do, too_wide, unnamed};
use longhaul_tidy::links::{broken_links, missing_files};
use longhaul_tidy::sizes::{full_folders, long_files, ratchet};
use longhaul_tidy::tree::{File, files, root};

/// Circles of imports that are left, by their first file and the number of files in each.
const CIRCLES: &[(&str, usize)] = &[
    ("crates/auth/src/auth.rs", 4),
    ("crates/client/src/body.rs", 8),
    ("crates/engine/src/action/command/process.rs", 2),
    ("crates/engine/src/action/mod.rs", 11),
    ("crates/engine/src/workers/abroad.rs", 2),
    ("crates/engine/src/workers/calls.rs", 2),
    ("crates/longhaul/src/cli/mod.rs", 4),
    ("crates/longhaul/src/original.rs", 2),
    ("crates/proof/src/followers.rs", 4),
    ("crates/server/src/api/ui/files.rs", 2),
    ("crates/simulation/src/look.rs", 3),
    ("crates/store/src/sqlite/answers.rs", 12),
    ("crates/server/src/openapi/mod.rs", 2),
];
/// Files that are too long.
const LONG: &[(&str, usize)] = &[
    ("crates/engine/src/workers/seen.rs", 488),
    ("crates/longhaul/tests/it/service.rs", 413),
    ("crates/model/src/command.rs", 513),
    ("crates/model/src/expr/functions.rs", 473),
    ("crates/model/src/record/mod.rs", 441),
    ("crates/model/src/task.rs", 528),
    ("crates/model/src/workflow/query.rs", 473),
    ("crates/model/tests/it/observer.rs", 539),
    ("crates/server/src/openapi/mod.rs", 534),
    ("crates/server/src/openapi/schemas.rs", 503),
    ("crates/server/src/request/body.rs", 438),
    ("crates/simulation/src/oracle.rs", 571),
    ("crates/simulation/src/writer.rs", 409),
    ("crates/store/src/conformance/lists.rs", 554),
    ("crates/store/src/postgres/store.rs", 542),
    ("crates/store/src/postgres/writer.rs", 432),
    ("crates/store/src/sqlite/batch.rs", 461),
    ("crates/store/src/sqlite/mod.rs", 621),
    ("crates/store/tests/postgres/main.rs", 403),
];
/// Folders with too many files.
const FULL: &[(&str, usize)] = &[
    ("crates/auth/src", 25),
    ("crates/client/src", 21),
    ("crates/crypto/src", 16),
    ("crates/engine/src", 27),
    ("crates/engine/src/workers", 17),
    ("crates/longhaul/src", 18),
    ("crates/longhaul/src/cli", 17),
    ("crates/longhaul/src/cmd", 24),
    ("crates/longhaul/tests/it", 33),
    ("crates/model/src", 22),
    ("crates/model/src/machine", 17),
    ("crates/proof/src/check", 16),
    ("crates/server/src", 26),
    ("crates/server/src/api/tasks", 22),
    ("crates/server/tests/it", 28),
    ("crates/simulation/src", 22),
    ("crates/store/src", 30),
    ("crates/store/src/conformance", 20),
    ("crates/store/src/postgres", 51),
    ("crates/store/src/sqlite", 40),
    ("crates/longhaul/src/cmd/task", 16),
    ("crates/store/tests/postgres", 16),
];
/// Number of doc comments of a crate that do not name their subject.
const UNNAMED: &[(&str, usize)] = &[];

fn rust() -> Vec<File> {
    files(&root(), &[".rs"])
}

/// Name of the crate that a file belongs to.
fn of_crate(path: &str) -> String {
    path.split('/').nth(1).unwrap_or(path).to_owned()
}

#[test]
fn no_circle_of_imports_is_new() {
    let all = rust();
    let is_root = |path: &str| {
        let mut parts = path.split('/');
        let of_crate = (parts.next(), parts.next(), parts.next());
        matches!(of_crate, (Some("crates"), Some(_), Some("src")))
            && matches!(parts.next(), Some("lib.rs" | "main.rs"))
    };
    let roots: Vec<&str> = all.iter().map(|file| file.path.as_str()).filter(|path| is_root(path)).collect();
    assert!(roots.len() >= 15, "{roots:?}");
    let found: Vec<Circle> = roots.iter().flat_map(|root| circles(root, &all)).collect();
    let named = found.iter().map(|circle| (circle.files[0].clone(), circle.files.len())).collect();
    let said = ratchet(&named, CIRCLES);
    assert!(said.is_empty() && std::env::var_os("SHOW_CIRCLES").is_none(), "{said:#?}\n{found:#?}");
}

#[test]
fn comments_fit_and_leave_nothing_to_do() {
    let all = rust();
    assert_eq!(too_wide(&all), Vec::<String>::new());
    let own: Vec<File> = all.into_iter().filter(|file| !file.path.starts_with("crates/tidy/")).collect();
    assert_eq!(left_to_do(&own), Vec::<String>::new());
}

#[test]
fn files_and_folders_do_not_grow() {
    let all = rust();
    let said = [ratchet(&long_files(&all), LONG), ratchet(&full_folders(&all), FULL)].concat();
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn documentation_names_its_subject() {
    let mut counts = std::collections::BTreeMap::new();
    for place in unnamed(&rust()) {
        *counts.entry(of_crate(&place)).or_default() += 1;
    }
    let said = ratchet(&counts, UNNAMED);
    assert!(said.is_empty(), "{said:#?}");
}

#[test]
fn what_pages_and_comments_name_is_there() {
    let root = root();
    let pages = files(&root, &[".md"]);
    assert!(pages.len() > 30, "{}", pages.len());
    assert_eq!(broken_links(&root, &pages), Vec::<String>::new());
    let own = rust().into_iter().filter(|file| !file.path.starts_with("crates/tidy/"));
    let all: Vec<File> = own.chain(pages).collect();
    assert_eq!(missing_files(&root, &all), Vec::<String>::new());
}
