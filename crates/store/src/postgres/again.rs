//! Posted changes that failed to be written and wait for a retry, apart from new changes so that they hold
//! none of them up. Changes that fail repeatedly are retried one by one.

use std::collections::VecDeque;
use std::time::Duration;

use longhaul_model::TaskId;
use tokio::time::Instant;

/// Delay before the retry of changes that failed for the first time, or together with everything else.
const PAUSE: Duration = Duration::from_millis(200);
/// Maximum delay between retries of a change that fails by itself.
const LONGEST: Duration = Duration::from_secs(30);
/// Number of failures by itself, while others were written, after which a change is set aside and reported.
const SET_ASIDE: u32 = 3;

/// Changes that are retried together.
pub(super) struct Group<J> {
    pub(super) jobs: Vec<J>,
    /// Number of failures while other changes were written.
    tries: u32,
    /// Count of written transactions at the last failure.
    written: u64,
    due: Instant,
    /// Time at which the oldest change began to wait.
    since: Instant,
    /// Error of the last failure.
    reason: String,
    /// Another session has locked the task.
    locked: bool,
}

impl<J> Group<J> {
    /// Returns true if the last failure was due to tasks locked by another session.
    pub(super) fn is_locked(&self) -> bool {
        self.locked
    }
}

/// Cause of a failure to write changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The database accepts no writes at present.
    General,
    /// A change among several cannot be written; smaller groups are tried to find out which.
    Particular,
    /// Another session keeps the task locked.
    Locked,
}

/// Changes that wait for a retry.
pub(super) struct Again<J> {
    groups: VecDeque<Group<J>>,
    /// Number of transactions written.
    written: u64,
}

impl<J> Default for Again<J> {
    fn default() -> Self {
        Again { groups: VecDeque::new(), written: 0 }
    }
}

impl<J> Again<J> {
    /// Keeps changes that failed in a batch with others.
    pub(super) fn keep(&mut self, jobs: Vec<J>, fault: Fault, reason: &str, now: Instant) {
        if jobs.is_empty() {
            return;
        }
        let group = Group {
            jobs,
            tries: 0,
            written: self.written,
            due: now + PAUSE,
            since: now,
            reason: reason.to_owned(),
            locked: fault == Fault::Locked,
        };
        self.groups.push_back(group);
    }

    /// Takes the next group that is due.
    pub(super) fn take(&mut self, now: Instant) -> Option<Group<J>> {
        let (at, group) = self.groups.iter().enumerate().min_by_key(|(_, group)| group.due)?;
        if group.due > now { None } else { self.groups.remove(at) }
    }

    /// Puts back a group that failed again. Returns true if it is thereby set aside.
    pub(super) fn failed(&mut self, mut group: Group<J>, fault: Fault, reason: &str, now: Instant) -> bool {
        reason.clone_into(&mut group.reason);
        group.locked = fault == Fault::Locked;
        // A failure along with everything else says nothing about the group itself.
        let alone = fault != Fault::General && group.written != self.written;
        if alone && group.jobs.len() > 1 {
            let rest = group.jobs.split_off(group.jobs.len() / 2);
            let other = Group { jobs: rest, due: now, reason: group.reason.clone(), ..group };
            self.groups.push_back(Group { due: now, ..group });
            self.groups.push_back(other);
            return false;
        }
        group.tries += u32::from(alone);
        group.written = self.written;
        group.due = now + (PAUSE * 2_u32.saturating_pow(group.tries.min(16))).min(LONGEST);
        let set_aside = alone && group.tries == SET_ASIDE;
        self.groups.push_back(group);
        set_aside
    }

    /// Notes that a transaction was written. After trouble (`healed`) all groups are merged and tried at
    /// once, except those set aside.
    pub(super) fn written(&mut self, healed: bool, now: Instant) {
        self.written += 1;
        if !healed || self.groups.len() < 2 {
            return;
        }
        let (aside, mut rest): (VecDeque<_>, VecDeque<_>) =
            self.groups.drain(..).partition(|group| group.tries >= SET_ASIDE);
        self.groups = aside;
        if let Some(mut all) = rest.pop_front() {
            for group in rest {
                all.since = all.since.min(group.since);
                all.tries = all.tries.min(group.tries);
                all.locked &= group.locked;
                all.jobs.extend(group.jobs);
            }
            all.due = now;
            self.groups.push_back(all);
        }
    }

