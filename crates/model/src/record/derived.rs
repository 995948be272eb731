//! Facts derived from a record: nothing here is stored.

use super::{Attempt, Outcome, Record, SubTask};
use crate::command::Decided;
use crate::expr::Template;
use crate::record::Hold;
use crate::status::{Resolution, SubTaskStatus, TaskStatus};
use crate::time::Timestamp;
use crate::workflow::CompiledSubTask;

/// Reason why a task does not move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingFor {
    /// The start time of the task.
    Start(Timestamp),
    /// Locks or slots that the task claims, and others hold.
    Lock,
    /// A sub-task's timer.
    Timer(u32, Timestamp),
    /// A sub-task's next automatic attempt.
    Retry(u32, Timestamp),
    /// A worker of the sub-task's queue.
    Worker(u32, Timestamp),
    /// A permit at the node that is to run the sub-task: as many attempts run there as it may.
    Capacity(u32, Timestamp),
    /// An operator: a sub-task's outcome is unknown.
    Decision(u32),
    /// The end of attempts that were told to stop.
    Stop(Timestamp),
    /// The server, which is paused and starts nothing; the sub-task that it would start, if one waits.
    Paused(Option<u32>),
}

impl SubTask {
    /// Returns the progress of a sub-task without children, in percent.
    pub(crate) fn own_progress(&self) -> Option<u8> {
        match self.status {
            SubTaskStatus::Successful | SubTaskStatus::Skipped | SubTaskStatus::NotApplicable => Some(100),
            SubTaskStatus::InProgress => self.progress.map(|percent| percent.min(99)),
            SubTaskStatus::Pending | SubTaskStatus::Failed => None,
        }
    }
}

impl Record {
    /// Returns the count of the workflow's own sub-tasks; those behind are children.
    pub fn own_sub_tasks(&self) -> u32 {
        self.workflow.sub_tasks.len() as u32
    }

    /// Returns true if the record has the workflow's sub-tasks and, behind them, the children of each that
    /// has some: nothing else.
    pub fn is_whole(&self) -> bool {
        let own = self.workflow.sub_tasks.len();
        let Some((mine, children)) = self.sub_tasks.split_at_checked(own) else { return false };
        let fans = || mine.iter().filter_map(|sub| sub.fan.as_deref());
        let parent = |index: u32| fans().find(|fan| fan.children().contains(&index)).map(|fan| fan.first);
        mine.iter().all(|sub| sub.child.is_none())
            && fans().map(|fan| fan.count as usize).sum::<usize>() == children.len()
            && children.iter().zip(own as u32..).all(|(sub, index)| {
                let first = parent(index);
                sub.fan.is_none()
                    && sub.child.as_ref().is_some_and(|child| Some(index - child.index) == first)
            })
    }

    /// Returns the index of the workflow's sub-task that a sub-task is, or is a child of.
    pub fn own(&self, index: u32) -> u32 {
        let Some(sub) = self.sub_tasks.get(index as usize) else { return self.parent_left_out(index) };
        sub.child.as_ref().map_or(index, |child| child.parent)
    }

    /// Returns the workflow's definition of a sub-task; of a child, the definition of its parent.
    pub fn definition(&self, index: u32) -> &CompiledSubTask {
        &self.workflow.sub_tasks[self.own(index) as usize]
    }

    /// Returns the indexes of the children, if there are any and they are not left out.
    pub fn children(&self, index: u32) -> std::ops::Range<u32> {
        let fan = self.sub_tasks[index as usize].fan.as_ref();
        fan.filter(|fan| (fan.first as usize) < self.sub_tasks.len()).map_or(0..0, |fan| fan.children())
    }

    /// A sub-task's name on the wire.
    pub fn sub_task_name(&self, index: u32) -> &str {
        let sub = &self.sub_tasks[index as usize];
        sub.title.as_deref().unwrap_or_else(|| &self.definition(index).name)
    }

    /// A sub-task's description on the wire.
    pub fn sub_task_description(&self, index: u32) -> &str {
        let written = match &self.definition(index).description {
            Template::Plain(text) => text.as_str(),
            Template::Whole(_) | Template::Mixed(_) => "",
        };
        self.sub_tasks[index as usize].description.as_deref().unwrap_or(written)
    }

    /// Finds a sub-task by name: its key or, failing that, its name on the wire. `Name[3]` is the child of
    /// item 3 of the sub-task of that name, or the one of that item among children of that name.
    pub fn find_sub_task(&self, name: &str) -> Option<u32> {
        let all = || 0..self.sub_tasks.len() as u32;
        let known = |name: &str| {
            self.workflow.index_of(name).or_else(|| all().find(|&i| self.sub_task_name(i) == name))
        };
        known(name).or_else(|| {
            let (of, item) = name.strip_suffix(']')?.rsplit_once('[')?;
            let item: u32 = item.parse().ok()?;
            let is = |index: &u32| {
                self.sub_tasks[*index as usize].child.as_ref().is_some_and(|child| child.index == item)
            };
            let of_parent = known(of).and_then(|parent| self.children(parent).find(is));
            of_parent.or_else(|| all().find(|index| is(index) && self.sub_task_name(*index) == of))
        })
    }

