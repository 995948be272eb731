//! Ends of a command: exit codes that scripts can tell apart, and the message on the way out.

use std::io;

use longhaul_client::ClientError;

use longhaul_model::text::harmless;

use crate::out::{Out, clean, error};

/// Exit codes, as `longhaul --help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Success.
    Success = 0,
    /// The task failed or was cancelled; files have mistakes; something local failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The server refused.
    Refused = 3,
    /// The server does not answer, or its certificate is not trusted.
    Unreachable = 4,
    /// The server failed, or its answer is not understood.
    Server = 5,
    /// Ctrl-C.
    Interrupted = 130,
}

/// Reason why a command ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A call to the server failed.
    Call(ClientError),
    /// The command line is wrong in a way that its parser cannot know.
    Usage(String),
    /// A failure on this machine.
    Local(anyhow::Error),
    /// All messages were printed already.
    Said(Code),
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Failure::Call(error)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Local(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Local(error.into())
    }
}

impl Failure {
    /// Exit code of the failure.
    pub(crate) fn code(&self) -> Code {
        match self {
            Failure::Call(ClientError::Refused { status: 500.., .. } | ClientError::Protocol { .. }) => {
                Code::Server
            }
            Failure::Call(ClientError::Refused { .. }) => Code::Refused,
            Failure::Call(ClientError::Unreachable { .. } | ClientError::Certificate { .. }) => {
                Code::Unreachable
            }
            Failure::Call(ClientError::Address { .. } | ClientError::Setup { .. }) | Failure::Usage(_) => {
                Code::Usage
            }
            Failure::Local(_) if self.is_broken_pipe() => Code::Success,
            Failure::Call(_) | Failure::Local(_) => Code::Failed,
            Failure::Said(code) => *code,
        }
    }

    /// Returns true if the reader of the output closed it, as `head` does.
    fn is_broken_pipe(&self) -> bool {
        let Failure::Local(error) = self else { return false };
        error.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Prints the message on standard error, unless it was printed already.
    pub(crate) fn say(&self, out: &Out) {
        let palette = out.error_palette;
        let (bad, strong) = (palette.bad(), palette.strong());
        let text = match self {
            Failure::Call(ClientError::Refused { status, error }) => {
                let error = Box::new(clean::error(error));
                error::call(&ClientError::Refused { status: *status, error }, palette)
            }
            Failure::Call(e) => error::call(e, palette),
            Failure::Usage(text) => {
                format!("{bad}error:{bad:#} {text}\n\nFor more information, try {strong}--help{strong:#}.")
            }
            Failure::Local(_) if self.is_broken_pipe() => return,
            Failure::Local(e) => format!("{bad}error:{bad:#} {}", harmless(&format!("{e:#}"), true)),
            Failure::Said(_) => return,
        };
        // A failure to write means that nobody listens.
        let _ = out.remark(text.trim_end());
    }
}
