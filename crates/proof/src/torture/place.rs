//! Locations: the binary, and the directories of a run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::access::key_file;
use crate::catalog::Catalog;
use crate::effects::Effects;
use crate::server::Program;

/// The binary and the run's directory.
#[derive(Debug)]
pub(super) struct Place {
    binary: PathBuf,
    directory: PathBuf,
    _temporary: Option<TempDir>,
}

impl Place {
    /// Builds the binary unless one is given.
    pub(super) fn new(binary: Option<&Path>, keep: Option<&Path>) -> Result<Place> {
        let binary = match binary {
            Some(binary) => binary.canonicalize().with_context(|| binary.display().to_string())?,
            None => build()?,
        };
        let (directory, temporary) = match keep {
            Some(keep) => (keep.to_owned(), None),
            None => {
                let temporary = tempfile::Builder::new().prefix("longhaul-torture-").tempdir()?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        std::fs::create_dir_all(&directory)?;
        Ok(Place { binary, directory, _temporary: temporary })
    }

    /// A path of this run.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A data directory that is not there yet, nor a key for it.
    pub(super) fn fresh(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        let key = key_file(&path);
        if key.exists() {
            std::fs::remove_file(&key).with_context(|| key.display().to_string())?;
        }
        Ok(path)
    }

    /// The server on a directory, with workflows that reach the effect counter.
    pub(super) fn program(&self, data: &Path, effects: &Effects) -> Result<(Program, Catalog)> {
        let catalog = Catalog::new(effects.address)?;
        let workflows = self.path("workflows");
        catalog.write(&workflows)?;
        let config = self.path("longhaul.toml");
        Program::write_config(&config, effects.address)?;
        let (binary, log) = (self.binary.clone(), self.path("server.log"));
        Ok((
            Program {
                binary,
                data: data.to_owned(),
                workflows,
                config,
                log,
                port: 0,
                environment: Vec::new(),
            },
            catalog,
        ))
    }
}

/// Builds the server like this program was built, and gives its path.
fn build() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let directory = own.parent().context("this program has no directory")?;
    if let Some(cargo) = std::env::var_os("CARGO") {
        let mut command = Command::new(cargo);
        command.args(["build", "--package", "longhaul"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        if !command.status()?.success() {
            bail!("longhaul could not be built");
        }
    }
    let binary = directory.join("longhaul");
    if !binary.is_file() {
        bail!("there is no {}: build it, or name one with --longhaul", binary.display());
    }
    Ok(binary)
}

/// Copies a data directory of a server that does not run, with the key that it gave.
pub(super) fn copy_data(from: &Path, to: &Path) -> Result<()> {
    copy(from, to)?;
    let (key, target) = (key_file(from), key_file(to));
    std::fs::copy(&key, &target).with_context(|| key.display().to_string()).map(|_| ())
}

/// Copies a directory.
pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target).with_context(|| target.display().to_string())?;
        }
    }
    Ok(())
}
