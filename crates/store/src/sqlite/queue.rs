//! Queue of jobs that wait for the writer, in order of arrival. Closing overtakes waiting jobs, and the
//! writer wakes on its own for retries that are due: a channel alone offers neither.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

use super::repeats::Posted;
use super::writer::Job;

/// Maximum waiting jobs; beyond that, callers wait for space.
const LONGEST: usize = 16_384;

/// Job on its way to the writer.
pub(super) struct Entry {
    pub(super) job: Job,
    /// Arrival of the job.
    pub(super) since: Instant,
    /// Latest time to begin the job: nobody waits for its answer after that.
    pub(super) until: Option<Instant>,
}

impl Entry {
    /// Separates posted commands from jobs with a waiting caller.
    pub(super) fn apart(entries: impl Iterator<Item = Entry>) -> (Vec<Posted>, Vec<Entry>) {
        let (mut posted, mut asked) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry.job {
                Job::Command(id, command, None) => posted.push(Posted { id, command, since: entry.since }),
                _ => asked.push(entry),
            }
        }
        (posted, asked)
    }
}

/// Error of a closed queue: no more jobs are accepted.
pub(super) struct Closed;

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Condvar,
    room: Semaphore,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Time set once the writer is to close: no job begins after it.
    closing: Option<Instant>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue { waiting: Mutex::default(), news: Condvar::new(), room: Semaphore::new(LONGEST) }
    }

    /// Appends a job; waits while the queue is full.
    pub(super) async fn put(&self, job: Job, until: Option<Instant>) -> Result<(), Closed> {
        self.room.acquire().await.map_err(|_| Closed)?.forget();
        let mut waiting = self.waiting.lock();
        if waiting.closing.is_some() {
            return Err(Closed);
        }
        waiting.entries.push_back(Entry { job, since: Instant::now(), until });
        drop(waiting);
        self.news.notify_one();
        Ok(())
    }

    /// Takes at most `most` waiting jobs. Blocks until there is one or until `wake`, without limit if that is
    /// `None`; a closed queue does not block. Returns, once closed, the time after which no job may begin.
    pub(super) fn take(&self, taken: &mut Vec<Entry>, most: usize, wake: Option<Instant>) -> Option<Instant> {
        let mut waiting = self.waiting.lock();
        while waiting.entries.is_empty() && waiting.closing.is_none() {
            match wake {
                None => self.news.wait(&mut waiting),
                Some(at) if self.news.wait_until(&mut waiting, at).timed_out() => break,
                Some(_) => {}
            }
        }
        let some = waiting.entries.len().min(most);
        taken.extend(waiting.entries.drain(..some));
        self.room.add_permits(some);
        waiting.closing
    }

    /// Stops accepting jobs. Waiting jobs are begun until the given time, as long as they can be written.
    pub(super) fn close(&self, until: Instant) {
        self.room.close();
        self.waiting.lock().closing.get_or_insert(until);
        self.news.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.room.is_closed()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.lock().entries.is_empty()
    }

    /// Returns the arrival of the oldest waiting job.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.lock().entries.front().map(|entry| entry.since)
    }
}
