//! Deletion of ended tasks, by name or by age, a small batch at a time beside the load. And the audit log.

use std::time::{Duration, Instant};

use longhaul_model::{Env, TaskId, Timestamp};
use longhaul_store::{Audit, AuditPage, AuditQuery, Store, StoreError};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::settings::DeletionResult;

/// Number of tasks that one transaction deletes: a few milliseconds of the writer's time, even if others wait
/// for it.
const BATCH: u32 = 10;
/// Number of audit log entries that one transaction deletes.
const NOTES: u32 = 200;
/// Pause between two batches of retention, so that others can write.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest pause between two batches that somebody waits for. Such a pause is as long as the batch before it
/// took: others get half of the writer's time at least.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// Pause between two rounds of retention.
const ROUND: Duration = Duration::from_secs(10 * 60);
/// Time from the start to the first round: a start is busy enough.
const FIRST: Duration = Duration::from_secs(60);
/// Days for which the audit log is kept.
const AUDIT_DAYS: i64 = 730;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Names tasks for the audit log: the first of many.
fn named(tasks: &[TaskId]) -> String {
    const NAMED: usize = 50;
    let ids: Vec<String> = tasks.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if tasks.len() > NAMED { ", …" } else { "" };
    format!("{} tasks: {}{more}", tasks.len(), ids.join(", "))
}

impl Engine {
    /// Deletes tasks that cannot change any more, each for itself.
    pub async fn delete_history(
        &self,
        tasks: Vec<TaskId>,
        audit: Audit,
    ) -> Result<Vec<DeletionResult>, EngineError> {
        let mut audit = Some(audit.detail(named(&tasks)));
        let mut results = Vec::with_capacity(tasks.len());
        let mut pause = Duration::ZERO;
        for batch in tasks.chunks(BATCH as usize) {
            sleep(pause).await;
            let began = Instant::now();
            let done = self.inner.store.delete_history(batch.to_vec(), audit.take()).await;
            results.extend(done.map_err(EngineError::Store)?);
            pause = began.elapsed().min(LONGEST_PAUSE);
        }
        Ok(results)
    }

    /// Returns a page of the audit log, newest first.
    pub async fn audit(&self, query: AuditQuery) -> Result<AuditPage, EngineError> {
        self.beside(move |store| store.audit(&query)).await.map_err(EngineError::Store)
    }

    /// Deletes all tasks that are older than the settings allow, now.
    pub async fn retain(&self) -> Result<u64, EngineError> {
        let days = i64::from(self.settings()?.retention_days.get());
        let deleted = purge(&*self.inner.store, &self.inner.env, days).await;
        deleted.map_err(EngineError::Store)
    }
}

/// Keeps retention until stopped.
pub(crate) async fn keep(engine: Engine, stop: CancellationToken) {
    let rounds = async {
        sleep(FIRST).await;
        loop {
            match engine.retain().await {
                Ok(0) => {}
                Ok(deleted) => tracing::info!(tasks = deleted, "deleted tasks older than the retention"),
                Err(e) => tracing::warn!(error = %e, "retention failed; it will be repeated"),
            }
            sleep(ROUND).await;
        }
    };
    stop.run_until_cancelled(rounds).await;
}

/// Deletes tasks by the time that was lived through: a clock that is far ahead deletes nothing.
async fn purge(store: &dyn Store, env: &Env, days: i64) -> Result<u64, StoreError> {
    let before = Timestamp(env.lived().0 - days * DAY);
    let (mut from, mut deleted) = (None, 0);
    loop {
        let purged = store.purge(before, from, BATCH).await?;
        deleted += purged.deleted;
        from = purged.next;
        if from.is_none() {
            break;
        }
        sleep(PAUSE).await;
    }
    let before = Timestamp(env.lived().0 - AUDIT_DAYS * DAY);
    while store.prune_audit(before, NOTES).await? >= u64::from(NOTES) - 1 {
        sleep(PAUSE).await;
    }
    Ok(deleted)
}
