//! Hand-over of claims within a transaction: requests of its jobs are entered, and released claims go to the
//! next in line. All of that happens after the jobs, in a few statements for all of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use longhaul_model::{Change, Claim, Command, Record, Task, TaskId};
use uuid::Uuid;

use super::super::batch::Batch;
use super::left::Left;
use crate::error::StoreError;

/// Maximum number of claims touched in one transaction: further ones are left for the next, together with the
/// jobs that arrived meanwhile.
const TOUCHED: usize = 256;

/// Claims still to be settled in a transaction.
#[derive(Default)]
pub(in crate::postgres) struct Open {
    /// Tasks that release their claims.
    released: BTreeSet<TaskId>,
    /// Tasks that request claims, in order, with those claims.
    requested: Vec<(TaskId, Vec<Claim>)>,
    /// Keys and tasks to look at.
    look: Left,
    /// Locked keys.
    locked: HashSet<String>,
    /// True once the transaction has waited for keys: it waits for no others.
    has_waited: bool,
    /// Number of claims touched.
    touched: usize,
    /// Tasks whose claims were granted and that were told so.
    told: HashSet<TaskId>,
    left: Left,
}

impl Open {
    /// Adds keys and tasks to look at.
    pub(in crate::postgres) fn look_at(&mut self, at: &Left) {
        self.look.add(at);
    }

    /// Releases everything that a task holds or requests.
    pub(in crate::postgres) fn release(&mut self, id: TaskId) {
        self.requested.retain(|(asks, _)| *asks != id);
        self.released.insert(id);
    }

    /// Returns true if a task was granted its claims, and continued, after its job was done.
    pub(in crate::postgres) fn was_told(&self, id: TaskId) -> bool {
        self.told.contains(&id)
    }

    /// Returns the claims left for another transaction.
    pub(in crate::postgres) fn into_left(self) -> Left {
        self.left
    }

    fn room(&self) -> usize {
        TOUCHED.saturating_sub(self.touched)
    }
}

