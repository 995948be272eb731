//! Limits the memory of a process and of everything it starts, by a control group of either version.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A control group with a memory limit. Removed on drop, once every process in it has ended.
#[derive(Debug)]
pub struct Cage {
    directory: PathBuf,
    unified: bool,
}

impl Cage {
    /// Creates a group limited to `bytes`. Needs the right to create control groups.
    pub fn new(bytes: u64) -> Result<Cage> {
        let name = format!("longhaul-proof-{}", std::process::id());
        let (root, unified) = root()?;
        let directory = root.join(name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("{}: no control group can be made; run as root", directory.display()))?;
        let cage = Cage { directory, unified };
        cage.write(if unified { "memory.max" } else { "memory.limit_in_bytes" }, bytes)?;
        if unified {
            // With swap, a server beyond the limit would only become slow.
            cage.write("memory.swap.max", 0).ok();
        }
        Ok(cage)
    }

    /// Returns the program and its arguments that start another program in the group.
    pub fn under(&self) -> Vec<String> {
        let script =
            format!("echo $$ > '{}' && shift && exec \"$@\"", self.directory.join("cgroup.procs").display());
        ["/bin/sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    /// Returns the peak memory in bytes, page cache included.
    pub fn most(&self) -> Result<u64> {
        let file = if self.unified { "memory.peak" } else { "memory.max_usage_in_bytes" };
        Ok(self.read(file)?.trim().parse()?)
    }

    /// Returns how many processes were killed because of the limit.
    pub fn kills(&self) -> Result<u64> {
        let text = self.read(if self.unified { "memory.events" } else { "memory.oom_control" })?;
        let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        match line {
            Some(number) => Ok(number.trim().parse()?),
            None if self.unified => bail!("the control group does not count kills"),
            // Older kernels do not count kills: the harness notices that the server is gone.
            None => Ok(0),
        }
    }

    fn read(&self, file: &str) -> Result<String> {
        let path = self.directory.join(file);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    }

    fn write(&self, file: &str, value: u64) -> Result<()> {
        let path = self.directory.join(file);
        fs::write(&path, value.to_string()).with_context(|| path.display().to_string())
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        // Refused while a process runs in the group, which does no harm.
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Returns the directory in which groups that limit memory are created, and true if it is the unified
/// hierarchy.
fn root() -> Result<(PathBuf, bool)> {
    let unified = Path::new("/sys/fs/cgroup");
    if fs::read_to_string(unified.join("cgroup.controllers")).is_ok_and(|all| all.contains("memory")) {
        // Children have the controller only if their parent passes it on.
        fs::write(unified.join("cgroup.subtree_control"), "+memory").ok();
        return Ok((unified.to_owned(), true));
    }
    let own = unified.join("memory");
    if own.join("memory.limit_in_bytes").exists() {
        return Ok((own, false));
    }
    bail!("this machine has no control groups that limit memory")
}
