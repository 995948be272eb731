//! Control group of one program.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::write;
use crate::Limits;

/// Maximum number of processes that the kernel can limit a group to; more means no limit.
const MOST_PROCESSES: u64 = 4 << 20;
/// Microseconds of the period over which processor time is shared out.
const PERIOD: u64 = 100_000;

/// Control group with one program and everything that it started. Removed with the value, if nothing runs in
/// it any more.
#[derive(Debug)]
pub struct Cell {
    folder: PathBuf,
}

impl Cell {
    pub(super) fn make(folder: PathBuf) -> io::Result<Cell> {
        fs::create_dir(&folder)?;
        Ok(Cell { folder })
    }

    /// Sets limits for all processes of the group together.
    pub(super) fn limit(&self, limits: &Limits, controllers: &[String]) -> io::Result<()> {
        for (controller, file, value) in settings(limits) {
            if controllers.iter().any(|one| one == controller) {
                match write(&self.folder, file, &value) {
                    // Not every system counts swap, or ends a group as one.
                    Err(_) if matches!(file, "memory.swap.max" | "memory.oom.group") => {}
                    other => other?,
                }
            }
        }
        Ok(())
    }

    /// The folder of the group.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Ends every process in the group at once, whatever they do.
    pub fn end(&self) {
        end(&self.folder);
    }

    /// Returns true if a process of the group was ended because the group used more memory than it may.
    pub fn ran_out_of_memory(&self) -> bool {
        ran_out(&self.folder)
    }

    /// Removes the group; an error if something still runs in it.
    pub fn remove(&self) -> io::Result<()> {
        remove(&self.folder)
    }
}

impl Drop for Cell {
    fn drop(&mut self) {
        let _ = remove(&self.folder);
    }
}

/// Returns true if the kernel ended a process of the group of a folder for its memory.
fn ran_out(folder: &Path) -> bool {
    let events = fs::read_to_string(folder.join("memory.events")).unwrap_or_default();
    let count = events.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.is_some_and(|count| count.trim() != "0")
}

/// The controller, file and value of each limit.
fn settings(limits: &Limits) -> Vec<(&'static str, &'static str, String)> {
    let mut settings = Vec::new();
    if limits.memory > 0 {
        settings.push(("memory", "memory.max", limits.memory.to_string()));
        // With swap, a program beyond its limit would make the whole machine slow instead.
        settings.push(("memory", "memory.swap.max", "0".to_owned()));
        // A program that lost a part of itself is worse than one that ended.
        settings.push(("memory", "memory.oom.group", "1".to_owned()));
    }
    if (1..=MOST_PROCESSES).contains(&limits.processes) {
        settings.push(("pids", "pids.max", limits.processes.to_string()));
    }
    if limits.processors > 0 {
        let share = limits.processors.saturating_mul(PERIOD / 100);
        settings.push(("cpu", "cpu.max", format!("{share} {PERIOD}")));
    }
    settings
}

/// Ends every process in the group of a folder and in those below it.
pub(crate) fn end(folder: &Path) {
    if write(folder, "cgroup.kill", "1").is_ok() {
        return;
    }
    // Older kernels, before 5.14, end processes one by one: the caller repeats this until there is none.
    for group in all_below(folder) {
        let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines().filter_map(|line| line.parse().ok()).filter(|process| *process > 0) {
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    }
}

/// Removes the group of a folder and those below it, which the program may have made.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    for group in all_below(folder).into_iter().rev() {
        match fs::remove_dir(&group) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Returns a folder and all folders below it, each before those in it.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut looked = 0;
    while let Some(next) = found.get(looked) {
        let listing = fs::read_dir(next).into_iter().flatten().flatten();
        let folders = listing.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let folders: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
        found.extend(folders);
        looked += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_those_of_the_kernel() {
        let limits = Limits { memory: 64 << 20, processes: 7, processors: 150, ..Limits::default() };
        let written: Vec<String> =
            settings(&limits).into_iter().map(|(_, file, value)| format!("{file} = {value}")).collect();
        assert_eq!(
            written,
            [
                "memory.max = 67108864",
                "memory.swap.max = 0",
                "memory.oom.group = 1",
                "pids.max = 7",
                "cpu.max = 150000 100000"
            ]
        );
        assert_eq!(settings(&Limits::default()), []);
        assert_eq!(settings(&Limits { processes: u64::MAX, ..Limits::default() }), []);
    }

    /// Limits are written to the files that a kernel has, and only to those of controllers that the group was
    /// given.
    #[test]
    fn limits_are_written_for_the_controllers_at_hand() {
        let folder = std::env::temp_dir().join(format!("longhaul-cell-{}", std::process::id()));
        let cell = Cell::make(folder.clone()).unwrap();
        let limits = Limits { memory: 4096, processes: 7, processors: 50, ..Limits::default() };
        assert!(cell.limit(&limits, &[]).is_ok());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        let files = ["memory.max", "pids.max", "cpu.max"];
        for file in files {
            fs::write(folder.join(file), "").unwrap();
        }
        cell.limit(&limits, &["memory".to_owned(), "pids".to_owned()]).unwrap();
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(files.map(read), ["4096", "7", ""]);
        fs::remove_file(folder.join("cpu.max")).unwrap();
        assert!(cell.limit(&limits, &["cpu".to_owned()]).is_err(), "a limit that was promised is missing");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn kills_for_memory_are_counted_by_the_kernel() {
        let folder = std::env::temp_dir().join(format!("longhaul-events-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        assert!(!ran_out(&folder), "without the controller nothing is known");
        for (events, expected) in
            [("low 0\noom 0\noom_kill 0\n", false), ("oom 3\noom_kill 2\noom_group_kill 1\n", true)]
        {
            fs::write(folder.join("memory.events"), events).unwrap();
            assert_eq!(ran_out(&folder), expected, "{events}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
