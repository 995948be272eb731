//! Filter of a list as SQL conditions. Column names are the same in both sources, so the conditions are, too.

use longhaul_model::TaskStatus;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use crate::doc::json;
use crate::error::StoreError;
use crate::query::TaskQuery;
use crate::sqlite::failed::sql;

/// Number of matches up to which it is quicker to read them all and sort than to walk along the order.
pub(super) const FEW: u64 = 3_000;
/// Number of matches of the trigram index from which a walk along the index of names is quicker than looking
/// each one up.
const MANY_NAMES: usize = 20_000;

/// Query with what is derived from it.
pub(super) struct Filter<'a> {
    pub(super) query: &'a TaskQuery,
    /// The text that names must contain, folded; never empty.
    pub(super) needle: Option<String>,
    /// Rows of history whose names contain the text, where they are few enough to be looked at singly.
    pub(super) named: Option<Named>,
    /// Number of rows of history whose names contain the text, if it is known and nothing else is asked for.
    pub(super) hits: Option<u64>,
}

/// Rows of history.
pub(super) struct Named {
    /// Numbers of the rows, as a JSON array.
    pub(super) rows: String,
    pub(super) count: u64,
}

/// Piece of SQL with its parameters in order.
#[derive(Clone, Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Sql {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) {
        self.text.push('?');
        self.values.push(value.into());
    }

    pub(super) fn append(&mut self, other: Sql) {
        self.text.push_str(&other.text);
        self.values.extend(other.values);
    }

    /// `AND name op ?`
    pub(super) fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.push(" AND ");
        self.push(condition);
        self.bind(value);
    }
}

impl<'a> Filter<'a> {
    pub(super) fn new(query: &'a TaskQuery) -> Self {
        let needle = query.name_contains.as_deref().map(str::to_lowercase).filter(|text| !text.is_empty());
        Filter { query, needle, named: None, hits: None }
    }

    /// Searches the trigram index for the name: once, as it may have to read much for little. If nothing else
    /// is asked for and the matches are many, only their number is of use.
    pub(super) fn look_up_name(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let Some(phrase) = self.phrase().filter(|_| self.query.resource_id.is_none()) else { return Ok(()) };
        let most = if self.only_name() { FEW as usize + 1 } else { MANY_NAMES };
        let mut statement = connection
            .prepare_cached("SELECT rowid FROM history_names WHERE history_names MATCH ?1 LIMIT ?2")
            .map_err(sql)?;
        let rows = statement.query_map(params![phrase, most as i64], |row| row.get(0)).map_err(sql)?;
        let found: Vec<i64> = rows.collect::<Result<_, _>>().map_err(sql)?;
        if found.len() < most {
            let count = found.len() as u64;
            self.hits = self.only_name().then_some(count);
            self.named = Some(Named { rows: json(&found)?, count });
        } else if self.only_name() {
            let mut statement = connection
                .prepare_cached("SELECT count(*) FROM history_names WHERE history_names MATCH ?1")
                .map_err(sql)?;
            let count: i64 = statement.query_row(params![phrase], |row| row.get(0)).map_err(sql)?;
            self.hits = Some(count.max(0).unsigned_abs());
        }
        Ok(())
    }

    /// Returns true if nothing but the name is asked for.
    fn only_name(&self) -> bool {
        let query = self.query;
        query.kind.is_none()
            && query.statuses.is_empty()
            && query.completed_after.is_none()
            && !self.has_resource()
            && !query.reads_documents()
            && self.needle.is_some()
    }

    pub(super) fn has_resource(&self) -> bool {
        self.query.resource_id.is_some() || self.query.resource_kind.is_some()
    }

    /// Returns true if the filter asks for a resource and nothing else.
    pub(super) fn only_resource(&self) -> bool {
        let query = self.query;
        query.kind.is_none()
            && query.statuses.is_empty()
            && query.completed_after.is_none()
            && self.needle.is_none()
            && !query.reads_documents()
            && query.resource_id.is_some()
    }

    /// ` AND …` for type, status and completion, which every index of history covers.
    pub(super) fn plain(&self) -> Sql {
        let mut sql = Sql::default();
        if let Some(kind) = &self.query.kind {
            sql.and("kind = ", kind.clone());
        }
        sql.append(self.statuses());
        if let Some(at) = self.query.completed_after {
            sql.and("completed_at > ", at.0);
        }
        sql
    }

    /// ` AND status IN (…)`; with a completion time, only statuses that count as completed.
    pub(super) fn statuses(&self) -> Sql {
        let mut sql = Sql::default();
        let asked = &self.query.statuses;
        let wanted: Vec<TaskStatus> = TaskStatus::ALL
            .into_iter()
            .filter(|status| asked.is_empty() || asked.contains(status))
            .filter(|status| self.query.completed_after.is_none() || status.counts_as_completed())
            .collect();
        if wanted.len() < TaskStatus::ALL.len() {
            // Codes are numbers of ours: written out, so that statements are few.
            let codes: Vec<String> = wanted.iter().map(|status| status.code().to_string()).collect();
            sql.push(&format!(" AND status IN ({})", codes.join(", ")));
        }
        sql
    }

    /// ` AND …` for the name, tested row by row.
    pub(super) fn name(&self) -> Sql {
        let mut sql = Sql::default();
        if let Some(needle) = &self.needle {
            sql.push(" AND contains_folded(name, ");
            sql.bind(needle.clone());
            sql.push(")");
        }
        sql
    }

    /// ` AND …` for the resource, tested row by row.
    pub(super) fn resource(&self) -> Sql {
        let mut sql = Sql::default();
        if self.has_resource() {
            let value = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
            sql.push(" AND has_resource(resources, ");
            sql.bind(value(&self.query.resource_id));
            sql.push(", ");
            sql.bind(value(&self.query.resource_kind));
            sql.push(")");
        }
        sql
    }

    /// Returns ` AND …` for the filters that only documents answer, those of a source's rows.
    pub(super) fn documents(&self, source: &str) -> Sql {
        let mut sql = Sql::default();
        let is_imported = if source == "history" { "origin = 1" } else { "0" };
        if self.query.open_failures {
            let failed = TaskStatus::Failed.code();
            sql.push(&format!(" AND (status <> {failed} OR is_open_failure(doc, {is_imported}))"));
        }
        if !self.query.labels.is_empty() {
            let spec = format!("(SELECT s.doc FROM specs s WHERE s.seq = {source}.seq)");
            sql.push(&format!(" AND has_labels(iif({is_imported}, {source}.doc, {spec}), "));
            // Names and values are texts: nothing of them cannot be written.
            sql.bind(serde_json::json!(self.query.labels).to_string());
            sql.push(")");
        }
        sql
    }

    /// Returns all conditions, for the hot table.
    pub(super) fn all(&self) -> Sql {
        let mut sql = self.plain();
        sql.append(self.name());
        sql.append(self.resource());
        sql.append(self.documents("hot"));
        sql
    }

    /// Returns the name as a phrase of the trigram index, if it is long enough for one.
    fn phrase(&self) -> Option<String> {
        // The index does not support NUL and contains none.
        let long = |needle: &&str| needle.chars().count() >= 3 && !needle.contains('\0');
        let needle = self.needle.as_deref().filter(long)?;
        Some(format!("\"{}\"", needle.replace('"', "\"\"")))
    }
}