    /// Returns the time of the next retry.
    pub(super) fn due(&self) -> Option<Instant> {
        self.groups.iter().map(|group| group.due).min()
    }

    /// Returns the time since which the oldest change has waited.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.groups.iter().map(|group| group.since).min()
    }

    /// Returns the number of waiting changes.
    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.jobs.len()).sum()
    }

    /// Returns each change set aside, with its last error and its number of tries.
    pub(super) fn set_aside(&self) -> impl Iterator<Item = (&J, &str, u32)> {
        let aside = self.groups.iter().filter(|group| group.tries >= SET_ASIDE);
        aside.flat_map(|group| group.jobs.iter().map(|job| (job, group.reason.as_str(), group.tries)))
    }

    /// Returns the changes of a task that is retried by itself, and true if the task is locked by another
    /// session.
    pub(super) fn of(
        &mut self,
        task: TaskId,
        about: impl Fn(&J) -> Option<TaskId>,
    ) -> Option<(&mut Vec<J>, bool)> {
        let all = |group: &&mut Group<J>| group.jobs.iter().all(|job| about(job) == Some(task));
        self.groups.iter_mut().find(all).map(|group| (&mut group.jobs, group.locked))
    }

    /// Takes all changes, to end the writer.
    pub(super) fn drain(&mut self) -> Vec<J> {
        self.groups.drain(..).flat_map(|group| group.jobs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Due changes are retried against a simulated database that cannot write one of them: a few tries
    /// isolate it.
    #[test]
    fn one_that_cannot_be_written_is_found_and_the_others_are_written() {
        let (mut again, mut now) = (Again::default(), Instant::now());
        again.keep((0..512).collect(), Fault::Particular, "bad", now);
        let (mut written, mut tries, mut aside) = (Vec::new(), 0, false);
        while !aside {
            now += PAUSE * 64;
            again.written(false, now);
            let group = again.take(now).expect("something is due");
            tries += 1;
            if group.jobs.contains(&77) {
                aside = again.failed(group, Fault::Particular, "bad", now);
            } else {
                written.extend(group.jobs);
                again.written(false, now);
            }
            assert!(tries < 40, "{tries} tries");
        }
        written.sort_unstable();
        assert_eq!(written, (0..512).filter(|n| *n != 77).collect::<Vec<_>>());
        assert_eq!(again.set_aside().map(|(job, ..)| *job).collect::<Vec<_>>(), [77]);
        // The change is retried at longer and longer intervals.
        for _ in 0..10 {
            let due = again.due().expect("it waits");
            assert!(due <= now + LONGEST);
            now = due;
            let group = again.take(now).expect("it is due");
            assert!(!again.failed(group, Fault::Particular, "bad", now));
            again.written(false, now);
        }
        assert_eq!(again.due(), Some(now + LONGEST));
    }

    #[test]
    fn an_outage_sets_nothing_aside_and_all_is_tried_at_once_after_it() {
        let (mut again, mut now) = (Again::default(), Instant::now());
        for first in 0..8 {
            again.keep(vec![2 * first, 2 * first + 1], Fault::General, "away", now);
        }
        for _ in 0..1_000 {
            now += PAUSE;
            if let Some(group) = again.take(now) {
                // Some general failures look particular, such as a lock on a table.
                let fault = if group.jobs.len() > 1 { Fault::Locked } else { Fault::General };
                assert!(!again.failed(group, fault, "away", now));
            }
        }
        assert_eq!((again.len(), again.set_aside().count()), (16, 0));
        again.written(true, now);
        let all = again.take(now).expect("due at once");
        assert_eq!(all.jobs.len(), 16);
        assert_eq!(again.len(), 0);
    }
}
