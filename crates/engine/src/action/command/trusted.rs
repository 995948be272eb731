//! Trust in a program's file: only the machine's administrator and the server's own account may be able to
//! exchange it. All of its path is looked at, links resolved.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use nix::unistd::geteuid;
use thiserror::Error;

/// Maximum number of links in a path, as the system has it.
const MOST_LINKS: usize = 40;

/// Reason why a file is not run.
#[derive(Debug, Error)]
pub(super) enum Untrusted {
    /// The file does not exist, or cannot be looked at.
    #[error("{}: {cause}", path.display())]
    Missing { path: PathBuf, cause: io::Error },
    /// The path names something other than a file.
    #[error("it is no file")]
    NoFile,
    /// The file has no permission to be executed.
    #[error("it is not executable")]
    NotExecutable,
    /// Accounts other than its owner may write the file or a folder on the way.
    #[error("others than its owner may write {}", path.display())]
    Writable { path: PathBuf, mode: u32 },
    /// The file or a folder on the way belongs to another account.
    #[error("{} belongs to the account {owner}", path.display())]
    Owner { path: PathBuf, owner: u32 },
}

/// Returns the file that a path names, once all links are resolved, if it can be trusted.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, Untrusted> {
    let mut found = PathBuf::from("/");
    let mut left: Vec<OsString> = components(path);
    let mut links = 0;
    let mut shared = check_folder(&found)?;
    while let Some(name) = left.pop() {
        if name == ".." {
            found.pop();
            shared = check_folder(&found)?;
            continue;
        }
        let next = found.join(&name);
        let about = look(&next)?;
        check_owner(&next, about.uid())?;
        if about.is_symlink() {
            links += 1;
            let target = std::fs::read_link(&next).map_err(|cause| missing(&next, cause))?;
            if links > MOST_LINKS {
                return Err(missing(&next, io::Error::other("there are too many links on the way")));
            }
            if target.is_absolute() {
                found = PathBuf::from("/");
                shared = check_folder(&found)?;
            }
            left.extend(components(&target));
        } else if about.is_dir() {
            found = next;
            shared = check_folder(&found)?;
        } else {
            // In a folder where everybody puts files, one of that name may be a link to any other file.
            if shared {
                return Err(writable(&found, look(&found)?.mode()));
            }
            if !left.is_empty() || !about.is_file() {
                return Err(Untrusted::NoFile);
            }
            return check_file(&next, about.mode()).map(|()| next);
        }
    }
    Err(Untrusted::NoFile)
}

/// Splits a path into the components left to walk, last first.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    names.collect()
}

fn look(path: &Path) -> Result<std::fs::Metadata, Untrusted> {
    std::fs::symlink_metadata(path).map_err(|cause| missing(path, cause))
}

fn missing(path: &Path, cause: io::Error) -> Untrusted {
    Untrusted::Missing { path: path.to_owned(), cause }
}

fn writable(path: &Path, mode: u32) -> Untrusted {
    Untrusted::Writable { path: path.to_owned(), mode: mode & 0o7777 }
}

fn check_owner(path: &Path, owner: u32) -> Result<(), Untrusted> {
    if owner == 0 || owner == geteuid().as_raw() {
        Ok(())
    } else {
        Err(Untrusted::Owner { path: path.to_owned(), owner })
    }
}

/// Returns whether everybody may put files into the folder, but not exchange those of others, as in `/tmp`.
fn check_folder(path: &Path) -> Result<bool, Untrusted> {
    let about = look(path)?;
    check_owner(path, about.uid())?;
    let mode = about.mode();
    match (mode & 0o022 != 0, mode & 0o1000 != 0) {
        (true, false) => Err(writable(path, mode)),
        (shared, _) => Ok(shared),
    }
}

fn check_file(path: &Path, mode: u32) -> Result<(), Untrusted> {
    if mode & 0o111 == 0 {
        return Err(Untrusted::NotExecutable);
    }
    if mode & 0o022 != 0 { Err(writable(path, mode)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, create_dir, set_permissions, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path, mode: u32) {
        set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Each part of the path in its turn is opened to others: the program is refused each time, whichever way
    /// leads to it.
    #[test]
    fn part_of_the_path_that_others_may_write_is_refused_wherever_it_is() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let (outer, inner, other) = (root.join("outer"), root.join("outer/inner"), root.join("other"));
        [&outer, &inner, &other].iter().for_each(|folder| create_dir(folder).unwrap());
        let program = inner.join("program");
        write(&program, "#!/bin/sh\n").unwrap();
        [&root, &outer, &inner, &other, &program].iter().for_each(|path| mode(path, 0o755));
        symlink(&program, other.join("absolute")).unwrap();
        symlink("../outer/inner/program", other.join("relative")).unwrap();
        symlink("absolute", other.join("twice")).unwrap();
        symlink("../outer", other.join("folder")).unwrap();
        let ways = ["absolute", "relative", "twice", "folder/inner/program", "../outer/./inner/program"];
        let ways: Vec<PathBuf> = ways.iter().map(|way| other.join(way)).collect();
        for way in &ways {
            assert_eq!(resolve(way).unwrap(), program, "{}", way.display());
        }
        for part in [&root, &outer, &inner, &other, &program] {
            for open in [0o775, 0o757, 0o777] {
                mode(part, open);
                for way in &ways {
                    let refusal = resolve(way).unwrap_err();
                    assert!(
                        matches!(&refusal, Untrusted::Writable { path, mode } if path == part && *mode == open),
                        "{open:o} {}: {refusal}",
                        part.display()
                    );
                }
            }
            mode(part, 0o755);
        }
        // As in /tmp: a folder of ours in it cannot be exchanged, a file may be a link to another.
        mode(&outer, 0o1777);
        assert!(resolve(&program).is_ok());
        mode(&inner, 0o1777);
        assert!(matches!(resolve(&program), Err(Untrusted::Writable { .. })));
    }

    #[test]
    fn links_without_end_and_things_that_are_no_files_are_refused() {
        let root = tempfile::tempdir().unwrap();
        symlink("loop", root.path().join("loop")).unwrap();
        let refusal = resolve(&root.path().join("loop")).unwrap_err();
        assert!(refusal.to_string().contains("too many links"), "{refusal}");
        for none in
            [root.path().to_owned(), PathBuf::from("/"), PathBuf::from("/dev/null"), "/bin/sh/x".into()]
        {
            assert!(resolve(&none).is_err(), "{}", none.display());
        }
    }

    #[test]
    fn owner_other_than_the_administrator_and_the_server_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("program");
        write(&program, "").unwrap();
        mode(&program, 0o755);
        assert!(resolve(&program).is_ok());
        if geteuid().is_root() {
            nix::unistd::chown(&program, Some(12_345.into()), None).unwrap();
            assert!(matches!(resolve(&program), Err(Untrusted::Owner { owner: 12_345, .. })));
            nix::unistd::chown(&program, Some(0.into()), None).unwrap();
            nix::unistd::chown(root.path(), Some(12_345.into()), None).unwrap();
            assert!(matches!(resolve(&program), Err(Untrusted::Owner { owner: 12_345, .. })));
        }
    }
}