    /// Returns true if a cancel would be accepted now.
    pub fn is_cancellable(&self) -> bool {
        !self.state.status.is_ended() && self.state.stopping.is_none() && self.workflow.definition.cancellable
    }

    /// Returns true if a retry would be accepted now.
    pub fn is_retryable(&self) -> bool {
        self.state.status == TaskStatus::Failed
            && self.workflow.definition.retryable
            && self.credentials_operation().is_none()
            && self.undecided().is_none()
    }

    /// Returns true if the task failed and keeps its locks until somebody decides about it or releases them.
    pub fn awaits_decision(&self) -> bool {
        self.state.status == TaskStatus::Failed && self.holds_locks()
    }

    /// Returns true if the task's history may be deleted: nothing can change the task any more, or somebody
    /// resolved it.
    pub fn is_deletable(&self) -> bool {
        let dealt_with = self.state.resolution == Resolution::Resolved;
        match self.state.status {
            TaskStatus::Pending | TaskStatus::InProgress => false,
            TaskStatus::Failed => {
                let open = self.is_retryable() || self.undecided().is_some();
                !self.holds_locks() && (dealt_with || !open)
            }
            TaskStatus::Successful
            | TaskStatus::CompletedWithWarning
            | TaskStatus::Cancelled
            | TaskStatus::Skipped => true,
        }
    }

    /// Returns true if retention may delete the task's history once old enough: nobody waits for its locks,
    /// or for a decision.
    pub fn may_expire(&self) -> bool {
        self.state.status.is_ended() && !self.holds_locks() && self.undecided().is_none()
    }

    /// Returns the first sub-task whose outcome an operator must decide; of children that are left out, their
    /// parent.
    pub fn undecided(&self) -> Option<u32> {
        let here = self.sub_tasks.iter().position(|sub| sub.outcome_unknown).map(|i| i as u32);
        here.or_else(|| self.left_out().find(|(_, children)| children.unknown > 0).map(|(parent, _)| parent))
    }

    /// Returns the sub-tasks that a decision about all of them concerns: those of the whole task, or the
    /// children of one sub-task. A parent is decided by its children.
    pub fn open_to(&self, what: Decided, parent: Option<u32>) -> Vec<u32> {
        let fits = |index: &u32| {
            let sub = &self.sub_tasks[*index as usize];
            let open = match what {
                Decided::Done | Decided::NotDone | Decided::Failed => sub.outcome_unknown,
                Decided::Skipped => sub.status == SubTaskStatus::Failed && sub.fan.is_none(),
            };
            open && parent.is_none_or(|parent| self.own(*index) == parent)
        };
        (0..self.sub_tasks.len() as u32).filter(fits).collect()
    }

    /// Returns the reason for the task's wait, if it waits. Children that are left out wait under the name of
    /// their parent.
    pub fn waiting_for(&self) -> Option<WaitingFor> {
        if self.state.status.is_ended() {
            let open = self.undecided().filter(|_| self.state.status == TaskStatus::Failed);
            return open.map(WaitingFor::Decision);
        }
        if let Some(stopping) = &self.state.stopping {
            return Some(WaitingFor::Stop(stopping.give_up_at));
        }
        if self.state.hold == Hold::Waiting {
            return Some(WaitingFor::Lock);
        }
        if let (TaskStatus::Pending, Some(at)) = (self.state.status, self.state.not_before) {
            return Some(WaitingFor::Start(at));
        }
        let timed = self.sub_tasks.iter().zip(0..).filter_map(|(sub, i)| Some((sub.due_at?, sub.status, i)));
        if self.runs() {
            return None;
        }
        // Only the parent of a child is known here, and not whether the timer is a wait or a next attempt.
        let of_children = self
            .left_out()
            .filter_map(|(parent, children)| Some((children.due?, SubTaskStatus::Pending, parent)));
        let timed = timed.chain(of_children);
        let timer = timed.min_by_key(|(at, ..)| *at).map(|(at, status, i)| match status {
            SubTaskStatus::InProgress => WaitingFor::Timer(i, at),
            _ => WaitingFor::Retry(i, at),
        });
        let queued = || {
            let first = self.sub_tasks.iter().zip(0..).find_map(|(sub, i)| Some((i, sub.queued_at?)));
            first.map(|(i, since)| self.in_line(i, since))
        };
        let since = |parent: u32| self.sub_tasks[parent as usize].started_at.unwrap_or(self.state.created_at);
        let queued_children = || {
            let mut waiting = self.left_out().filter(|(_, children)| children.queued > 0);
            waiting.next().map(|(parent, _)| self.in_line(parent, since(parent)))
        };
        timer.or_else(queued).or_else(queued_children)
    }

