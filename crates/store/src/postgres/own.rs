//! A connection in the hands of something that may be given up in the middle.

use std::ops::{Deref, DerefMut};

use deadpool_postgres::{Client, Object, Pool};

use super::sql::no_connection;
use crate::error::StoreError;

/// A connection that is not given back to its pool when it is dropped, as nobody knows then what is under way
/// on it: whoever got it next would wait for that.
pub(super) struct Own(Option<Client>);

impl Own {
    pub(super) fn new(client: Client) -> Own {
        Own(Some(client))
    }

    pub(super) async fn of(pool: &Pool) -> Result<Own, StoreError> {
        pool.get().await.map(Own::new).map_err(no_connection)
    }

    /// Nothing is under way on it: it may be used by others, and is given back to its pool when it is
    /// dropped.
    pub(super) fn free(mut self) -> Option<Client> {
        self.0.take()
    }
}

impl Deref for Own {
    type Target = Client;

    fn deref(&self) -> &Client {
        // Taken out only by `free` and `drop`, which end it.
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
