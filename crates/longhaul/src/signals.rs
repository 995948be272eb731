//! What signals mean to a server: SIGTERM and SIGINT stop it, SIGHUP has it read its certificate again. Only a terminal
//! that goes away sends SIGHUP in another sense, and then nobody is left to look after the server: it stops.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a server listens to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    /// Whether somebody started it from a terminal.
    had_terminal: bool,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Stop; the signal's name.
    Stop(&'static str),
    /// Read what may have changed.
    Reload,
}

impl Signals {
    /// From now on.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            had_terminal: io::stdin().is_terminal(),
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Wanted::Stop("SIGINT"),
            // A terminal that has gone is none any more.
            _ = self.hang_up.recv() => match self.had_terminal && !io::stdin().is_terminal() {
                true => Wanted::Stop("SIGHUP"),
                false => Wanted::Reload,
            },
        }
    }

    /// Waits for the next one that says to stop.
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            if let Wanted::Stop(signal) = self.next().await {
                return signal;
            }
        }
    }
}
