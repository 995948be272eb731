//! Posted changes that could not be written, and wait to be written again: apart from what comes new, so that
//! none of them holds that up, and those that fail again and again each by itself.

use std::collections::VecDeque;
use std::time::Duration;

use longhaul_model::TaskId;
use tokio::time::Instant;

/// How long changes wait that failed for the first time, or with everything else.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one waits at the most that fails by itself.
const LONGEST: Duration = Duration::from_secs(30);
/// One that failed so often by itself, while others were written, is set aside: somebody should know.
const SET_ASIDE: u32 = 3;

/// Changes that are tried together.
pub(super) struct Group<J> {
    pub(super) jobs: Vec<J>,
    /// How often they failed while others were written.
    tries: u32,
    /// How many transactions had been written when they failed last.
    written: u64,
    due: Instant,
    /// Since when the oldest waits.
    since: Instant,
    /// What went wrong last.
    reason: String,
    /// Others have locked the task.
    locked: bool,
}

impl<J> Group<J> {
    /// Whether it failed last as somebody keeps the tasks locked.
    pub(super) fn is_locked(&self) -> bool {
        self.locked
    }
}

/// Why changes were not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing can be written just now.
    General,
    /// One of them, or all, cannot be written: which is found out by trying less at once.
    Particular,
    /// Somebody else keeps the task locked.
    Locked,
}

/// All that wait.
pub(super) struct Again<J> {
    groups: VecDeque<Group<J>>,
    /// Transactions that were written.
    written: u64,
}

impl<J> Default for Again<J> {
    fn default() -> Self {
        Again { groups: VecDeque::new(), written: 0 }
    }
}

impl<J> Again<J> {
    /// Keeps changes that failed among others.
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

    /// Takes the changes that are to be tried now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Group<J>> {
        let (at, group) = self.groups.iter().enumerate().min_by_key(|(_, group)| group.due)?;
        if group.due > now { None } else { self.groups.remove(at) }
    }

    /// Puts back changes that failed again. True if they were set aside by that.
    pub(super) fn failed(&mut self, mut group: Group<J>, fault: Fault, reason: &str, now: Instant) -> bool {
        reason.clone_into(&mut group.reason);
        group.locked = fault == Fault::Locked;
        // What failed with everything else says nothing about itself.
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

    /// A transaction was written. After trouble (`healed`) all is tried at once, together, but for what is
    /// set aside.
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

    /// When the next of them is to be tried.
    pub(super) fn due(&self) -> Option<Instant> {
        self.groups.iter().map(|group| group.due).min()
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.groups.iter().map(|group| group.since).min()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.jobs.len()).sum()
    }

    /// Those that are set aside: each, what went wrong, and how often.
    pub(super) fn set_aside(&self) -> impl Iterator<Item = (&J, &str, u32)> {
        let aside = self.groups.iter().filter(|group| group.tries >= SET_ASIDE);
        aside.flat_map(|group| group.jobs.iter().map(|job| (job, group.reason.as_str(), group.tries)))
    }

    /// The changes of one task that wait by themselves, and whether that is because somebody keeps it locked.
    pub(super) fn of(
        &mut self,
        task: TaskId,
        about: impl Fn(&J) -> Option<TaskId>,
    ) -> Option<(&mut Vec<J>, bool)> {
        let all = |group: &&mut Group<J>| group.jobs.iter().all(|job| about(job) == Some(task));
        self.groups.iter_mut().find(all).map(|group| (&mut group.jobs, group.locked))
    }

    /// All of them, for the end.
    pub(super) fn drain(&mut self) -> Vec<J> {
        self.groups.drain(..).flat_map(|group| group.jobs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries what is due, as a database would that cannot write one of them; how many tries until only that
    /// one is left.
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
        // It is tried on, at longer and longer intervals.
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
                // Some of it looks particular, as a lock on a table does.
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
