//! Signals to a server: SIGTERM and SIGINT stop it, SIGHUP makes it read its configuration again, SIGUSR1 and
//! SIGUSR2 make it log its state. Only a terminal that goes away sends SIGHUP in another sense, and then
//! nobody is left to operate the server: it stops.

use std::io::{self, IsTerminal};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a server listens to.
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    user: [Signal; 2],
    /// True if the process was started from a terminal.
    had_terminal: bool,
    /// True if a reload was asked for while only a stop was waited for.
    missed_reload: bool,
}

/// Request that a signal makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Stop; the signal's name.
    Stop(&'static str),
    /// Read the configuration and the files that it names again.
    Reload,
    /// Log how the server is.
    Status,
}

impl Signals {
    /// Listens to signals from now on.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            user: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
            had_terminal: io::stdin().is_terminal(),
            missed_reload: false,
        })
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) -> Wanted {
        if std::mem::take(&mut self.missed_reload) {
            return Wanted::Reload;
        }
        self.arrived().await
    }

    async fn arrived(&mut self) -> Wanted {
        let [first, second] = &mut self.user;
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop("SIGTERM"),
            _ = self.interrupt.recv() => Wanted::Stop("SIGINT"),
            // A terminal that has gone is no longer a terminal.
            _ = self.hang_up.recv() => match self.had_terminal && !io::stdin().is_terminal() {
                true => Wanted::Stop("SIGHUP"),
                false => Wanted::Reload,
            },
            _ = first.recv() => Wanted::Status,
            _ = second.recv() => Wanted::Status,
        }
    }

    /// Waits for the next signal to stop. A reload that is asked for meanwhile is returned by the next call
    /// of [`Signals::next`].
    pub(crate) async fn stop(&mut self) -> &'static str {
        loop {
            match self.arrived().await {
                Wanted::Stop(signal) => return signal,
                Wanted::Reload => self.missed_reload = true,
                Wanted::Status => {}
            }
        }
    }
}
