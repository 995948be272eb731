//! Limit of open files, which also limits connections: raised at the start as far as possible; the server's
//! own needs come first, and connections get the rest.

use longhaul_server::Limits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Wanted limit, more than the server ever needs; programs that close every possible file at their start are
/// slow with a higher one.
const WANTED: u64 = 65_536;

/// Number of files, database connections and pipes of programs that are open beside connections.
const OWN: u64 = 256;

/// Raises the limit as far as it may be, and returns it.
pub(crate) fn raise() -> nix::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = hard.min(WANTED);
    if soft < wanted {
        setrlimit(Resource::RLIMIT_NOFILE, wanted, hard)?;
    }
    Ok(soft.max(wanted))
}

/// Returns the number of open files; `None` if it cannot be determined.
pub(crate) fn open() -> Option<usize> {
    std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count)
}

/// Warns that there are fewer connections than configured.
pub(crate) fn warn(files: u64, limits: &Limits) {
    tracing::warn!(
        files,
        connections = limits.connections,
        "the limit of open files allows fewer connections than configured; raise it, such as with LimitNOFILE="
    );
}

/// Limits connections so that they fit into so many open files. Returns true if they are fewer than wanted.
pub(crate) fn fit(limits: &mut Limits, files: u64) -> bool {
    // The server keeps another eighth: its needs grow with its load.
    let room = files.saturating_sub(OWN + files / 8).max(16);
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    limits.beyond = limits.beyond.min(room / 5);
    let most = room - limits.beyond;
    let is_fewer = limits.connections > most;
    limits.connections = limits.connections.min(most);
    is_fewer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_server() {
        for (files, connections, beyond, fewer) in [
            (65_536, 16_384, 512, false),
            (16_000, 13_232, 512, true),
            (1_024, 512, 128, true),
            (64, 13, 3, true),
        ] {
            let mut limits = Limits::default();
            let was_fewer = fit(&mut limits, files);
            let found = (limits.connections, limits.beyond, was_fewer);
            assert_eq!(found, (connections, beyond, fewer), "{files} files");
        }
    }
}
