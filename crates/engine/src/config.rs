//! What an operator decides about running tasks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use longhaul_model::Span;

use crate::workers::WorkerBounds;

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// How long running attempts of a cancelled task have to stop. `cancelGrace`, default 30 s.
    pub cancel_grace: Span,
    /// Attempts of built-in actions that run at once. `maxRunning`, default 4,096.
    pub max_running: usize,
    /// True for a server at which nothing starts: reads and decisions work.
    pub paused: bool,
    /// What one account may have of queues and workers.
    pub workers: WorkerBounds,
    /// The `http` action.
    pub http: HttpConfig,
    /// The `command` action.
    pub command: CommandConfig,
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
        }
    }
}

impl EngineConfig {
    /// Returns every mistake in the settings of actions: the setting, as it is called in the configuration
    /// file, and what is wrong with it.
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
    /// PEM files of the certificate and key that requests are sent with.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
}

/// Which programs `command` actions may run: none unless listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandConfig {
    /// The programs.
    pub allow: Vec<AllowedProgram>,
    /// The program that starts them: Longhaul's own binary (`/proc/self/exe`), which then runs
    /// [`crate::launcher::main`], so that they have limits, and end with all they started, even when the
    /// server is killed. Without it they are started as they are. Set by the binary, not by operators.
    pub launcher: Option<PathBuf>,
}

/// A program that `command` actions may run, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedProgram {
    /// Its absolute path, as workflows write it.
    pub path: PathBuf,
    /// Names of environment variables that workflows may set; a name may end in `*`.
    pub env: Vec<String>,
    /// Environment variables with the values that the program always gets.
    pub set: BTreeMap<String, String>,
    /// Regular expressions, one for each argument by its position, each of which must match the whole
    /// argument. `None`: any arguments.
    pub arguments: Option<Vec<String>>,
    /// A regular expression that each argument beyond those must match as a whole. `None`: there may be no
    /// more of them, if `arguments` are given.
    pub more_arguments: Option<String>,
    /// True if the value of an expression may begin an argument with `-`, so that the program reads it as an
    /// option.
    pub options_from_values: bool,
    /// What it may use.
    pub limits: CommandLimits,
}

impl<T: Into<PathBuf>> From<T> for AllowedProgram {
    /// The program with any arguments that are no options, and without an environment.
    fn from(path: T) -> Self {
        AllowedProgram { path: path.into(), ..AllowedProgram::default() }
    }
}

/// Limits on a program's use of the machine; 0 is no limit. Each limit holds for one process, and those of
/// memory, processes and processors also for the program as a whole where it has a control group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandLimits {
    /// Processor time. Default 1 h.
    pub cpu: Span,
    /// Memory that it fills, in MiB. Default 4,096.
    pub memory_mib: u64,
    /// Processes and threads of the account that the server runs as. Default 4,096.
    pub processes: u64,
    /// Hundredths of a processor that it may keep busy; only with control groups. Default no limit.
    pub processors: u64,
    /// Open files. Default 1,024.
    pub files: u64,
    /// The largest file that it writes, in MiB. Default 10,240.
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
