//! Files of the repository and sections of pages that pages and comments name: all of them are there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tree::File;

/// Folders of the repository that a text may name a file of.
const FOLDERS: [&str; 10] = [
    "crates/",
    "docs/",
    "scripts/",
    "web/",
    "deploy/",
    "clients/",
    "tests/",
    "workflows/",
    "fuzz/",
    "openapi/",
];

/// Returns the links of Markdown pages that lead nowhere, each as `page: target`.
pub fn broken_links(root: &Path, pages: &[File]) -> Vec<String> {
    let mut broken = Vec::new();
    for page in pages {
        let folder = page.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for target in targets(&prose(&page.text)) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let text = match path {
                "" => Some(page.text.clone()),
                path => text_of(&root.join(folder).join(path)),
            };
            let is_there = text.is_some_and(|text| anchor.is_empty() || anchors(&text).contains(anchor));
            if !is_there {
                broken.push(format!("{}: {target}", page.path));
            }
        }
    }
    broken
}

/// Returns the files of the repository that comments and pages name and that are not there, each as
/// `path:line: name`.
pub fn missing_files(root: &Path, files: &[File]) -> Vec<String> {
    let mut missing = Vec::new();
    for file in files {
        let is_code = file.path.ends_with(".rs");
        for (number, line) in file.text.lines().enumerate() {
            if is_code && !line.trim_start().starts_with("//") {
                continue;
            }
            for name in named(line).filter(|name| !root.join(name).exists()) {
                missing.push(format!("{}:{}: {name}", file.path, number + 1));
            }
        }
    }
    missing
}

/// Returns the paths of the repository that a line names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let words = line.split(move |c| !is_part(c)).map(|word| word.trim_end_matches(['.', '/', '-']));
    words.filter(|word| {
        let is_ours = FOLDERS.iter().any(|folder| word.starts_with(folder) && word.len() > folder.len());
        // A name without an ending may be a route or a package of somebody else.
        is_ours && word.rsplit('/').next().is_some_and(|name| name.contains('.') && !name.starts_with('.'))
    })
}

/// Returns the text of a page; an empty one for a folder or a picture that is there.
fn text_of(path: &Path) -> Option<String> {
    path.exists().then(|| std::fs::read_to_string(path).unwrap_or_default())
}

/// Returns a page without its blocks of code.
fn prose(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        inside ^= is_fence;
        !inside && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns the targets of a page's links.
fn targets(text: &str) -> Vec<String> {
    let parts = text.split("](").skip(1);
    let target =
        |part: &str| part.split(')').next().and_then(|target| target.split(' ').next()).map(str::to_owned);
    parts.filter_map(target).collect()
}

/// Returns the anchors of a page: its headings as links name them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings =
        prose(text).lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    let anchor = |heading: &String| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || *c == '-' || *c == '_' || *c == ' ');
        kept.map(|c| if c == ' ' { '-' } else { c }).collect::<String>()
    };
    headings.iter().map(anchor).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::root;

    fn file(path: &str, text: &str) -> [File; 1] {
        [File { path: path.to_owned(), text: text.to_owned() }]
    }

    #[test]
    fn links_that_lead_nowhere_are_found() {
        let text = "# A page, `with` code\n[a](glossary.md) [b](#a-page-with-code) [c](nowhere.md) [d](#none)\n\
                    [e](glossary.md#tasks) [f](glossary.md#no-such) [g](https://example.com/x) [h](../crates)\n\
                    ```\n[i](in-code.md)\n```\n";
        let broken = broken_links(&root(), &file("docs/x.md", text));
        assert_eq!(broken, ["docs/x.md: nowhere.md", "docs/x.md: #none", "docs/x.md: glossary.md#no-such"]);
    }

    #[test]
    fn files_that_are_not_there_are_found() {
        let text = "// See docs/glossary.md, `crates/tidy/src/nowhere.rs`.\nlet a = \"docs/none.md\";\n/// crates/x\n";
        let missing = missing_files(&root(), &file("crates/a.rs", text));
        assert_eq!(missing, ["crates/a.rs:1: crates/tidy/src/nowhere.rs"]);
    }
}
