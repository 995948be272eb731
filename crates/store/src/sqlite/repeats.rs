//! Posted changes that could not be written. Changes of a batch that failed as a whole join the next one. A
//! change that fails by itself is set aside, so that it does not keep others from being written, and is
//! retried less and less often.

use std::collections::VecDeque;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use longhaul_model::{Command, TaskId, Token};

use super::queue::Entry;
use super::writer::Job;
use crate::error::StoreError;
use crate::health::SetAside;
use crate::replacement::replacement;

/// Pause before the writer retries a failed batch; doubles each time, up to the longest.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Shortest and longest pause for changes set aside.
const ASIDE: Duration = Duration::from_secs(1);
const LONGEST_ASIDE: Duration = Duration::from_secs(300);
/// Maximum number of changes kept, and bytes of their outputs. From a tenth of the number on, changes that a
/// running attempt or a sweep will repeat are dropped.
const MOST: usize = 100_000;
const LARGEST: usize = 64 << 20;

/// A task, the kind of command, and its sub-task and attempt.
type Subject = (TaskId, Discriminant<Command>, Option<(u32, Option<Token>)>);

/// A posted change.
pub(super) struct Posted {
    pub(super) id: TaskId,
    pub(super) command: Command,
    pub(super) since: Instant,
}

impl Posted {
    /// Returns a copy.
    pub(super) fn again(&self) -> Posted {
        Posted { id: self.id, command: self.command.clone(), since: self.since }
    }

    /// Returns the subject of the change, by which repetitions of the same change are recognized.
    fn subject(&self) -> Subject {
        let attempt = match &self.command {
            Command::Complete { sub_task, token, .. }
            | Command::Fail { sub_task, token, .. }
            | Command::HandBack { sub_task, token, .. }
            | Command::Report { sub_task, token, .. } => Some((*sub_task, Some(*token))),
            Command::Start { sub_task, .. } => Some((*sub_task, None)),
            _ => None,
        };
        (self.id, discriminant(&self.command), attempt)
    }

    /// Returns true if the sender will repeat the command on its own.
    fn comes_again(&self) -> bool {
        matches!(self.command, Command::Due | Command::Report { .. })
    }

    fn weight(&self) -> usize {
        match &self.command {
            Command::Complete { output: Some(output), .. } => output.to_string().len(),
            _ => 0,
        }
    }
}

impl From<Posted> for Entry {
    fn from(posted: Posted) -> Self {
        let Posted { id, command, since } = posted;
        Entry { job: Job::Command(id, command, None), since, until: None }
    }
}

struct Aside {
    posted: Posted,
    reason: String,
    tries: u32,
    next: Instant,
}

/// Changes waiting to be written again.
pub(super) struct Repeats {
    waiting: VecDeque<Posted>,
    /// Earliest time of the next retry; `None` while nothing failed.
    next: Option<Instant>,
    pause: Duration,
    aside: Vec<Aside>,
    bytes: usize,
    /// True if the list of changes set aside has changed since it was last reported.
    is_news: bool,
}

impl Default for Repeats {
    fn default() -> Self {
        let (waiting, aside) = (VecDeque::new(), Vec::new());
        Repeats { waiting, next: None, pause: PAUSE, aside, bytes: 0, is_news: false }
    }
}

