//! Parts of the log and tasks that were read lately, for all readers.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_model::{Spec, TaskId};
use longhaul_store::{Changes, Facts, Position, Store, StoreError, Stored};

use super::{FeedTask, Form};
use crate::engine::Engine;

/// Number of parts of the log that are kept.
const PARTS: usize = 64;
/// Time for which readers share that the log had no more.
const HEARD: Duration = Duration::from_millis(500);
/// Largest size in bytes of the tasks that are kept.
const KEPT: usize = 8 << 20;
/// Estimated size in bytes of a kept task besides its text.
const EACH: usize = 512;

/// Part of the log, from one position to another.
pub(super) struct Part {
    from: Position,
    pub(super) position: Position,
    /// Tasks that changed, each once, in the order of their last change.
    pub(super) tasks: Vec<TaskId>,
    pub(super) more: bool,
    /// Count of the feed before the part was read, and the time.
    count: u64,
    at: Instant,
    /// Number of the read: a task that was read by a later one is at least as new as the part.
    read: u64,
}

/// Tasks of a part by ID; `None` for one that is gone.
pub(super) type Found = HashMap<TaskId, Option<Arc<FeedTask>>>;

struct Kept {
    read: u64,
    task: Option<Arc<FeedTask>>,
}

/// Parts and tasks that were read lately.
#[derive(Default)]
pub(super) struct Shelf {
    reads: u64,
    parts: VecDeque<Arc<Part>>,
    tasks: HashMap<(TaskId, u8), Kept>,
    size: usize,
}

impl Shelf {
    /// Returns the part of the log after a position; `None` if the log does not have it any more.
    pub(super) async fn part(
        &mut self,
        engine: &Engine,
        from: &Position,
        limit: u32,
    ) -> Result<Option<Arc<Part>>, StoreError> {
        let count = *engine.inner.dispatcher.feed().changed.borrow();
        // A part that has changes stays as it is. At the end of the log there may be more by now, unless
        // nothing was heard of since; that does not count for long, as the word of another node may have been
        // lost.
        let holds =
            |part: &Part| !part.tasks.is_empty() || (part.count == count && part.at.elapsed() < HEARD);
        if let Some(part) = self.parts.iter().rev().find(|part| part.from == *from && holds(part)) {
            return Ok(Some(part.clone()));
        }
        self.reads += 1;
        let after = from.clone();
        let Some(changes) = engine.beside(move |store| store.changes(&after, limit)).await? else {
            return Ok(None);
        };
        let Changes { tasks, position, more } = changes;
        if let Some(at) = position.newest_since(from) {
            let lag = engine.env().now().0.saturating_sub(at.0).max(0).unsigned_abs();
            engine.inner.dispatcher.meters().feed_read(Duration::from_millis(lag));
        }
        let part = Arc::new(Part {
            from: from.clone(),
            position,
            tasks: last_of_each(tasks),
            more,
            count,
            at: Instant::now(),
            read: self.reads,
        });
        self.parts.retain(|part| !part.tasks.is_empty());
        self.parts.push_back(part.clone());
        if self.parts.len() > PARTS {
            self.parts.pop_front();
        }
        Ok(Some(part))
    }

    /// Returns the tasks of a part in a form, no older than the part.
    pub(super) async fn tasks(
        &mut self,
        engine: &Engine,
        part: &Part,
        form: &Form,
    ) -> Result<Found, StoreError> {
        let mut found = Found::new();
        let (mut missing, mut known) = (Vec::new(), HashMap::new());
        for id in part.tasks.iter().copied() {
            match self.tasks.get(&(id, form.number)) {
                Some(kept) if kept.read >= part.read => drop(found.insert(id, kept.task.clone())),
                Some(Kept { task: Some(before), .. }) => {
                    // Labels never change; the specification that has them may be large.
                    known.insert(id, before.clone());
                    missing.push(id);
                }
                _ => missing.push(id),
            }
        }
        if missing.is_empty() {
            return Ok(found);
        }
        self.reads += 1;
        let write = form.clone();
        let read = engine.beside(move |store| {
            missing.into_iter().map(|id| Ok((id, read(store, id, &write, known.get(&id))?))).collect()
        });
        let read: Vec<(TaskId, Option<Arc<FeedTask>>)> = read.await?;
        for (id, task) in read {
            self.keep((id, form.number), task.clone());
            found.insert(id, task);
        }
        Ok(found)
    }

    fn keep(&mut self, key: (TaskId, u8), task: Option<Arc<FeedTask>>) {
        let size = |task: &Option<Arc<FeedTask>>| EACH + task.as_ref().map_or(0, |task| task.json.len());
        if self.size > KEPT {
            self.tasks.clear();
            self.size = 0;
        }
        self.size += size(&task);
        if let Some(before) = self.tasks.insert(key, Kept { read: self.reads, task }) {
            self.size -= size(&before.task);
        }
    }
}

/// Reads one task; `None` if it is gone. A task that cannot be read is shown as damaged.
fn read(
    store: &dyn Store,
    id: TaskId,
    form: &Form,
    before: Option<&Arc<FeedTask>>,
) -> Result<Option<Arc<FeedTask>>, StoreError> {
    let stored = match store.get_short(id) {
        Ok(stored) => stored,
        Err(StoreError::NotFound) => return Ok(None),
        Err(e) => return Err(e),
    };
    let spec = match (before, &stored) {
        (Some(before), Stored::Own(_)) => Some(labelled(before.facts.labels().clone())),
        (None, Stored::Own(_)) => match store.spec(id) {
            Ok(spec) => spec.map(|spec| labelled(spec.labels)),
            Err(StoreError::NotFound) => return Ok(None),
            // The task is shown without its labels.
            Err(StoreError::Corrupt(_)) => None,
            Err(e) => return Err(e),
        },
        _ => None,
    };
    let revision = match &stored {
        Stored::Own(record) => record.state.revision,
        _ => 0,
    };
    let facts = Facts::of(&stored, spec.as_ref());
    let json = (form.write)(&stored, spec.as_ref());
    Ok(Some(Arc::new(FeedTask { id, revision, json, facts })))
}

/// Specification without its input, which readers of the feed do not get.
fn labelled(labels: BTreeMap<String, String>) -> Spec {
    Spec { input: serde_json::Value::Null, labels, requested_by: None, caller: None }
}

fn last_of_each(tasks: Vec<TaskId>) -> Vec<TaskId> {
    let mut seen = HashSet::with_capacity(tasks.len());
    let mut last: Vec<TaskId> = tasks.into_iter().rev().filter(|id| seen.insert(*id)).collect();
    last.reverse();
    last
}
