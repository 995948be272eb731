//! Files of the repository.

use std::path::{Path, PathBuf};

/// Folders that nobody writes by hand, or whose files are data.
const LEFT_OUT: [&str; 7] = ["target", "node_modules", ".git", "dist", "corpus", "__pycache__", ".venv"];

/// File of the repository, with its text.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the root of the repository, with `/`.
    pub path: String,
    /// Contents.
    pub text: String,
}

/// Returns the root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the files below a folder whose names end in one of these, in order of their paths. Files that are
/// not UTF-8 are left out.
pub fn files(root: &Path, endings: &[&str]) -> Vec<File> {
    let (mut all, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !LEFT_OUT.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                all.extend(std::fs::read_to_string(&path).ok().map(|text| File { path: relative, text }));
            }
        }
    }
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}
