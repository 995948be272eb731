//! Rows that a transaction writes, collected column by column: one statement for each table at the most,
//! however many tasks changed.

use deadpool_postgres::GenericClient;
use longhaul_model::{Task, TaskId, TaskStatus, Timestamp};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::shard;
use super::sql::{clean, execute};
use super::together::Together;
use crate::error::StoreError;
use crate::packed::unpack;

/// Separator between the keys of one task's resources, on their way.
const SEPARATOR: &str = "\u{1e}";
/// Longest beginning of a name that is sorted by, and of a resource's key, in bytes that fit into an index.
pub(super) const LONGEST_KEY: usize = 500;

/// Returns the key by which a resource of this type, of this ID, or of both is found.
pub(super) fn found_by(kind: Option<&str>, id: Option<&str>) -> String {
    let kind = kind.map(|kind| clean(kind).to_ascii_lowercase());
    let key = match (kind, id.map(clean)) {
        (Some(kind), Some(id)) => format!("b{kind}\u{1f}{id}"),
        (Some(kind), None) => format!("k{kind}"),
        (None, Some(id)) => format!("i{id}"),
        (None, None) => String::new(),
    };
    let cut = begin(&key, LONGEST_KEY);
    cut.replace(SEPARATOR, " ")
}

fn begin(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Returns all keys by which the packed resources are found.
fn keys(resources: &str) -> String {
    let mut keys: Vec<String> = Vec::new();
    for (kind, id) in unpack(resources) {
        keys.push(found_by(Some(kind), Some(id)));
        keys.push(found_by(Some(kind), None));
        keys.push(found_by(None, Some(id)));
    }
    keys.sort_unstable();
    keys.dedup();
    keys.join(SEPARATOR)
}

/// Returns the columns by which a task is found, from its name and its packed resources: `sort_name`,
/// `folded`, and `found_by` in one text.
pub(super) fn derived(name: &str, resources: &str) -> [String; 3] {
    let name = clean(name);
    [begin(&name, LONGEST_KEY).to_owned(), name.to_lowercase(), keys(resources)]
}

/// Returns the nodes that own something of a task, as the database writes arrays.
pub(super) fn holders(task: &Task) -> String {
    let nodes: Vec<String> = task.nodes().map(|node| node.0.to_string()).collect();
    format!("{{{}}}", nodes.join(","))
}

/// Task as one of the two tables has it.
pub(super) struct HistoryRow<'a> {
    pub(super) id: TaskId,
    pub(super) version: i64,
    pub(super) name: &'a str,
    pub(super) kind: &'a str,
    pub(super) status: TaskStatus,
    pub(super) created_at: Timestamp,
    pub(super) completed_at: Option<Timestamp>,
    pub(super) due_at: Option<Timestamp>,
    pub(super) imported: bool,
    /// Nodes that own something of the task, as the database writes arrays.
    pub(super) holders: String,
    /// Resources, packed.
    pub(super) resources: &'a str,
    pub(super) doc: String,
}

/// New rows of `hot` or `history`.
#[derive(Default)]
pub(super) struct HistoryRows {
    ids: Vec<Uuid>,
    shards: Vec<i16>,
    versions: Vec<i64>,
    names: Vec<String>,
    sort_names: Vec<String>,
    folded: Vec<String>,
    kinds: Vec<String>,
    statuses: Vec<i16>,
    created_at: Vec<i64>,
    completed_at: Vec<Option<i64>>,
    due_at: Vec<Option<i64>>,
    origins: Vec<i16>,
    found_by: Vec<String>,
    resources: Vec<String>,
    docs: Vec<String>,
    holders: Vec<String>,
}

const COLUMNS: &str =
    "id, shard, version, name, sort_name, folded, kind, status, created_at, completed_at, due_at,
    origin, found_by, resources, doc";

impl HistoryRows {
    pub(super) fn add(&mut self, row: HistoryRow<'_>) {
        let name = clean(row.name);
        self.ids.push(row.id.0);
        self.shards.push(shard(row.id));
        self.versions.push(row.version);
        let [sort_name, folded, found_by] = derived(&name, row.resources);
        self.sort_names.push(sort_name);
        self.folded.push(folded);
        self.found_by.push(found_by);
        self.names.push(name);
        self.kinds.push(clean(row.kind).to_ascii_lowercase());
        self.statuses.push(i16::from(row.status.code()));
        self.created_at.push(row.created_at.0);
        self.completed_at.push(row.completed_at.map(|at| at.0));
        self.due_at.push(row.due_at.map(|at| at.0));
        self.origins.push(i16::from(row.imported));
        self.resources.push(clean(row.resources));
        self.docs.push(row.doc);
        self.holders.push(row.holders);
    }

