//! Shared memory budget in bytes: large holdings are reserved in advance, and wait while the budget is
//! exhausted.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory budget in bytes, shared by all clones. Cheap to clone.
///
/// Holders that wait for more cannot deadlock: one of them at a time gets what it needs beyond the limit,
/// finishes, and frees its share. Memory in use is therefore at most the limit plus the largest single
/// holding.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
    size: usize,
}

/// Share of a budget that one holder has; returned on drop.
#[derive(Debug)]
pub struct Room {
    budget: Budget,
    taken: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Creates a budget of `bytes`, at least one.
    pub fn new(bytes: usize) -> Self {
        let size = bytes.clamp(1, (u32::MAX as usize).min(Semaphore::MAX_PERMITS));
        Budget { free: Arc::new(Semaphore::new(size)), beyond: Arc::new(Semaphore::new(1)), size }
    }

    /// Returns an empty share, to be enlarged by [`Room::reach`].
    pub fn room(&self) -> Room {
        Room { budget: self.clone(), taken: None, beyond: None }
    }

    /// Takes `bytes` once they are free. A request larger than the whole budget waits for all of it.
    pub async fn take(&self, bytes: usize) -> Room {
        let mut room = self.room();
        room.reach(bytes).await;
        room
    }

    /// Takes `bytes` if they are free now.
    pub fn try_take(&self, bytes: usize) -> Option<Room> {
        let bytes = bytes.min(self.size) as u32;
        let taken = self.free.clone().try_acquire_many_owned(bytes).ok()?;
        Some(Room { budget: self.clone(), taken: Some(taken), beyond: None })
    }

    /// Returns the number of free bytes.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }
}

impl Room {
    /// Enlarges the share to `bytes` in all, waiting until they are free. Cancel-safe.
    pub async fn reach(&mut self, bytes: usize) {
        let has = self.taken.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = bytes.min(self.budget.size).checked_sub(has).filter(|more| *more > 0) else {
            return;
        };
        if self.beyond.is_some() {
            return;
        }
        let Budget { free, beyond, .. } = self.budget.clone();
        tokio::select! {
            biased;
            // Neither semaphore is ever closed.
            Ok(permit) = free.acquire_many_owned(more as u32) => match &mut self.taken {
                Some(taken) => taken.merge(permit),
                None => self.taken = Some(permit),
            },
            Ok(permit) = beyond.acquire_owned(), if has > 0 => self.beyond = Some(permit),
            else => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn room_is_waited_for_until_another_gives_it_back() {
        let budget = Budget::new(100);
        let first = budget.take(70).await;
        assert!(budget.try_take(40).is_none());
        let mut second = budget.room();
        assert!(timeout(SHORT, second.reach(40)).await.is_err(), "there is no room yet");
        drop(first);
        timeout(LONG, second.reach(40)).await.unwrap();
        assert_eq!(budget.free(), 60);
        drop(second);
        assert_eq!(budget.free(), 100);
    }

    #[tokio::test]
    async fn what_is_larger_than_all_of_it_gets_all_of_it() {
        let budget = Budget::new(100);
        let large = timeout(LONG, budget.take(1_000)).await.unwrap();
        assert_eq!(budget.free(), 0);
        drop(large);
        assert_eq!(budget.free(), 100);
    }

    #[tokio::test]
    async fn those_who_hold_some_and_want_more_all_get_through() {
        let budget = Budget::new(100);
        // The rest of the budget is too small for any of the holders.
        let mut holders = Vec::new();
        for _ in 0..4 {
            holders.push(budget.take(25).await);
        }
        let all = holders.into_iter().map(|mut room| {
            tokio::spawn(async move {
                room.reach(80).await;
                tokio::task::yield_now().await;
                room.reach(90).await;
            })
        });
        for one in all.collect::<Vec<_>>() {
            timeout(LONG, one).await.expect("nobody waits for ever").unwrap();
        }
        assert_eq!(budget.free(), 100);
    }
}
