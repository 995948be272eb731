//! Upkeep of the table of active tasks: a burst of tasks leaves its indexes as large as they were at its
//! height, as PostgreSQL uses their empty pages again but never gives them back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::own::Own;
use super::sql::{column, failed};
use crate::error::StoreError;

/// Interval between two rounds.
const ROUND: Duration = Duration::from_secs(600);

/// Query for the indexes of active tasks that are larger than 2 MiB and four times the table, which is nearly
/// empty then; none for a role that does not own the table.
const SWOLLEN: &str = "SELECT i.indexrelid::regclass::text
     FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
     WHERE i.indrelid = 'hot'::regclass AND c.relkind = 'i' AND pg_has_role(c.relowner, 'USAGE')
       AND pg_relation_size(i.indexrelid) > greatest(2097152, 4 * pg_relation_size('hot'))
     ORDER BY 1";

/// Settings of the transaction that builds an index anew: whoever writes meanwhile waits for a moment only.
const SHORTLY: &str = "SET LOCAL lock_timeout = '100ms'; SET LOCAL statement_timeout = '1s'";

/// Runs a round every ten minutes, for as long as the store is open.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        sleep(ROUND).await;
        match shrink(&shared).await {
            Ok(0) => {}
            Ok(indexes) => tracing::debug!(indexes, "indexes of active tasks were built anew"),
            Err(e) => tracing::debug!(error = %e, "indexes of active tasks stay as large as they were"),
        }
    }
}

/// Builds swollen indexes of active tasks anew; returns their number. Err: somebody is at work on the table,
/// and nothing has happened.
pub(super) async fn shrink(shared: &Shared) -> Result<usize, StoreError> {
    let mut client = Own::of(&shared.pool).await?;
    let done = async {
        let swollen = client.query(SWOLLEN, &[]).await.map_err(failed)?;
        for row in &swollen {
            let index: &str = column(row, 0)?;
            let transaction = client.transaction().await.map_err(failed)?;
            transaction.batch_execute(&format!("{SHORTLY}; REINDEX INDEX {index}")).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
        Ok(swollen.len())
    };
    let done = done.await;
    drop(client.free());
    done
}
