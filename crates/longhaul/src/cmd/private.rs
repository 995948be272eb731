//! Configuration files of the current user that nobody else can read.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::de::DeserializeOwned;

/// Returns the path of a configuration file of the current user.
pub(crate) fn place(name: &str) -> anyhow::Result<PathBuf> {
    let absolute = |name| crate::environment::text(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .ok_or_else(|| {
            anyhow!("there is no place for sessions and contexts: neither HOME nor XDG_CONFIG_HOME is set")
        })?;
    Ok(folder.join("longhaul").join(name))
}

/// Reads a JSON file; a missing one is empty. `remedy` is the advice about a damaged one.
pub(crate) fn read<T: DeserializeOwned + Default>(path: &Path, remedy: &str) -> anyhow::Result<T> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("{}: {remedy}", path.display())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(e) => Err(e).with_context(|| path.display().to_string()),
    }
}

/// Writes a file as a whole or not at all: two commands may write at the same time.
pub(crate) fn write(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    put(path, text).with_context(|| path.display().to_string())
}

fn put(path: &Path, text: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let new = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)
}
