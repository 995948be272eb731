//! What an operator decides about running tasks.

use std::path::PathBuf;

use longhaul_model::Span;

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// How long running attempts of a cancelled task have to stop. `cancelGrace`, default 30 s.
    pub cancel_grace: Span,
    /// Attempts of built-in actions that run at once. `maxRunning`, default 4,096.
    pub max_running: usize,
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
            http: HttpConfig::default(),
            command: CommandConfig::default(),
        }
    }
}

/// Where `http` actions may go. Public addresses are allowed; those of this machine and of private networks only
/// if listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpConfig {
    /// Networks (`10.0.0.0/8`), addresses (`127.0.0.1`), host names, each with an optional `:port`.
    pub allow: Vec<String>,
}

/// Which programs `command` actions may run: none unless listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandConfig {
    /// Absolute paths of programs.
    pub allow: Vec<PathBuf>,
    /// The program that starts them: Longhaul's own binary (`/proc/self/exe`), which then runs
    /// [`crate::launcher::main`], so that they die with a server that is killed. Without it they are started as they
    /// are. Set by the binary, not by operators.
    pub launcher: Option<PathBuf>,
}
