//! The whole suite on tables in partitions, as docs/sql/partitions.sql makes them; and the partitions that a
//! statement touches.

use std::sync::Arc;

use longhaul_model::Env;
use longhaul_store::conformance::support::Fixture;
use longhaul_store::{Accounts, Store};

use super::Database;

const PARTITIONS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sql/partitions.sql"));

struct Partitioned {
    database: Database,
    made: bool,
}

impl Partitioned {
    async fn make(&mut self) {
        if !std::mem::replace(&mut self.made, true) {
            self.database.node().await.unwrap().close().await;
            self.database.operator(PARTITIONS);
        }
    }
}

#[async_trait::async_trait]
impl Fixture for Partitioned {
    fn new() -> Self {
        Partitioned { database: Database::new(), made: false }
    }

    fn env(&self) -> Env {
        self.database.env()
    }

    async fn open(&mut self) -> Arc<dyn Store> {
        self.make().await;
        self.database.open().await
    }

    async fn open_accounts(&mut self) -> (Arc<dyn Store>, Arc<dyn Accounts>) {
        self.make().await;
        self.database.open_accounts().await
    }
}

longhaul_store::store_conformance!(Partitioned);

/// A request by a task's ID touches one partition of each table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_by_id_touches_one_partition() {
    let mut fixture = Partitioned::new();
    let store = fixture.open().await;
    let id = "01a22035-2c55-767d-97a4-bf4f90b05731";
    for table in ["specs", "hot", "chunks", "outputs", "attempts", "logs", "history"] {
        for statement in [
            format!("SELECT * FROM {table} WHERE id = '{id}'"),
            format!("SELECT * FROM {table} WHERE id = ANY('{{{id}}}') FOR UPDATE"),
            format!("UPDATE {table} SET shard = shard WHERE id = '{id}'"),
            format!("DELETE FROM {table} WHERE id = ANY('{{{id}}}')"),
        ] {
            let plan = fixture.database.operator_says(&format!("EXPLAIN {statement}"));
            let scans: Vec<&str> = plan.lines().filter(|line| line.contains("Scan")).collect();
            let parts: std::collections::BTreeSet<&str> = scans
                .iter()
                .filter_map(|scan| scan.split(" on ").nth(1)?.split_whitespace().next())
                .filter(|part| !part.ends_with("_idx") && !part.ends_with("_pkey"))
                .collect();
            assert_eq!(parts.len(), 1, "{statement}: {plan}");
        }
    }
    store.close().await;
}
