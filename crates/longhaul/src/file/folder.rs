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

/// The files that paths name.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Those that were read.
    pub(crate) files: Vec<SourceFile>,
    /// Paths that could not be read, each with the reason: they do not keep the others from being checked.
    pub(crate) unreadable: Vec<(PathBuf, String)>,
}

/// Reads every file named, and every `.yaml`, `.yml` and `.json` file in the folders named and below them, in
/// the order of their names.
pub(crate) fn find(paths: &[PathBuf]) -> Found {
    let (mut named, mut found) = (Vec::new(), Found::default());
    for path in paths {
        collect(path, true, &mut named, &mut found.unreadable);
    }
    for path in named {
        match read(&path) {
            Ok(text) => found.files.push(SourceFile { path, text }),
            Err(reason) => found.unreadable.push((path, reason)),
        }
    }
    found
}

fn read(path: &Path) -> Result<String, String> {
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let text = String::from_utf8(bytes)
        .map_err(|e| format!("not UTF-8: byte {} is of another encoding", e.utf8_error().valid_up_to()))?;
    // Editors of one platform put it there; it means nothing.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn collect(path: &Path, named: bool, found: &mut Vec<PathBuf>, unreadable: &mut Vec<(PathBuf, String)>) {
    match inside(path, named) {
        Ok(Inside::File) => found.push(path.to_owned()),
        Ok(Inside::Folder(paths)) => {
            paths.iter().for_each(|path| collect(path, false, found, unreadable));
        }
        Ok(Inside::Nothing) => {}
        Err(e) => unreadable.push((path.to_owned(), e.to_string())),
    }
}

/// Target of a path.
enum Inside {
    /// A file to be read.
    File,
    /// A folder of these paths, in the order of their names.
    Folder(Vec<PathBuf>),
    /// Something else.
    Nothing,
}

fn inside(path: &Path, named: bool) -> io::Result<Inside> {
    if !std::fs::metadata(path)?.is_dir() {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        let is_meant = named || matches!(extension, "yaml" | "yml" | "json");
        return Ok(if is_meant { Inside::File } else { Inside::Nothing });
    }
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        // Hidden files are editors' and version control's.
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(Inside::Folder(paths))
}