impl Batch<'_> {
    /// Notes the claims that a change requests and releases.
    pub(in crate::postgres) fn settle_claims(&mut self, task: &Task, change: &Change) {
        let id = task.id();
        if change.claims {
            self.claims.requested.push((id, task.record().claims()));
        }
        if change.releases {
            self.claims.release(id);
        }
    }

    /// Rejects a task that does not wait while others hold or wait for its claims.
    pub(in crate::postgres) async fn check_claims(&mut self, record: &Record) -> Result<(), StoreError> {
        let keys: Vec<String> = record.claims().iter().map(super::key).collect();
        self.enter_claims(keys.clone()).await?;
        let holders = super::others(self.db, &keys).await?;
        if holders.is_empty() { Ok(()) } else { Err(StoreError::Locked(holders)) }
    }

    /// Writes requests and releases. Locks their keys, and those in `more`.
    async fn enter_claims(&mut self, more: Vec<String>) -> Result<(), StoreError> {
        let released: Vec<Uuid> =
            std::mem::take(&mut self.claims.released).into_iter().map(|id| id.0).collect();
        let requested = std::mem::take(&mut self.claims.requested);
        let asked = requested.iter().flat_map(|(_, claims)| claims.iter().map(super::key));
        let asked: BTreeSet<String> = asked.chain(more).collect();
        let mut wanted: Vec<String> = asked.iter().cloned().collect();
        if !self.claims.has_waited {
            wanted.extend(self.claims.look.keys.iter().cloned());
            let mut tasks = released.clone();
            tasks.extend(&self.claims.look.tasks);
            self.claims.has_waited = true;
            if !wanted.is_empty() || !tasks.is_empty() {
                self.claims.locked.extend(super::lock(self.db, &tasks, &wanted).await?);
            }
        } else {
            // A second wait is rare. Nodes may then deadlock: the database breaks the deadlock, and the
            // transaction is retried.
            wanted.retain(|key| !self.claims.locked.contains(key));
            if !wanted.is_empty() {
                self.claims.locked.extend(super::lock(self.db, &[], &wanted).await?);
            }
        }
        if !released.is_empty() {
            self.claims.look.keys.extend(super::leave(self.db, &released).await?);
        }
        if !requested.is_empty() {
            self.claims.look.keys.extend(asked);
            super::enter(self.db, &requested, self.now).await?;
        }
        Ok(())
    }

    /// Grants available claims to the next in line, which may release theirs at once.
    pub(in crate::postgres) async fn hand_on(&mut self) -> Result<(), StoreError> {
        loop {
            self.enter_claims(Vec::new()).await?;
            let look = std::mem::take(&mut self.claims.look);
            if look.is_empty() {
                return Ok(());
            }
            if self.claims.room() == 0 {
                self.claims.left.add(&look);
                continue;
            }
            let keys = self.at_hand_of(look.keys).await?;
            let (places, locks): (Vec<&String>, Vec<&String>) =
                keys.iter().partition(|key| Claim::is_place(key));
            let mut tasks = super::ours(self.db, look.tasks.into_iter().collect()).await?;
            if !tasks.is_empty() {
                self.claims.look.keys.extend(super::forget(self.db, &tasks).await?);
            }
            if !locks.is_empty() {
                tasks.extend(self.advance(&locks).await?);
            }
            let mut granted = self.in_line(&tasks).await?;
            // Slots of tasks that got in line just now are looked at in the next round.
            if !places.is_empty() && self.claims.room() > 0 {
                granted.extend(self.fill(&places).await?);
            } else {
                self.claims.left.keys.extend(places.into_iter().cloned());
            }
            self.grant(granted).await?;
        }
    }

    /// Returns those of the keys that are locked or can be locked at once; the others are left for later.
    async fn at_hand_of(&mut self, keys: BTreeSet<String>) -> Result<Vec<String>, StoreError> {
        let unlocked: Vec<String> =
            keys.iter().filter(|key| !self.claims.locked.contains(*key)).cloned().collect();
        if !unlocked.is_empty() {
            self.claims.locked.extend(super::try_lock(self.db, &unlocked).await?);
        }
        let (ours, others): (Vec<String>, Vec<String>) =
            keys.into_iter().partition(|key| self.claims.locked.contains(key));
        self.claims.left.keys.extend(others);
        Ok(ours)
    }

    /// Marks the claims that have become clear on these locks; returns their tasks.
    async fn advance(&mut self, locks: &[&String]) -> Result<Vec<Uuid>, StoreError> {
        let most = self.claims.room();
        let next = super::next(self.db, locks, most as i64).await?;
        let mut counts: HashMap<&String, usize> = HashMap::new();
        for next in &next {
            let count = counts.entry(&next.key).or_default();
            *count += 1;
            if !next.ours || *count >= most {
                self.claims.left.keys.insert(next.key.clone());
            }
        }
        let next: Vec<super::Next> = next.into_iter().filter(|next| next.ours).collect();
        self.claims.touched += next.len();
        if next.is_empty() {
            return Ok(Vec::new());
        }
        super::clear(self.db, &next).await?;
        Ok(next.into_iter().map(|next| next.task).collect())
    }

    /// Sorts the tasks that are clear on all their locks: returns those without a slot, which may start, and
    /// puts the others in line for theirs.
    async fn in_line(&mut self, tasks: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let (mut go, mut line) = (Vec::new(), Vec::new());
        for (id, place) in super::ready(self.db, tasks).await? {
            match place {
                None => go.push(id),
                Some(key) => {
                    line.push(id);
                    self.claims.look.keys.insert(key);
                }
            }
        }
        if !line.is_empty() {
            super::in_line(self.db, &line).await?;
        }
        Ok(go)
    }

    /// Returns the tasks that get the free places of these keys.
    async fn fill(&mut self, places: &[&String]) -> Result<Vec<Uuid>, StoreError> {
        let next = super::next_places(self.db, places, self.claims.room() as i64).await?;
        let mut counts: HashMap<&String, (i64, bool)> = HashMap::new();
        for place in &next {
            let (count, more) = counts.entry(&place.key).or_default();
            *count += 1;
            // All candidates got a slot, as many as were requested: there may be more, as counted by the
            // first.
            *more = place.goes && *count >= place.asked;
        }
        let more: Vec<String> =
            counts.iter().filter(|(_, (_, more))| *more).map(|(key, _)| (*key).clone()).collect();
        let go: Vec<Uuid> = next.iter().filter(|place| place.goes).map(|place| place.task).collect();
        self.claims.touched += go.len();
        self.claims.look.keys.extend(more);
        Ok(go)
    }

    /// Grants tasks their claims and continues them: in this transaction, unless another one has locked them.
    async fn grant(&mut self, tasks: Vec<Uuid>) -> Result<(), StoreError> {
        if tasks.is_empty() {
            return Ok(());
        }
        let (here, elsewhere): (Vec<Uuid>, Vec<Uuid>) =
            tasks.iter().partition(|id| self.tasks.contains_key(&TaskId(**id)));
        let mut at_hand = here;
        if !elsewhere.is_empty() {
            // Rows are not waited for: another node may wait for this transaction, but never the other way
            // round.
            at_hand.extend(super::lock_tasks(self.db, &elsewhere).await?);
        }
        let given: HashSet<Uuid> =
            super::grant(self.db, &tasks, &at_hand, self.now).await?.into_iter().collect();
        let at_hand: HashSet<Uuid> = at_hand.into_iter().collect();
        self.load(at_hand.intersection(&given).copied().map(TaskId).collect()).await?;
        for id in tasks.into_iter().filter(|id| given.contains(id)) {
            if at_hand.contains(&id) {
                self.tell_granted(TaskId(id)).await?;
            } else {
                self.granted.push(TaskId(id));
            }
        }
        Ok(())
    }

    async fn tell_granted(&mut self, id: TaskId) -> Result<(), StoreError> {
        self.claims.told.insert(id);
        match self.change(id, Command::Acquired).await {
            Ok(_) | Err(StoreError::Refused(_)) => Ok(()),
            Err(e @ StoreError::Corrupt(_)) => {
                tracing::error!(task.id = %id, error = %e, "a task cannot be read and is left as it is");
                Ok(())
            }
            Err(StoreError::NotFound) => {
                tracing::error!(task.id = %id, "claims of a task that is not there are let go of");
                self.claims.released.insert(id);
                Ok(())
            }
            Err(e) => Err(e),
        }
    }
}
