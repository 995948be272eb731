//! Deadlocks with sessions of others.

use std::time::{Duration, Instant};

use longhaul_store::Store;
use longhaul_store::conformance::support::Fixture;
use longhaul_store::postgres::Postgres;

use super::{CLUSTER, Database};

/// A transaction of an errand is run again after a deadlock with another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_errand_in_a_deadlock_is_repeated() {
    let database = Database::new();
    // PostgreSQL looks for a deadlock once in each wait: the node's has to begin late enough for the other
    // one to wait, too, and the other one's must not find it first.
    let late = format!("ALTER DATABASE \"{}\" SET deadlock_timeout = '3s'", database.name);
    database.operator(&late);
    let node = database.node().await.unwrap();
    // A machine that is busy enough has the other one wait too late, and then nobody finds a deadlock.
    let mut rounds = 1..=4;
    let met = loop {
        let Some(round) = rounds.next() else { break false };
        if in_a_deadlock(&database, &node, round).await {
            break true;
        }
    };
    assert!(met, "nobody waited for the other");
    node.close().await;
}

/// Changes a setting while another session waits for what the change has locked; returns true if PostgreSQL
/// found the deadlock.
async fn in_a_deadlock(database: &Database, node: &Postgres, round: i64) -> bool {
    node.put_setting("s", (-round).into(), None).await.unwrap();
    let name = database.name.clone();
    let other = tokio::task::spawn_blocking(move || {
        // Waits for the node's lock later than the node waits for this one's: the node is who finds that out.
        let locks = "SET deadlock_timeout = '60s'; BEGIN; SELECT FROM settings WHERE name = 's' FOR UPDATE;
             DO $$ BEGIN
               FOR n IN 1..1000 LOOP
                 EXIT WHEN EXISTS (SELECT FROM pg_stat_activity
                   WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)));
                 PERFORM pg_sleep(0.02), pg_stat_clear_snapshot();
               END LOOP;
             END $$;
             UPDATE turns SET over = over; COMMIT";
        CLUSTER.sql(&name, locks).unwrap();
    });
    let locked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
         AND pid <> pg_backend_pid() AND wait_event = 'PgSleep'";
    let begun = Instant::now();
    while database.operator_says(locked) != "1" {
        assert!(begun.elapsed() < Duration::from_secs(20), "the other one does not begin");
    }
    node.put_setting("s", round.into(), None).await.unwrap();
    other.await.unwrap();
    assert_eq!(node.setting("s").unwrap(), Some(round.into()));
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let told = Instant::now();
    // An idle session reports its statistics after ten seconds.
    while told.elapsed() < Duration::from_secs(20) {
        if database.operator_says(deadlocks) != "0" {
            return true;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    false
}
