//! Workflow files of a list of paths: files as they are, folders by their contents.

use std::io;
use std::path::{Path, PathBuf};

/// A file, read.
#[derive(Debug)]
pub(crate) struct SourceFile {
    /// Path, as it was named or found.
    pub(crate) path: PathBuf,
    /// Text of the file.
    pub(crate) text: String,
}

impl SourceFile {
    /// Path in a form for people.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Reads every file named, and every `.yaml`, `.yml` and `.json` file in the folders named and below them, in
/// the order of their names. The error names the path.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<SourceFile>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    for path in paths {
        collect(path, true, &mut found)?;
    }
    found
        .into_iter()
        .map(|path| read(&path).map(|text| SourceFile { path: path.clone(), text }).map_err(|e| (path, e)))
        .collect()
}

fn read(path: &Path) -> io::Result<String> {
    let text = std::fs::read_to_string(path)?;
    // Editors of one platform put it there; it means nothing.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn collect(path: &Path, named: bool, found: &mut Vec<PathBuf>) -> Result<(), (PathBuf, io::Error)> {
    let wrong = |e| (path.to_owned(), e);
    let kind = std::fs::metadata(path).map_err(wrong)?;
    if !kind.is_dir() {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if named || matches!(extension, "yaml" | "yml" | "json") {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(path).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        // Hidden files are editors' and version control's.
        if !entry.file_name().to_string_lossy().starts_with('.') {
            inside.push(entry.path());
        }
    }
    inside.sort();
    inside.iter().try_for_each(|path| collect(path, false, found))
}
