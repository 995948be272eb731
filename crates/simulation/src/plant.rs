//! Faults that are put in on purpose, one at a time, to see that the simulator finds them. None is in what it
//! tests: each is a wrapper around a call, or a careless version of what the engines do around the model.

use std::str::FromStr;

/// A planted fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plant {
    /// Whether a node lives is judged by the age of its sign of life on the database's wall clock.
    LifeByWallClock,
    /// An attempt's effects are known by a key of its generation and try, which an operator's retry changes.
    KeyOfGeneration,
    /// A wake-up looks only at the first few that wait, and no sweep looks at the others.
    WakeFirstFew,
    /// Attempts begin in the store though no permit is free, and wait for one as running.
    BeginWithoutPermit,
    /// A result counts whatever its token is.
    AnyToken,
    /// All that a task claims is granted once the first of it is free.
    GrantByFirst,
    /// Now and then a release wakes nobody, and no sweep looks.
    LostWakeUp,
    /// A takeover recovers what all nodes look after, not only what the dead one did.
    RecoverAll,
    /// At the start of a single server the list of what is to be recovered is read again as it goes, with
    /// what began meanwhile.
    RecoverAnew,
    /// Only timers in memory are waited for: after a restart nothing that is stored is due.
    TimersForgotten,
    /// Work is handed out from the queue in memory, whatever the model says of it.
    LeaseFromMemory,
    /// What another node leased is taken out of the queue here, also if it has begun to wait anew since.
    LateWithdrawal,
    /// Effects are carried out before the commit, which then fails.
    EffectsBeforeCommit,
    /// A submission is confirmed before its commit.
    ConfirmedBeforeCommit,
    /// A node writes on though its turn is over.
    NoFence,
    /// What was under way is not recovered at a start.
    NoRecovery,
    /// Leases end by the clock on the wall.
    LeasesByWallClock,
    /// Results of a batch whose commit failed are not repeated.
    ResultsDropped,
    /// An attempt that is handed back stays counted.
    HandBackCounts,
}

impl Plant {
    /// All of them.
    pub const ALL: [Plant; 19] = [
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
