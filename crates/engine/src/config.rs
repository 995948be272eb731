//! Settings of running tasks, which an operator decides.

use std::collections::BTreeMap;
use std::path::PathBuf;

use longhaul_model::Span;
use longhaul_traces::TraceSettings;

use crate::workers::WorkerBounds;

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Longest time that running attempts of a cancelled task have to stop. `cancelGrace`, default 30 s.
    pub cancel_grace: Span,
    /// Maximum number of attempts of built-in actions that run at once. `maxRunning`, default 4,096.
    pub max_running: usize,
    /// True for a server at which nothing starts: reads and decisions work.
    pub paused: bool,
    /// Limits of one account's queues and workers.
    pub workers: WorkerBounds,
    /// The `http` action.
    pub http: HttpConfig,
    /// The `command` action.
    pub command: CommandConfig,
    /// Export of traces; off unless given.
    pub traces: Option<TraceSettings>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        EngineConfig {
            cancel_grace: Span(30_000),
            max_running: 4096,
            paused: false,
            workers: WorkerBounds::default(),
            http: HttpConfig::default(),
            command: CommandConfig::default(),
            traces: None,
        }
    }
}

impl EngineConfig {
    /// Returns every mistake in the settings of actions: the name of the setting in the configuration file,
    /// and the mistake.
    pub fn mistakes(&self) -> Vec<(String, String)> {
        crate::action::mistakes(self)
    }
}

/// Destinations of `http` actions. Public addresses are allowed; those of this machine and of private
/// networks only if listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpConfig {
    /// Networks (`10.0.0.0/8`), addresses (`127.0.0.1`), host names, each with an optional `:port`.
    pub allow: Vec<String>,
    /// A PEM file of authorities to trust besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the client certificate and its key, which requests present.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// Programs that `command` actions may run: none unless listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandConfig {
    /// The programs.
    pub allow: Vec<AllowedProgram>,
    /// Program that starts commands: Longhaul's own binary (`/proc/self/exe`), which then runs
    /// [`crate::launcher::main`], so that commands have limits, and end with all they started, even when the
    /// server is killed. Without it commands are started directly. Set by the binary, not by operators.
    pub launcher: Option<PathBuf>,
}

/// A program that `command` actions may run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedProgram {
    /// Absolute path of the program, as workflows write it.
    pub path: PathBuf,
    /// Names of environment variables that workflows may set; a name may end in `*`.
    pub env: Vec<String>,
    /// Environment variables with values that the program always gets.
    pub set: BTreeMap<String, String>,
    /// Regular expressions, one for each argument by its position, each of which must match the whole
    /// argument. `None`: any arguments.
    pub arguments: Option<Vec<String>>,
    /// Regular expression that each argument beyond those must match as a whole. `None`: there may be no more
    /// of them, if `arguments` are given.
    pub more_arguments: Option<String>,
    /// True if the value of an expression may begin an argument with `-`, so that the program reads it as an
    /// option.
    pub options_from_values: bool,
    /// Limits of its resources.
    pub limits: CommandLimits,
}

impl<T: Into<PathBuf>> From<T> for AllowedProgram {
    /// Allows a program with any arguments that are not options, and without an environment.
    fn from(path: T) -> Self {
        AllowedProgram { path: path.into(), ..AllowedProgram::default() }
    }
}

/// Limits on a program's use of the machine; 0 means no limit. Each limit holds for one process, and those of
/// memory, processes and processors also for the program as a whole where it has a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLimits {
    /// Processor time. Default 1 h.
    pub cpu: Span,
    /// Maximum memory, in MiB. Default 4,096.
    pub memory_mib: u64,
    /// Maximum number of processes and threads of the account that the server runs as. Default 4,096.
    pub processes: u64,
    /// Maximum processor time, in hundredths of a processor; only with control groups. Default no limit.
    pub processors: u64,
    /// Open files. Default 1,024.
    pub files: u64,
    /// Maximum size of a file that the program writes, in MiB. Default 10,240.
    pub file_size_mib: u64,
}

impl From<&CommandLimits> for longhaul_process::Limits {
    fn from(limits: &CommandLimits) -> Self {
        const MIB: u64 = 1 << 20;
        longhaul_process::Limits {
            cpu_seconds: limits.cpu.0.div_ceil(1000),
            memory: limits.memory_mib.saturating_mul(MIB),
            processes: limits.processes,
            processors: limits.processors,
            files: limits.files,
            file_size: limits.file_size_mib.saturating_mul(MIB),
        }
    }
}

impl Default for CommandLimits {
    fn default() -> Self {
        CommandLimits {
            cpu: Span(3_600_000),
            memory_mib: 4096,
            processes: 4096,
            processors: 0,
            files: 1024,
            file_size_mib: 10 * 1024,
        }
    }
}
