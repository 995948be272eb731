//! Sizes: a file is one idea, and a folder can be read at a glance.

use std::collections::BTreeMap;

use crate::tree::File;

/// Number of lines above which a file is looked at.
pub const LINES: usize = 400;
/// Number of files of one folder above which the folder is looked at.
pub const FILES: usize = 15;

/// Returns the files that are longer than [`LINES`], with their number of lines.
pub fn long_files(files: &[File]) -> BTreeMap<String, usize> {
    let lengths = files.iter().map(|file| (file.path.clone(), file.text.lines().count()));
    lengths.filter(|(_, lines)| *lines > LINES).collect()
}

/// Returns the folders with more files than [`FILES`], with their number.
pub fn full_folders(files: &[File]) -> BTreeMap<String, usize> {
    let mut all: BTreeMap<String, usize> = BTreeMap::new();
    for (folder, _) in files.iter().filter_map(|file| file.path.rsplit_once('/')) {
        *all.entry(folder.to_owned()).or_default() += 1;
    }
    all.into_iter().filter(|(_, count)| *count > FILES).collect()
}

/// Compares what is found with what is known, each by name with a size. A known one may only become smaller,
/// and its entry follows: a finding for each that is new, that has grown, and whose entry is out of date.
pub fn ratchet(found: &BTreeMap<String, usize>, known: &[(&str, usize)]) -> Vec<String> {
    let known: BTreeMap<&str, usize> = known.iter().copied().collect();
    let grown = found.iter().filter_map(|(name, size)| match known.get(name.as_str()) {
        None => Some(format!("{name} is new with {size}")),
        Some(known) if size > known => Some(format!("{name} has grown from {known} to {size}")),
        Some(known) if size < known => Some(format!("{name} is {size} now: write that in place of {known}")),
        Some(_) => None,
    });
    let gone = known.keys().filter(|name| !found.contains_key(**name));
    grown.chain(gone.map(|name| format!("{name} is mended: take it out of the list"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_files_and_full_folders_are_found() {
        let file = |path: String, lines: usize| File { path, text: "x\n".repeat(lines) };
        let mut files: Vec<File> = (0..16).map(|n| file(format!("a/{n}.rs"), 400)).collect();
        files.push(file("b/long.rs".to_owned(), 401));
        assert_eq!(long_files(&files), BTreeMap::from([("b/long.rs".to_owned(), 401)]));
        assert_eq!(full_folders(&files), BTreeMap::from([("a".to_owned(), 16)]));
    }

    #[test]
    fn a_list_of_known_faults_only_becomes_shorter() {
        let found: BTreeMap<String, usize> = [("new", 1), ("grown", 3), ("shrunk", 2), ("same", 4)]
            .into_iter()
            .map(|(name, size)| (name.to_owned(), size))
            .collect();
        let said = ratchet(&found, &[("grown", 2), ("shrunk", 5), ("same", 4), ("gone", 9)]);
        assert_eq!(said.len(), 4, "{said:?}");
        for part in ["new is new", "grown has grown", "shrunk is 2 now", "gone is mended"] {
            assert!(said.iter().any(|one| one.contains(part)), "{part}: {said:?}");
        }
    }
}