    /// Returns the reason for the task's wait at a server that is paused, where neither permits nor timers
    /// make anything start. What others must give, such as a decision or a lock, is waited for there, too.
    pub fn waiting_for_while_paused(&self) -> Option<WaitingFor> {
        match self.waiting_for() {
            None if self.state.status.is_ended() || self.runs() => None,
            None | Some(WaitingFor::Start(_)) => Some(WaitingFor::Paused(None)),
            Some(WaitingFor::Stop(_)) if !self.runs() => Some(WaitingFor::Paused(None)),
            Some(
                WaitingFor::Timer(index, _)
                | WaitingFor::Retry(index, _)
                | WaitingFor::Worker(index, _)
                | WaitingFor::Capacity(index, _)
                | WaitingFor::Paused(Some(index)),
            ) => Some(WaitingFor::Paused(Some(index))),
            other @ Some(
                WaitingFor::Lock | WaitingFor::Decision(_) | WaitingFor::Stop(_) | WaitingFor::Paused(None),
            ) => other,
        }
    }

    /// Returns true if an attempt runs.
    fn runs(&self) -> bool {
        // A parent runs in its children.
        let works = |sub: &SubTask| {
            sub.status == SubTaskStatus::InProgress && sub.due_at.is_none() && sub.fan.is_none()
        };
        self.sub_tasks.iter().any(works) || self.left_out().any(|(_, children)| children.running > 0)
    }

    /// Returns the reason for the wait of a sub-task in a queue or in line.
    fn in_line(&self, index: u32, since: Timestamp) -> WaitingFor {
        match self.definition(index).action.is_built_in() {
            true => WaitingFor::Capacity(index, since),
            false => WaitingFor::Worker(index, since),
        }
    }

    /// Returns true if the task's input may hold secrets. An attempt may output one even if it was not given
    /// any: a service may repeat to a later attempt what an earlier one told it.
    pub fn has_secrets(&self) -> bool {
        !self.workflow.secrets.is_empty()
    }

    /// Returns the progress in percent: ended sub-tasks, and the reports of running ones. Children count
    /// within their parent.
    pub fn progress(&self) -> u8 {
        if self.sub_tasks.is_empty() || self.state.status == TaskStatus::Successful {
            return 100;
        }
        let own = self.own_sub_tasks();
        let sum: usize = (0..own).map(|index| usize::from(self.sub_task_progress(index).unwrap_or(0))).sum();
        (sum / own as usize) as u8
    }

    /// Returns the progress of one sub-task in percent: as reported, or the share of its children that ended.
    pub fn sub_task_progress(&self, index: u32) -> Option<u8> {
        let sub = &self.sub_tasks[index as usize];
        match sub.status {
            SubTaskStatus::InProgress if sub.fan.is_some() => {
                let children = self.children_in_numbers(index).unwrap_or_default();
                Some(children.progress().min(99))
            }
            _ => sub.own_progress(),
        }
    }

    /// Returns the earliest instant at which something is due without anybody asking.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due_among(self.sub_tasks.iter().filter_map(|sub| sub.due_at).min())
    }

    /// Returns the due time like [`Record::due_at`], with the earliest timer of its sub-tasks.
    pub(crate) fn due_among(&self, timer: Option<Timestamp>) -> Option<Timestamp> {
        if self.state.status.is_ended() {
            return None;
        }
        let starts = self.state.status == TaskStatus::Pending && self.state.hold != Hold::Waiting;
        let start = self.state.not_before.filter(|_| starts);
        let stop = self.state.stopping.as_ref().map(|stopping| stopping.give_up_at);
        let deadline = self.state.deadline.filter(|_| stop.is_none());
        timer.into_iter().chain(start).chain(stop).chain(deadline).min()
    }

    /// Returns the latest attempt of each sub-task that has one, unless history has it already (history keeps
    /// every one that did not succeed).
    pub fn latest_attempts(&self) -> impl Iterator<Item = Attempt> + '_ {
        let own = |(sub, _): &(&SubTask, u32)| sub.fan.is_none();
        self.sub_tasks.iter().zip(0..).filter(own).filter_map(|(sub, sub_task)| {
            let outcome = match sub.status {
                SubTaskStatus::Successful => Outcome::Successful,
                SubTaskStatus::InProgress => Outcome::Running,
                _ => return None,
            };
            Some(Attempt {
                sub_task,
                number: sub.attempt,
                generation: sub.generation,
                started_at: sub.started_at?,
                ended_at: sub.completed_at,
                outcome,
                error: None,
                worker: sub.lease.as_ref().map(|lease| &lease.worker).or(sub.worker.as_ref()).cloned(),
            })
        })
    }
}
