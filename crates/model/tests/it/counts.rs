//! Counters as a reader of the measurements keeps them, checked after each change against the record and the
//! history of attempts.

use std::collections::BTreeMap;

use longhaul_model::{
    ActionKind, Attempt, AttemptEnd, Change, Command, Effect, Failure, Measure, Outcome, Record, Span,
    SubTaskStatus, TaskStatus, Timestamp, Wait,
};

#[derive(Debug, Default)]
pub(crate) struct Counts {
    accepted: u32,
    started: u32,
    ended: BTreeMap<&'static str, u32>,
    sub_tasks: BTreeMap<&'static str, u32>,
    attempts: BTreeMap<ActionKind, u32>,
    ends: BTreeMap<(ActionKind, AttemptEnd), u32>,
    waits: Vec<(Wait, Span)>,
    lost_leases: u32,
    /// Counts by the commands and effects themselves.
    told_ended: BTreeMap<&'static str, u32>,
    told_lost: u32,
}

impl Counts {
    pub(crate) fn add(&mut self, all: &[Measure]) {
        for measure in all {
            match *measure {
                Measure::TaskAccepted => self.accepted += 1,
                Measure::TaskStarted => self.started += 1,
                Measure::TaskEnded { status, .. } => *self.ended.entry(status.constant()).or_default() += 1,
                Measure::SubTaskEnded(status) => {
                    *self.sub_tasks.entry(status.constant()).or_default() += 1;
                }
                Measure::AttemptStarted(action) => *self.attempts.entry(action).or_default() += 1,
                Measure::AttemptEnded { action, end, .. } => {
                    *self.ends.entry((action, end)).or_default() += 1;
                }
                Measure::Waited(kind, span) => self.waits.push((kind, span)),
                Measure::LeaseLost => self.lost_leases += 1,
            }
        }
    }

    /// Notes what a command that was accepted says of itself.
    pub(crate) fn note(&mut self, command: &Command, before: &Record, change: &Change) {
        for effect in &change.effects {
            if let Effect::Ended(status) = effect {
                *self.told_ended.entry(status.constant()).or_default() += 1;
            }
        }
        if let Command::Fail { sub_task, failure: Failure::Lost, .. } = command {
            self.told_lost += u32::from(before.sub_tasks[*sub_task as usize].lease.is_some());
        }
    }

    pub(crate) fn check<'a>(
        &self,
        record: &Record,
        history: impl Iterator<Item = &'a Attempt> + Clone,
        handed_back: usize,
        (start, now): (Timestamp, Timestamp),
    ) {
        assert_eq!((self.accepted, self.started), (1, u32::from(record.state.started_at.is_some())));
        assert_eq!(self.ended, self.told_ended, "an end of the task is counted otherwise than told");
        assert_eq!(self.lost_leases, self.told_lost);
        self.check_attempts(record, history, handed_back);
        for status in SubTaskStatus::ALL {
            let counted = self.sub_tasks.get(status.constant()).copied().unwrap_or_default();
            let here = record.sub_tasks.iter().filter(|sub| sub.status == status).count();
            let ends = !matches!(status, SubTaskStatus::Pending | SubTaskStatus::InProgress);
            assert!(
                if ends { counted as usize >= here } else { counted == 0 },
                "{status:?}: {counted}, {here}"
            );
        }
        let past = (now.0 - start.0).max(0) as u64;
        for (kind, span) in &self.waits {
            let is_ahead = matches!(kind, Wait::Retry | Wait::Start);
            assert!(span.0 > 0 && (is_ahead || span.0 <= past), "{kind:?} for {span} of {past} ms");
        }
        let persons = self.waits.iter().filter(|(kind, _)| *kind == Wait::Person).count();
        let failed = self.ended.get(TaskStatus::Failed.constant()).copied().unwrap_or_default();
        assert!(persons <= failed as usize, "a person is waited for once for each failure");
    }

    fn check_attempts<'a>(
        &self,
        record: &Record,
        history: impl Iterator<Item = &'a Attempt> + Clone,
        handed_back: usize,
    ) {
        let (mut begun, mut running) = (BTreeMap::new(), BTreeMap::new());
        for (sub, index) in record.sub_tasks.iter().zip(0_u32..) {
            let action = ActionKind::from(&record.definition(index).action);
            let count = match sub.fan {
                None => sub.attempt,
                // A parent has the attempts that failed before it had children.
                Some(_) => history.clone().filter(|attempt| attempt.sub_task == index).count() as u32,
            };
            if count > 0 {
                *begun.entry(action).or_default() += count;
            }
            if sub.fan.is_none() && sub.status == SubTaskStatus::InProgress {
                *running.entry(action).or_default() += 1;
            }
        }
        assert_eq!(self.attempts, begun, "attempts begun by action");
        let mut open = self.attempts.clone();
        for ((action, _), count) in &self.ends {
            *open.get_mut(action).expect("one that began") -= count;
        }
        open.retain(|_, count| *count > 0);
        assert_eq!(open, running, "attempts that began and did not end");
        for end in AttemptEnd::ALL {
            let counted: u32 =
                self.ends.iter().filter(|((_, kind), _)| *kind == end).map(|(_, count)| count).sum();
            let outcome = match end {
                AttemptEnd::Successful => continue,
                AttemptEnd::HandedBack => {
                    assert_eq!(counted as usize, handed_back);
                    continue;
                }
                AttemptEnd::Failed => Outcome::Failed,
                AttemptEnd::TimedOut => Outcome::TimedOut,
                AttemptEnd::Lost => Outcome::Lost,
                AttemptEnd::Stopped => Outcome::Stopped,
            };
            let kept = history.clone().filter(|attempt| attempt.outcome == outcome).count();
            assert_eq!(counted as usize, kept, "attempts that ended {end:?}");
        }
    }
}
