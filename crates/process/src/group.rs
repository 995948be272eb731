//! Control groups (version 2) of programs. Each program that a server runs is in a group of its own, which
//! has limits for the program as a whole and is ended as a whole.
//!
//! Below the group that the server was started in there are `longhaul-server`, with the server itself, since
//! a group that passes controllers on may hold no processes, and `longhaul-commands-…` with a group for each
//! program. The latter is locked for as long as the server lives: a later server removes those that nobody
//! locks, with whatever still runs in them.

mod cell;
mod site;

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::Limits;

pub use cell::Cell;
pub(crate) use cell::end;

/// The group of servers.
const SERVER: &str = "longhaul-server";
/// Beginning of the name of a server's folder of groups.
const COMMANDS: &str = "longhaul-commands-";
/// Controllers that limits need, where the system has them.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];
/// Longest wait for the processes of a killed server to end.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// Control groups of one server's programs. Dropping the value removes them.
#[derive(Debug)]
pub struct Groups {
    folder: PathBuf,
    controllers: Vec<String>,
    made: u64,
    /// Locked until this process ends.
    _alive: File,
}

impl Groups {
    /// Moves this process into a group of its own and makes a place for those of programs beside it, below
    /// the group that the process is in. Removes groups that killed servers left there.
    ///
    /// The error says why programs cannot have groups; the process goes on as before.
    pub fn prepare() -> Result<Groups, String> {
        Groups::below(&site::of_process()?, &CONTROLLERS)
    }

    /// Prepares groups below the group of this folder, with these controllers.
    pub fn below(site: &Path, controllers: &[&str]) -> Result<Groups, String> {
        let unable = |e: io::Error| format!("{} is not for this process to change: {e}", site.display());
        let server = site.join(SERVER);
        let made = make(&server).map_err(unable)?;
        if let Err(e) = enter(&server) {
            if made {
                let _ = fs::remove_dir(&server);
            }
            return Err(unable(e));
        }
        pass_on(site, controllers);
        let (folder, alive) = claim(site).map_err(unable)?;
        pass_on(&folder, controllers);
        let passed = fs::read_to_string(folder.join("cgroup.subtree_control")).unwrap_or_default();
        let controllers = controllers.iter().filter(|one| passed.split_whitespace().any(|all| all == **one));
        let controllers = controllers.map(|one| (*one).to_owned()).collect();
        remove_abandoned(site);
        Ok(Groups { folder, controllers, made: 0, _alive: alive })
    }

    /// The folder that holds the groups of programs.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the names of the controllers by which programs are limited, of `memory`, `pids` and `cpu`:
    /// fewer where the system has fewer, or where other processes are in the group that the server was
    /// started in.
    pub fn controllers(&self) -> &[String] {
        &self.controllers
    }

    /// Makes the group of one program, with the limits that the controllers allow for.
    pub fn make(&mut self, limits: &Limits) -> io::Result<Cell> {
        self.made += 1;
        let cell = Cell::make(self.folder.join(self.made.to_string()))?;
        cell.limit(limits, &self.controllers)?;
        Ok(cell)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        // A group that is still in use is removed by the next server.
        let _ = cell::remove(&self.folder);
    }
}

/// Moves this process into the group of a folder.
pub(crate) fn enter(folder: &Path) -> io::Result<()> {
    write(folder, "cgroup.procs", "0")
}

/// Writes into a file of a group, which exists or is not for this system.
fn write(folder: &Path, file: &str, value: &str) -> io::Result<()> {
    File::options().write(true).open(folder.join(file))?.write_all(value.as_bytes())
}

/// Makes the group of a folder; returns false if it exists.
fn make(folder: &Path) -> io::Result<bool> {
    match fs::create_dir(folder) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e),
    }
}

/// Enables these controllers for the groups below a folder's, as far as possible.
fn pass_on(folder: &Path, controllers: &[&str]) {
    for controller in controllers {
        // Controllers are enabled one by one: a missing one keeps no other away.
        let _ = write(folder, "cgroup.subtree_control", &format!("+{controller}"));
    }
}

/// Makes the folder of this server's groups, and locks it.
fn claim(site: &Path) -> io::Result<(PathBuf, File)> {
    let own = std::process::id();
    for number in 0..1000 {
        let folder = site.join(format!("{COMMANDS}{own}-{number}"));
        if !make(&folder)? {
            continue;
        }
        let file = File::open(&folder)?;
        file.lock()?;
        // Another server may have taken it for abandoned before it was locked.
        if fs::metadata(&folder)
            .is_ok_and(|there| file.metadata().is_ok_and(|ours| ours.ino() == there.ino()))
        {
            return Ok((folder, file));
        }
    }
    Err(io::Error::other("every name of a group is taken"))
}

/// Removes the groups of servers that are gone, and ends the processes in them.
fn remove_abandoned(site: &Path) {
    let Ok(listing) = fs::read_dir(site) else { return };
    let is_ours = |entry: &fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| name.starts_with(COMMANDS))
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
    };
    for entry in listing.flatten().filter(is_ours) {
        let folder = entry.path();
        let Ok(file) = File::open(&folder) else { continue };
        match file.try_lock() {
            Ok(()) => end_and_remove(&folder),
            // The server of the group lives, this one or another.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

fn end_and_remove(folder: &Path) {
    let limit = Instant::now() + PATIENCE;
    loop {
        end(folder);
        if cell::remove(folder).is_ok() || Instant::now() > limit {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that is not a control group has no files of one: nothing is made, and nothing stays.
    #[test]
    fn what_is_no_control_group_is_left_as_it_was() {
        let site = std::env::temp_dir().join(format!("longhaul-no-group-{}", std::process::id()));
        fs::create_dir(&site).unwrap();
        let refusal = Groups::below(&site, &CONTROLLERS).unwrap_err();
        assert!(refusal.contains("is not for this process to change"), "{refusal}");
        assert_eq!(fs::read_dir(&site).unwrap().count(), 0);
        let missing = Groups::below(&site.join("missing"), &CONTROLLERS).unwrap_err();
        assert!(missing.contains("No such file"), "{missing}");
        fs::remove_dir(&site).unwrap();
    }

    /// Groups that a killed server left are removed, but none of a living one, and none of others.
    #[test]
    fn only_what_nobody_locks_is_abandoned() {
        let site = std::env::temp_dir().join(format!("longhaul-abandoned-{}", std::process::id()));
        for folder in ["longhaul-commands-1-0/7/below", "longhaul-commands-2-0", "others", "longhaul-server"]
        {
            fs::create_dir_all(site.join(folder)).unwrap();
        }
        fs::write(site.join("longhaul-commands-3-0"), "a file").unwrap();
        let (own, _alive) = claim(&site).unwrap();
        let living = File::open(site.join("longhaul-commands-2-0")).unwrap();
        living.lock().unwrap();
        remove_abandoned(&site);
        let kept = |name: &str| site.join(name).exists();
        assert!(!kept("longhaul-commands-1-0"));
        assert!(kept("longhaul-commands-2-0") && kept("others") && kept("longhaul-server") && own.exists());
        assert!(kept("longhaul-commands-3-0"));
        drop(living);
        remove_abandoned(&site);
        assert!(!kept("longhaul-commands-2-0") && own.exists());
        fs::remove_dir_all(&site).unwrap();
    }
}