impl Repeats {
    /// Takes in the changes of a batch that failed as a whole. `at_once` skips the pause, as something was
    /// done about the failure.
    pub(super) fn failed(&mut self, posted: Vec<Posted>, at_once: bool) {
        let now = Instant::now();
        // Earlier changes go ahead of those already waiting.
        for posted in posted.into_iter().rev() {
            if self.has_room(&posted) {
                self.waiting.push_front(posted);
            }
        }
        self.next = Some(if at_once { now } else { now + self.pause });
        if !at_once {
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Notes that a batch was written. After failures every change set aside is due for a retry.
    pub(super) fn healed(&mut self) {
        self.pause = PAUSE;
        if self.next.take().is_some() {
            for aside in &mut self.aside {
                aside.next = Instant::now();
            }
        }
    }

    /// Takes in the replacement of a change that failed by itself; sets the change aside if there is none.
    /// Returns true if there is one.
    pub(super) fn spoilt(&mut self, posted: Posted, tries: u32, why: &StoreError) -> bool {
        match replacement(&posted.command, why) {
            Some(command) => {
                tracing::error!(task.id = %posted.id, error = %why, "a change of a task ended in a fault: its attempt fails");
                let substitute = Posted { command, ..posted };
                if self.has_room(&substitute) {
                    self.waiting.push_back(substitute);
                }
                true
            }
            None => {
                self.set_aside(posted, tries, why);
                false
            }
        }
    }

    /// Sets aside a change that failed by itself. `tries` counts its earlier failures of this kind.
    pub(super) fn set_aside(&mut self, posted: Posted, tries: u32, why: &StoreError) {
        if !self.has_room(&posted) {
            return;
        }
        let (id, tries, reason) = (posted.id, tries + 1, why.to_string());
        if tries == 1 {
            tracing::error!(task.id = %id, error = reason, "a change of a task cannot be written and is set aside; it will be tried again");
        }
        let pause = (ASIDE * 2_u32.saturating_pow(tries - 1)).min(LONGEST_ASIDE);
        self.is_news = true;
        self.aside.push(Aside { posted, reason, tries, next: Instant::now() + pause });
    }

    /// Returns true if the same change is set aside: trying it along with others would show nothing new.
    pub(super) fn holds(&self, id: TaskId, command: &Command) -> bool {
        if self.aside.is_empty() {
            return false;
        }
        let asked = Posted { id, command: command.clone(), since: Instant::now() };
        self.aside.iter().any(|aside| aside.posted.subject() == asked.subject())
    }

    fn has_room(&mut self, posted: &Posted) -> bool {
        let (count, weight) = (self.waiting.len() + self.aside.len(), posted.weight());
        if posted.comes_again() && count >= MOST / 10 {
            return false;
        }
        if count >= MOST || self.bytes + weight > LARGEST {
            tracing::error!(task.id = %posted.id, "a change of a task could not be written, and there is no room to keep it: the next start finds out what it was");
            return false;
        }
        self.bytes += weight;
        true
    }

    /// Takes out the changes to be retried with the next batch, oldest first.
    pub(super) fn due(&mut self, now: Instant, most: usize) -> Vec<Posted> {
        if self.next.is_some_and(|next| next > now) {
            return Vec::new();
        }
        let some = self.waiting.len().min(most);
        let due: Vec<Posted> = self.waiting.drain(..some).collect();
        self.forget_weight(&due);
        due
    }

    /// Takes out one change set aside that is due for a retry, with the number of its failures.
    pub(super) fn lone(&mut self, now: Instant) -> Option<(Posted, u32)> {
        let at = self.aside.iter().position(|aside| aside.next <= now)?;
        let Aside { posted, tries, .. } = self.aside.remove(at);
        self.is_news = true;
        self.forget_weight(std::slice::from_ref(&posted));
        Some((posted, tries))
    }

    fn forget_weight(&mut self, gone: &[Posted]) {
        self.bytes = self.bytes.saturating_sub(gone.iter().map(Posted::weight).sum());
    }

    /// Returns the time of the next retry; `with_aside` includes the changes set aside.
    pub(super) fn wake(&self, with_aside: bool) -> Option<Instant> {
        let waiting = (!self.waiting.is_empty()).then(|| self.next.unwrap_or_else(Instant::now));
        let aside = self.aside.iter().filter(|_| with_aside).map(|aside| aside.next);
        waiting.into_iter().chain(aside).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the number of changes waiting, the arrival of the oldest, and those set aside if that list
    /// changed.
    pub(super) fn told(&mut self) -> (usize, Option<Instant>, Option<Vec<SetAside>>) {
        let set_aside = std::mem::take(&mut self.is_news).then(|| {
            let one = |aside: &Aside| SetAside {
                task: aside.posted.id,
                reason: aside.reason.clone(),
                tries: aside.tries,
            };
            self.aside.iter().map(one).collect()
        });
        let oldest = self.waiting.iter().map(|posted| posted.since).min();
        (self.waiting.len(), oldest, set_aside)
    }
}
