//! A connection used by a future that may be dropped midway.

use std::ops::{Deref, DerefMut};

use deadpool_postgres::{Client, Object};

use super::connect::Connections;
use super::sql::no_connection;
use crate::error::StoreError;

/// A connection that is closed on drop rather than returned to its pool: a statement may still be running on
/// it, and its next user would have to wait for that.
pub(super) struct Own(Option<Client>);

impl Own {
    pub(super) fn new(client: Client) -> Own {
        Own(Some(client))
    }

    pub(super) async fn of(pool: &Connections) -> Result<Own, StoreError> {
        pool.get().await.map(Own::new).map_err(no_connection)
    }

    /// Releases an idle connection, which from now on returns to its pool on drop.
    pub(super) fn free(mut self) -> Option<Client> {
        self.0.take()
    }
}

impl Deref for Own {
    type Target = Client;

    fn deref(&self) -> &Client {
        // Only `free` and `drop` take the client out, and both end `self`.
        self.0.as_ref().unwrap_or_else(|| unreachable!("a connection is there until it is free"))
    }
}

impl DerefMut for Own {
    fn deref_mut(&mut self) -> &mut Client {
        self.0.as_mut().unwrap_or_else(|| unreachable!("a connection is there until it is free"))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.0.take().map(Object::take);
    }
}
