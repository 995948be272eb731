//! Hashing, bounded: a hash takes 19 MiB and a core for some 20 ms, so as many run at once as there are
//! cores, on threads of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use longhaul_crypto::Zeroizing;
use longhaul_crypto::password::{self, HashError};
use thiserror::Error;
use tokio::sync::Semaphore;

/// A password was not hashed.
#[derive(Debug, Error)]
pub(crate) enum HasherError {
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error("the server is stopping")]
    Stopping,
}

/// Counts of hashed passwords.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hashing {
    /// Hashes made, for new passwords and to compare with.
    pub hashes: u64,
    /// The most that ran at once.
    pub most_at_once: usize,
}

#[derive(Default)]
struct Count {
    hashes: AtomicU64,
    running: AtomicUsize,
    most: AtomicUsize,
}

pub(crate) struct Hasher {
    permits: Arc<Semaphore>,
    count: Arc<Count>,
}

impl Hasher {
    /// Creates a hasher that hashes that many at once.
    pub(crate) fn new(at_once: usize) -> Self {
        Hasher { permits: Arc::new(Semaphore::new(at_once.max(1))), count: Arc::default() }
    }

    /// Hashes a new password.
    pub(crate) async fn hash(&self, password: Zeroizing<String>) -> Result<String, HasherError> {
        Ok(self.run(move || password::hash(&password)).await??)
    }

    /// Returns true if the password is the hashed one.
    pub(crate) async fn verify(
        &self,
        password: Zeroizing<String>,
        hash: String,
    ) -> Result<bool, HasherError> {
        Ok(self.run(move || password::verify(&password, &hash)).await??)
    }

    pub(crate) fn hashing(&self) -> Hashing {
        Hashing {
            hashes: self.count.hashes.load(Ordering::Relaxed),
            most_at_once: self.count.most.load(Ordering::Relaxed),
        }
    }

    /// The permit goes with the work: whoever stops waiting does not make room for more.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HasherError> {
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| HasherError::Stopping)?;
        let count = self.count.clone();
        let running = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let running = count.running.fetch_add(1, Ordering::Relaxed) + 1;
            count.most.fetch_max(running, Ordering::Relaxed);
            count.hashes.fetch_add(1, Ordering::Relaxed);
            let done = work();
            count.running.fetch_sub(1, Ordering::Relaxed);
            done
        });
        running.await.map_err(|_| HasherError::Stopping)
    }
}
