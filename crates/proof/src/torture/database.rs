//! F18: a PostgreSQL server that a node works on, and its faults: it crashes and comes back, its connections are cut.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use longhaul_testbed::{Cluster, Durability, Stop};

/// The database's name.
const NAME: &str = "tasks";

/// A server that can be troubled.
pub(super) struct Database {
    cluster: Arc<Mutex<Cluster>>,
    url: String,
}

impl Database {
    /// A new one, whose commits are worth what they are in production.
    pub(super) fn start() -> Result<Database> {
        let cluster = Cluster::start(Durability::Full)?;
        let url = cluster.create(NAME)?;
        Ok(Database { cluster: Arc::new(Mutex::new(cluster)), url })
    }

    /// What tells a node of it.
    pub(super) fn environment(&self) -> Vec<(String, String)> {
        vec![("LONGHAUL_DATABASE_URL".to_owned(), self.url.clone())]
    }

    /// One fault: in turn a crash of the server, and ten rounds in which every connection is cut.
    pub(super) async fn trouble(&self, number: usize) -> Result<()> {
        self.with(move |cluster| {
            if number.is_multiple_of(2) {
                cluster.stop(Stop::Immediate)?;
                return cluster.resume();
            }
            for _ in 0..10 {
                let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND pid <> pg_backend_pid()";
                cluster.sql(NAME, all)?;
                std::thread::sleep(std::time::Duration::from_millis(30));
            }
            Ok(())
        })
        .await
    }

    /// What the server's own checks find: indexes that do not have what their tables have.
    pub(super) async fn faults(&self) -> Result<Vec<String>> {
        let found = self
            .with(|cluster| {
                cluster.sql(NAME, "CREATE EXTENSION IF NOT EXISTS amcheck")?;
                let indexes = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                     JOIN pg_am a ON a.oid = c.relam JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE a.amname = 'btree' AND n.nspname = 'public'";
                let mut faults = Vec::new();
                for index in cluster.sql(NAME, indexes)?.lines() {
                    if let Err(e) = cluster.sql(NAME, &format!("SELECT bt_index_check('{index}', true)")) {
                        faults.push(e.to_string());
                    }
                }
                Ok(faults)
            })
            .await?;
        Ok(found)
    }

    /// Aside, as it takes its time, in which the load goes on.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Cluster) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let cluster = self.cluster.clone();
        let work = move || work(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work).await?.context("PostgreSQL")
    }
}
