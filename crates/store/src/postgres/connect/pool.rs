//! Connections for reads and for rare work, as many as the database grants.

use std::time::{Duration, Instant};

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime,
};
use parking_lot::Mutex;
use tokio_postgres::error::SqlState;

use super::{CONNECT, Place};
use crate::error::StoreError;

/// Longest time that a caller waits for a connection that others use.
const WAIT: Duration = Duration::from_secs(10);
/// Pause of a caller whom the database refused a connection while this node has none at all.
const PAUSE: Duration = Duration::from_millis(100);
/// Time after which a pool that was made smaller may grow again.
const REGROW: Duration = Duration::from_secs(30);

/// Pool that becomes smaller when the database has no connection left: callers then wait for one that this
/// node has, instead of failing.
pub(in crate::postgres) struct Connections {
    pool: Pool,
    /// Size that was asked for.
    most: usize,
    /// Time at which the pool was last made smaller.
    shrunk: Mutex<Option<Instant>>,
}

impl Connections {
    /// A pool without connections yet, of at most `most`.
    pub(in crate::postgres) fn new(place: &Place, most: usize) -> Result<Self, StoreError> {
        // No clean-up between users: a caller that needs a transaction takes the guarded one, which rolls
        // back when dropped.
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_connect(place.servers[0].clone(), place.clone(), config);
        let pool = Pool::builder(manager)
            .max_size(most)
            // Statements that wait longer than this for a lock fail: the lock may be held for ever.
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move {
                    client.batch_execute("SET lock_timeout = '4s'").await.map_err(HookError::Backend)
                })
            }))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT))
            .create_timeout(Some(CONNECT * 3))
            .build()
            .map_err(|e| StoreError::Open(format!("no pool of connections: {e}")))?;
        Ok(Connections { pool, most, shrunk: Mutex::new(None) })
    }

    /// Returns a connection for the caller's own use. Err: none is free in time, or the database cannot be
    /// reached.
    pub(in crate::postgres) async fn get(&self) -> Result<Client, PoolError> {
        self.regrow();
        let until = Instant::now() + WAIT;
        loop {
            match self.pool.get().await {
                Err(PoolError::Backend(e))
                    if e.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) && Instant::now() < until =>
                {
                    self.shrink().await;
                }
                other => return other,
            }
        }
    }

    /// Closes all connections: callers that still wait for one are refused.
    pub(in crate::postgres) fn close(&self) {
        self.pool.close();
    }

    /// Reduces the pool to the connections that exist.
    async fn shrink(&self) {
        let has = self.pool.status().size;
        if has == 0 {
            return tokio::time::sleep(PAUSE).await;
        }
        let mut shrunk = self.shrunk.lock();
        if shrunk.is_none() {
            let (has, most) = (has, self.most);
            tracing::warn!(
                has,
                most,
                "the database grants no more connections: this node makes do with those it has"
            );
        }
        *shrunk = Some(Instant::now());
        self.pool.resize(has);
    }

    /// Lets the pool grow again some time after it was made smaller.
    fn regrow(&self) {
        let mut shrunk = self.shrunk.lock();
        if shrunk.is_some_and(|at| at.elapsed() >= REGROW) {
            *shrunk = None;
            self.pool.resize(self.most);
        }
    }
}
