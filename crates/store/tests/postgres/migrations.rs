//! Migrations that run beside the load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longhaul_store::conformance::support::{Fixture, complete, definition, put, start};
use longhaul_store::{Store, TaskQuery};

use super::Database;

/// The indexes of history as schema 7 has them, and none of those of schema 8, but one that was left behind
/// half-built.
const BACK: &str = "
  DELETE FROM schema_migrations WHERE number = 8;
  DROP INDEX history_by_created; DROP INDEX history_by_completed; DROP INDEX history_by_status;
  DROP INDEX history_by_kind;
  UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'history_by_name'::regclass;
  CREATE INDEX history_created ON history (created_at, id);
  CREATE INDEX history_completed ON history (completed_at NULLS FIRST, id);
  CREATE INDEX history_name ON history (sort_name, id);
  CREATE INDEX history_status ON history (status, created_at, id);
  CREATE INDEX history_kind ON history (kind, created_at, id);";

const INDEXES: &str =
    "SELECT string_agg(c.relname || CASE WHEN i.indisvalid THEN '' ELSE '!' END, ' ' ORDER BY c.relname)
  FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indrelid = 'history'::regclass";

/// A node at work goes on while one of a newer version builds its indexes, also where an earlier try was
/// interrupted; in the end the indexes are those of a new database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_are_built_beside_a_node_at_work() {
    let database = Database::new();
    let old = database.node().await.unwrap();
    let made = database.operator_says(INDEXES);
    let workflow = put(&*old, definition("w", "T_RUN", 1)).await;
    let id = start(&*old, &database.env, &workflow, "first").await;
    complete(&*old, id, 0, None).await;
    database.operator(BACK);
    assert_ne!(database.operator_says(INDEXES), made);
    let done = Arc::new(AtomicBool::new(false));
    let (load, env, stop) = (old.clone(), database.env.clone(), done.clone());
    let at_work = tokio::spawn(async move {
        let mut count = 1;
        while !stop.load(Ordering::SeqCst) {
            let id = start(&*load, &env, &workflow, &format!("beside {count}")).await;
            complete(&*load, id, 0, None).await;
            count += 1;
        }
        count
    });
    let [one, other] = [database.node(), database.node()];
    let (one, other) = tokio::join!(one, other);
    done.store(true, Ordering::SeqCst);
    let count = at_work.await.unwrap();
    assert_eq!(database.operator_says(INDEXES), made);
    assert_eq!(one.as_ref().unwrap().list(&TaskQuery::default()).unwrap().total, count);
    for node in [old, one.unwrap(), other.unwrap()] {
        node.close().await;
    }
}
