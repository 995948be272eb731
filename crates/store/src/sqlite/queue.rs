//! What waits for the writer, in order of arrival. Closing overtakes what waits, and the writer wakes by
//! itself for what is due again: neither can be done with a channel alone.

use std::collections::VecDeque;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};
use tokio::sync::Semaphore;

use super::repeats::Posted;
use super::writer::Job;

/// Jobs that may wait; beyond, callers wait.
const LONGEST: usize = 16_384;

/// A job on its way to the writer.
pub(super) struct Entry {
    pub(super) job: Job,
    /// Since when it waits.
    pub(super) since: Instant,
    /// Not begun after this: nobody waits for the answer any more.
    pub(super) until: Option<Instant>,
}

impl Entry {
    /// What was posted, and what somebody waits for.
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

/// The queue is closed: nothing more is taken in.
pub(super) struct Closed;

pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    news: Condvar,
    room: Semaphore,
}

#[derive(Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// The writer is to close, and to begin nothing after this.
    closing: Option<Instant>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue { waiting: Mutex::default(), news: Condvar::new(), room: Semaphore::new(LONGEST) }
    }

    /// Puts a job behind the others; waits while there is no room.
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

    /// Takes what waits, `most` at the most. Waits for something until `wake`, or for ever; a queue that is
    /// closed does not wait. Gives the instant after which nothing more is to be begun, once it is closed.
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

    /// Takes nothing more in. What waits is begun until the given instant, as long as it can be written.
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

    /// Since when the oldest waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.waiting.lock().entries.front().map(|entry| entry.since)
    }
}