    fn source(&self) -> String {
        format!(
            "(SELECT {COLUMNS_OF_SOURCE} FROM unnest($1::uuid[], $2::smallint[], $3::bigint[], $4::text[], $5::text[],
               $6::text[], $7::text[], $8::smallint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::smallint[],
               $13::text[], $14::text[], $15::text[], $16::text[]) AS u ({COLUMNS}, holders)) AS s"
        )
    }

    /// Into history, where they are not yet.
    pub(super) fn insert<'a>(&'a self, together: &mut Together<'a>) {
        if !self.ids.is_empty() {
            let statement =
                format!("INSERT INTO history ({COLUMNS}) SELECT {COLUMNS} FROM {}", self.source());
            together.add(&statement, &self.columns());
        }
    }

    /// Among the active tasks.
    pub(super) fn insert_hot<'a>(&'a self, together: &mut Together<'a>) {
        if !self.ids.is_empty() {
            let columns = COLUMNS.replace("origin, ", "");
            let statement = format!(
                "INSERT INTO hot ({columns}, holders) SELECT {columns}, holders FROM {}",
                self.source()
            );
            together.add(&statement, &self.columns());
        }
    }

    /// Writes the rows to history; existing ones are replaced.
    pub(super) async fn write(&self, db: &impl GenericClient) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let statement = format!(
            "INSERT INTO history ({COLUMNS}) SELECT {COLUMNS} FROM {} ON CONFLICT (id) DO UPDATE SET
               version = excluded.version, name = excluded.name, sort_name = excluded.sort_name,
               folded = excluded.folded, kind = excluded.kind, status = excluded.status,
               created_at = excluded.created_at, completed_at = excluded.completed_at, due_at = excluded.due_at,
               origin = excluded.origin, found_by = excluded.found_by, resources = excluded.resources,
               doc = excluded.doc",
            self.source()
        );
        execute(db, &statement, &self.columns()).await.map(drop)
    }

    fn columns(&self) -> [&(dyn ToSql + Sync); 16] {
        [
            &self.ids,
            &self.shards,
            &self.versions,
            &self.names,
            &self.sort_names,
            &self.folded,
            &self.kinds,
            &self.statuses,
            &self.created_at,
            &self.completed_at,
            &self.due_at,
            &self.origins,
            &self.found_by,
            &self.resources,
            &self.docs,
            &self.holders,
        ]
    }
}

const COLUMNS_OF_SOURCE: &str = "id, shard, version, name, sort_name, folded, kind, status, created_at,
    completed_at, due_at, origin, string_to_array(found_by, E'\\x1e') AS found_by, resources, doc,
    holders::smallint[] AS holders";

/// Active rows that change where they are.
#[derive(Default)]
pub(super) struct HotUpdates {
    ids: Vec<Uuid>,
    versions: Vec<i64>,
    due_at: Vec<Option<i64>>,
    holders: Vec<String>,
    docs: Vec<String>,
}

impl HotUpdates {
    pub(super) fn add(&mut self, task: &Task, version: i64, doc: String) {
        let due_at = task.due_at();
        self.ids.push(task.id().0);
        self.holders.push(holders(task));
        self.versions.push(version);
        self.due_at.push(due_at.map(|at| at.0));
        self.docs.push(doc);
    }

    pub(super) fn write<'a>(&'a self, together: &mut Together<'a>) {
        if self.ids.is_empty() {
            return;
        }
        let statement =
            "UPDATE hot SET version = u.version, due_at = u.due_at, holders = u.holders::smallint[], doc = u.doc
             FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[])
               AS u (id, version, due_at, holders, doc)
             WHERE hot.id = u.id";
        let HotUpdates { ids, versions, due_at, holders, docs } = self;
        together.add(statement, &[ids, versions, due_at, holders, docs]);
    }
}

/// Documents of tasks by number: chunks, outputs, attempts.
#[derive(Default)]
pub(super) struct Documents {
    ids: Vec<Uuid>,
    shards: Vec<i16>,
    first: Vec<i32>,
    second: Vec<i32>,
    docs: Vec<String>,
}

impl Documents {
    pub(super) fn add(&mut self, id: TaskId, first: u32, second: u32, doc: String) {
        self.ids.push(id.0);
        self.shards.push(shard(id));
        self.first.push(first as i32);
        self.second.push(second as i32);
        self.docs.push(doc);
    }

    /// Writes the rows to a table whose key is the task and one number.
    pub(super) async fn write(
        &self,
        db: &impl GenericClient,
        table: &str,
        number: &str,
    ) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let statement = format!(
            "INSERT INTO {table} (id, shard, {number}, doc)
             SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::text[])
             ON CONFLICT (id, {number}) DO UPDATE SET doc = excluded.doc"
        );
        execute(db, &statement, &[&self.ids, &self.shards, &self.first, &self.docs]).await.map(drop)
    }

    /// Writes attempts, whose key has two numbers.
    pub(super) async fn write_attempts(&self, db: &impl GenericClient) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let statement = "INSERT INTO attempts (id, shard, sub_task, number, doc)
             SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::integer[], $5::text[])
             ON CONFLICT (id, sub_task, number) DO UPDATE SET doc = excluded.doc";
        let Documents { ids, shards, first, second, docs } = self;
        execute(db, statement, &[ids, shards, first, second, docs]).await.map(drop)
    }

    /// Specs of new tasks.
    pub(super) fn insert_specs<'a>(&'a self, together: &mut Together<'a>) {
        if !self.ids.is_empty() {
            let statement = "INSERT INTO specs (id, shard, doc)
                 SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[])";
            together.add(statement, &[&self.ids, &self.shards, &self.docs]);
        }
    }

    /// Writes specs, one for each task.
    pub(super) async fn write_specs(&self, db: &impl GenericClient) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        let statement = "INSERT INTO specs (id, shard, doc)
             SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::text[])
             ON CONFLICT (id) DO UPDATE SET doc = excluded.doc";
        execute(db, statement, &[&self.ids, &self.shards, &self.docs]).await.map(drop)
    }
}
