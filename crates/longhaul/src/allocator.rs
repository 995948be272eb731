//! The allocator, and how long it keeps memory that was freed. mimalloc keeps it for a second, which is
//! hundreds of megabytes under a stream of large inputs: a server whose container has 256 MiB would be killed
//! for memory that it does not use. mimalloc takes its settings from the environment, before a program
//! begins.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Allocator; the system's took a seventh of the time of a submission.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Milliseconds for which freed memory is kept. An administrator may set another value.
const SETTING: &str = "MIMALLOC_PURGE_DELAY";
const DELAY: &str = "10";
/// The command that lives long enough for it to matter.
const SERVE: &str = "serve";

/// Begins the program again with the setting, as the same process, if it is to serve and has none.
pub(crate) fn set_up() {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if std::env::var_os(SETTING).is_some() || !arguments.iter().any(|argument| argument == SERVE) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    if let Some((name, rest)) = arguments.split_first() {
        command.arg0(name).args(rest);
    }
    // It returns only if it fails: the server then keeps memory for longer.
    let _failed = command.env(SETTING, DELAY).exec();
}
