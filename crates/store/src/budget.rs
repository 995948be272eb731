//! Memory that many share, counted in bytes: whoever wants to hold something large takes room for it first,
//! and waits while others have it all.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many bytes for all who share it. Cheap to clone.
///
/// Those who hold some of it and wait for more cannot block each other for ever: one of them at a time gets
/// what it needs beyond the limit, ends, and frees what it had. The memory in use is thus the limit and the
/// largest single holding, at the most.
#[derive(Clone, Debug)]
pub struct Budget {
    free: Arc<Semaphore>,
    beyond: Arc<Semaphore>,
    size: usize,
}

/// What one holder has of a budget; given back when it is dropped.
#[derive(Debug)]
pub struct Room {
    budget: Budget,
    taken: Option<OwnedSemaphorePermit>,
    beyond: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget of so many bytes, at least one.
    pub fn new(bytes: usize) -> Self {
        let size = bytes.clamp(1, (u32::MAX as usize).min(Semaphore::MAX_PERMITS));
        Budget { free: Arc::new(Semaphore::new(size)), beyond: Arc::new(Semaphore::new(1)), size }
    }

    /// No room yet, to be enlarged.
    pub fn room(&self) -> Room {
        Room { budget: self.clone(), taken: None, beyond: None }
    }

    /// Room for so many bytes, once they are free. What is larger than the whole budget waits for all of it.
    pub async fn take(&self, bytes: usize) -> Room {
        let mut room = self.room();
        room.reach(bytes).await;
        room
    }

    /// Room for so many bytes, if they are free now.
    pub fn try_take(&self, bytes: usize) -> Option<Room> {
        let bytes = bytes.min(self.size) as u32;
        let taken = self.free.clone().try_acquire_many_owned(bytes).ok()?;
        Some(Room { budget: self.clone(), taken: Some(taken), beyond: None })
    }

    /// How many bytes are free.
    pub fn free(&self) -> usize {
        self.free.available_permits()
    }
}

impl Room {
    /// Enlarges it until it holds so many bytes in all; waits while they are not free. May be dropped at any
    /// time.
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
        // Each holds a part that leaves too little for any of them.
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
