//! Limits on one program's use of the machine, as its parent writes them for the launcher and as the launcher
//! sets them.

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};

/// Seconds between the signal that announces the end of the processor time and the one that cannot be caught.
const LAST_SECONDS: u64 = 5;

/// Limits of one program; 0 means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Seconds of a processor's time.
    pub cpu_seconds: u64,
    /// Maximum bytes of memory, for each of its processes; in a control group, also for all together.
    pub memory: u64,
    /// Maximum number of processes of the account that runs the program; in a control group, also of the
    /// program.
    pub processes: u64,
    /// Maximum number of open files of each of its processes.
    pub files: u64,
    /// Maximum bytes of each file that it writes.
    pub file_size: u64,
    /// Maximum processor time, in hundredths of a processor; needs a control group.
    pub processors: u64,
}

impl Limits {
    /// Writes an argument of a launcher.
    pub(crate) fn written(&self) -> String {
        let Limits { cpu_seconds, memory, processes, files, file_size, processors } = self;
        format!("{cpu_seconds},{memory},{processes},{files},{file_size},{processors}")
    }

    /// Reads what [`Limits::written`] wrote.
    pub(super) fn read(text: &str) -> Option<Limits> {
        let numbers: Option<Vec<u64>> = text.split(',').map(|number| number.parse().ok()).collect();
        let [cpu_seconds, memory, processes, files, file_size, processors] = numbers?.try_into().ok()?;
        Some(Limits { cpu_seconds, memory, processes, files, file_size, processors })
    }

    /// Sets the limits for this process and all that it becomes or starts.
    pub(super) fn set(&self) -> Result<(), Errno> {
        // A dump would hold the values that the program was given.
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        let set = |resource, most: u64, more: u64| match most {
            0 => Ok(()),
            // A limit that is lower already, and may not be raised, is kept.
            _ => match setrlimit(resource, most, most.saturating_add(more)) {
                Err(Errno::EPERM) => lower(resource, most),
                other => other,
            },
        };
        set(Resource::RLIMIT_CPU, self.cpu_seconds, LAST_SECONDS)?;
        // The memory that it fills, and not the addresses that it reserves: some runtimes reserve hundreds of
        // gigabytes.
        set(Resource::RLIMIT_DATA, self.memory, 0)?;
        set(Resource::RLIMIT_NPROC, self.processes, 0)?;
        set(Resource::RLIMIT_NOFILE, self.files, 0)?;
        set(Resource::RLIMIT_FSIZE, self.file_size, 0)
    }
}

/// Sets the soft limit as far as the hard one allows.
fn lower(resource: Resource, most: u64) -> Result<(), Errno> {
    let (_, hard) = nix::sys::resource::getrlimit(resource)?;
    setrlimit(resource, most.min(hard), hard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_as_they_were_written() {
        let limits =
            Limits { cpu_seconds: 1, memory: u64::MAX, processes: 3, files: 0, file_size: 5, processors: 6 };
        assert_eq!(Limits::read(&limits.written()), Some(limits));
        for bad in ["", "1", "1,2,3,4,5", "1,2,3,4,5,6,7", "1,2,3,4,5,x", "1,2,3,4,5,-6"] {
            assert_eq!(Limits::read(bad), None, "{bad}");
        }
    }
}
