//! Idempotency keys: whoever enters one first has it, also among nodes.

use std::collections::BTreeMap;

use deadpool_postgres::GenericClient;
use longhaul_model::{TaskId, Timestamp};

use super::job::Job;
use super::sql::{clean, column, execute, query};
use crate::error::StoreError;
use crate::stored::IdempotencyKey;

/// Shortest time for which a key is remembered, in milliseconds.
const KEY_LIFE: i64 = 48 * 3_600_000;

/// Keys of a transaction's submissions, with the request and the task that each stands for.
#[derive(Default)]
pub(super) struct Keys {
    known: BTreeMap<(String, String), (Vec<u8>, TaskId)>,
    new: usize,
}

fn named(key: &IdempotencyKey) -> (String, String) {
    (clean(&key.principal), clean(&key.key))
}

impl Keys {
    /// Enters the keys of submissions that are new, and reads the tasks of the others. Another transaction
    /// with one of them is waited for.
    pub(super) async fn take(
        &mut self,
        db: &impl GenericClient,
        jobs: &[Job],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut asked: BTreeMap<(String, String), (Vec<u8>, TaskId)> = BTreeMap::new();
        for job in jobs {
            if let Job::Submit(submission, _) = job
                && let Some(key) = &submission.key
            {
                let entry = (key.fingerprint.to_vec(), submission.task.id());
                asked.entry(named(key)).or_insert(entry);
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        // In the order of the keys, so that no two transactions wait for each other.
        let (mut principals, mut keys) = (Vec::new(), Vec::new());
        let (mut fingerprints, mut ids) = (Vec::new(), Vec::new());
        for ((principal, key), (fingerprint, id)) in asked {
            principals.push(principal);
            keys.push(key);
            fingerprints.push(fingerprint);
            ids.push(id.0);
        }
        let enter = "INSERT INTO keys (principal, key, fingerprint, id, created_at)
             SELECT principal, key, fingerprint, id, $5
             FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[]) AS u (principal, key, fingerprint, id)
             ON CONFLICT (principal, key) DO NOTHING";
        self.new = execute(db, enter, &[&principals, &keys, &fingerprints, &ids, &now.0]).await? as usize;
        let learn = "SELECT k.principal, k.key, k.fingerprint, k.id
             FROM unnest($1::text[], $2::text[]) AS u (principal, key)
             JOIN keys k ON k.principal = u.principal AND k.key = u.key";
        for row in &query(db, learn, &[&principals, &keys]).await? {
            let stands_for = (column(row, 2)?, TaskId(column(row, 3)?));
            self.known.insert((column(row, 0)?, column(row, 1)?), stands_for);
        }
        Ok(())
    }

    /// Returns the task that a key stands for, unless it is this one.
    pub(super) fn before(&self, key: &IdempotencyKey, id: TaskId) -> Result<Option<TaskId>, StoreError> {
        match self.known.get(&named(key)) {
            Some((fingerprint, _)) if *fingerprint != key.fingerprint => Err(StoreError::KeyReused),
            Some((_, before)) if *before != id => Ok(Some(*before)),
            _ => Ok(None),
        }
    }

    /// Returns true if a key stands for a task; it does not once its submission was refused.
    pub(super) fn has(&self, key: &IdempotencyKey) -> bool {
        self.known.contains_key(&named(key))
    }

    /// Makes a key stand for another task, as the previous one is gone.
    pub(super) async fn give(
        &mut self,
        db: &impl GenericClient,
        key: &IdempotencyKey,
        id: TaskId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (principal, name) = named(key);
        let statement =
            "INSERT INTO keys (principal, key, fingerprint, id, created_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (principal, key) DO UPDATE SET
               fingerprint = excluded.fingerprint, id = excluded.id, created_at = excluded.created_at";
        execute(db, statement, &[&principal, &name, &&key.fingerprint[..], &id.0, &now.0]).await?;
        self.known.insert((principal, name), (key.fingerprint.to_vec(), id));
        Ok(())
    }

    /// Forgets a key whose submission was refused.
    pub(super) async fn free(
        &mut self,
        db: &impl GenericClient,
        key: &IdempotencyKey,
    ) -> Result<(), StoreError> {
        let (principal, name) = named(key);
        execute(db, "DELETE FROM keys WHERE principal = $1 AND key = $2", &[&principal, &name]).await?;
        self.known.remove(&(principal, name));
        Ok(())
    }

    /// Deletes two old keys for each new one: the table stays small without a sweep. Keys that another writer
    /// has locked are left to it.
    pub(super) async fn forget_old(&self, db: &impl GenericClient, now: Timestamp) -> Result<(), StoreError> {
        if self.new == 0 {
            return Ok(());
        }
        let statement = "DELETE FROM keys WHERE (principal, key) IN (SELECT principal, key FROM keys
             WHERE created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
        execute(db, statement, &[&(now.0 - KEY_LIFE), &(2 * self.new as i64)]).await.map(drop)
    }
}
