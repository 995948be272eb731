//! Faults planted on purpose, one at a time, to see that the simulator finds them. None is in the code under
//! test: each is a wrapper around a call, or a careless version of what the engines do around the model.

use std::str::FromStr;

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// A node's life is judged by the age of its sign of life on the database's wall clock.
    LifeByWallClock,
    /// The key of an attempt's effects consists of its generation and try, which an operator's retry changes.
    KeyOfGeneration,
    /// A wake-up looks only at the first few waiters, and no sweep looks at the others.
    WakeFirstFew,
    /// Attempts begin in the store though no permit is free, and wait for one as running.
    BeginWithoutPermit,
    /// A result counts whatever its token is.
    AnyToken,
    /// All claims of a task are granted once the first of them is free.
    GrantByFirst,
    /// Now and then a release wakes nobody, and no sweep looks.
    LostWakeUp,
    /// A takeover recovers everything that all nodes look after, not only the dead node's share.
    RecoverAll,
    /// After the start of a single server, the list of tasks to recover is read again as it goes, including
    /// those that began meanwhile.
    RecoverAnew,
    /// Only timers in memory are observed: after a restart, no stored timer ever becomes due.
    TimersForgotten,
    /// Work is handed out from the queue in memory, whatever the model says of it.
    LeaseFromMemory,
    /// Work leased by another node is taken out of the queue here, even if it has begun to wait anew since.
    LateWithdrawal,
    /// Effects are carried out before the commit, which then fails.
    EffectsBeforeCommit,
    /// A submission is confirmed before its commit.
    ConfirmedBeforeCommit,
    /// A node keeps writing though its turn is over.
    NoFence,
    /// Tasks in progress are not recovered at a start.
    NoRecovery,
    /// Leases expire by the wall clock.
    LeasesByWallClock,
    /// Results of a batch whose commit failed are not repeated.
    ResultsDropped,
    /// An attempt that is handed back stays counted.
    HandBackCounts,
    /// A worker is told of a lease that lasts longer than its attempt may.
    LeaseOutlastsTimeout,
}

impl Plant {
    /// All planted faults.
    pub const ALL: [Plant; 20] = [
        Plant::LifeByWallClock,
        Plant::KeyOfGeneration,
        Plant::WakeFirstFew,
        Plant::BeginWithoutPermit,
        Plant::AnyToken,
        Plant::GrantByFirst,
        Plant::LostWakeUp,
        Plant::RecoverAll,
        Plant::RecoverAnew,
        Plant::TimersForgotten,
        Plant::LeaseFromMemory,
        Plant::LateWithdrawal,
        Plant::EffectsBeforeCommit,
        Plant::ConfirmedBeforeCommit,
        Plant::NoFence,
        Plant::NoRecovery,
        Plant::LeasesByWallClock,
        Plant::ResultsDropped,
        Plant::HandBackCounts,
        Plant::LeaseOutlastsTimeout,
    ];
}

impl FromStr for Plant {
    type Err = String;

    fn from_str(name: &str) -> Result<Plant, String> {
        let known = || Plant::ALL.map(|plant| format!("{plant:?}")).join(", ");
        let found = Plant::ALL.into_iter().find(|plant| format!("{plant:?}").eq_ignore_ascii_case(name));
        found.ok_or_else(|| format!("no fault is called {name}; there are {}", known()))
    }
}
