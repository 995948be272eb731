//! The rules of claims over all tasks.

use deadpool_postgres::GenericClient;
use longhaul_model::TaskId;

use crate::check::{Finding, Inspector, Remedy};
use crate::error::StoreError;
use crate::postgres::sql::{column, failed};

/// Query for claims that are marked clear although others stand before them.
const PASSED: &str = "SELECT id, key FROM claims AS mine WHERE NOT held AND clear AND CASE mode
     WHEN 2 THEN EXISTS (SELECT 1 FROM claims AS other
       WHERE other.id = mine.id AND other.mode < 2 AND NOT other.clear)
     ELSE EXISTS (SELECT 1 FROM claims AS other
       WHERE other.key = mine.key AND other.ticket < mine.ticket AND (mine.mode = 1 OR other.mode = 1)) END";

/// Query for claims that wait although nobody stands before them.
const FORGOTTEN: &str = "SELECT id, key FROM claims AS mine WHERE NOT held AND NOT clear AND CASE mode
     WHEN 2 THEN NOT EXISTS (SELECT 1 FROM claims AS other
       WHERE other.id = mine.id AND other.mode < 2 AND NOT other.clear)
     ELSE NOT EXISTS (SELECT 1 FROM claims AS other
       WHERE other.key = mine.key AND other.ticket < mine.ticket AND (mine.mode = 1 OR other.mode = 1)) END";

/// Query for tasks that hold a lock together although one of them holds it exclusively.
const TWICE: &str = "SELECT id, key FROM claims WHERE held AND mode < 2 AND key IN (
     SELECT key FROM claims WHERE held AND mode < 2 GROUP BY key HAVING count(*) > 1 AND max(mode) = 1)";

/// Tasks that hold a place of a key that has fewer.
const CROWDED: &str = "SELECT id, key FROM claims WHERE held AND mode = 2 AND key IN (
     SELECT key FROM claims WHERE held AND mode = 2 GROUP BY key HAVING count(*) > max(most))";

/// Reports claims that break a rule.
pub(super) async fn check(db: &impl GenericClient, inspector: &mut dyn Inspector) -> Result<(), StoreError> {
    let rules = [
        (PASSED, "I9: it has its turn although others stand before it", Remedy::Repair),
        (
            TWICE,
            "I9: it holds a lock together with others, and one of them has it alone; what a repair leaves of \
             this is in their documents",
            Remedy::Repair,
        ),
        (
            CROWDED,
            "I9: it holds a place of a key together with more than may; what a repair leaves of this is in their \
             documents",
            Remedy::Repair,
        ),
    ];
    for (text, what, remedy) in rules {
        for (id, key) in rows(db, text).await? {
            inspector.found(Finding::of("claims", format!("{what} (`{key}`)"), remedy).task(Some(id)));
        }
    }
    Ok(())
}

/// Returns waiting claims that have nobody before them.
pub(super) async fn stuck(db: &impl GenericClient) -> Result<Vec<(TaskId, String)>, StoreError> {
    rows(db, FORGOTTEN).await
}

async fn rows(db: &impl GenericClient, text: &str) -> Result<Vec<(TaskId, String)>, StoreError> {
    let rows = db.query(text, &[]).await.map_err(failed)?;
    rows.iter().map(|row| Ok((TaskId(column(row, 0)?), column(row, 1)?))).collect()
}
