//! Indexes that are kept by hand, of names and of resources, compared with the rows of history: by the sum of
//! a digest of all entries of some rows, so that memory does not depend on their number.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rusqlite::Connection;

use crate::check::{Finding, Line, Remedy};
use crate::error::StoreError;
use crate::sqlite::failed::sql;
use crate::sqlite::{lenient, seal};
use crate::transfer::task;

/// Maximum number of sums that are kept for each index: rows beyond share one.
const SUMS: i64 = 1 << 16;
/// Number of names that are split into words at once.
const AT_ONCE: usize = 1_000;

/// Sums of the entries that the rows should have, less those of the existing entries.
pub(super) struct Indexes {
    /// Rows that share a sum, as a power of two.
    shift: u32,
    names: HashMap<i64, u64>,
    resources: HashMap<i64, u64>,
    /// Names whose words only SQLite knows, as it folds more than ASCII letters.
    asked: Vec<(i64, String)>,
}

impl Indexes {
    pub(super) fn new(connection: &Connection) -> Result<Self, StoreError> {
        let last: i64 = connection
            .query_row("SELECT coalesce(max(seq), 0) FROM history", [], |row| row.get(0))
            .map_err(sql)?;
        let mut shift = 0;
        while (last >> shift) >= SUMS {
            shift += 1;
        }
        Ok(Indexes { shift, names: HashMap::new(), resources: HashMap::new(), asked: Vec::new() })
    }

    /// Adds the entries that a row of history should have.
    pub(super) fn add(&mut self, connection: &Connection, seq: i64, line: &Line) -> Result<(), StoreError> {
        let name = line.text(task::NAME).unwrap_or_default();
        if name.is_ascii() && !name.contains('\0') {
            let folded = name.to_ascii_lowercase();
            for (n, word) in folded.as_bytes().windows(3).enumerate() {
                add(&mut self.names, seq >> self.shift, (seq, n as i64, word), 1);
            }
        } else {
            self.asked.push((seq, name.to_owned()));
            if self.asked.len() >= AT_ONCE {
                self.ask(connection)?;
            }
        }
        let created_at = line.int(task::CREATED_AT).unwrap_or_default();
        let resources = line.text(task::RESOURCES).unwrap_or_default();
        for entry in seal::entries(resources) {
            let kind = entry.kind.to_ascii_lowercase();
            let whole = (seq, created_at, entry.id, kind.as_str(), entry.leads, entry.first);
            add(&mut self.resources, seq >> self.shift, whole, 1);
        }
        Ok(())
    }

    /// Splits names into words by SQLite's own means, in a table that only this connection sees.
    fn ask(&mut self, connection: &Connection) -> Result<(), StoreError> {
        connection
            .execute_batch(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.asked_names USING fts5 (
                   name, content = '', columnsize = 0, tokenize = 'trigram');
                 CREATE VIRTUAL TABLE IF NOT EXISTS temp.asked_words
                   USING fts5vocab (temp, asked_names, instance);
                 INSERT INTO temp.asked_names (asked_names) VALUES ('delete-all');",
            )
            .map_err(sql)?;
        let mut statement = connection
            .prepare_cached("INSERT INTO temp.asked_names (rowid, name) VALUES (?, ?)")
            .map_err(sql)?;
        for asked in self.asked.drain(..) {
            statement.execute(asked).map_err(sql)?;
        }
        words(connection, "asked_words", self.shift, &mut self.names, 1)
    }

    /// Compares the index of names.
    pub(super) fn names(
        &mut self,
        connection: &Connection,
        found: &mut dyn FnMut(Finding),
    ) -> Result<(), StoreError> {
        self.ask(connection)?;
        connection
            .execute_batch(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.known_words
                   USING fts5vocab (main, history_names, instance)",
            )
            .map_err(sql)?;
        words(connection, "known_words", self.shift, &mut self.names, -1)?;
        tell("history_names", "the index of names", self.shift, &self.names, connection, found)
    }

    /// Compares the index of resources.
    pub(super) fn resources(
        &mut self,
        connection: &Connection,
        found: &mut dyn FnMut(Finding),
    ) -> Result<(), StoreError> {
        let text = "SELECT seq, created_at, resource_id, lower(kind), leads, first FROM history_resources";
        let mut statement = connection.prepare(text).map_err(sql)?;
        let mut rows = statement.query([]).map_err(sql)?;
        while let Some(row) = rows.next().map_err(sql)? {
            let seq: i64 = row.get(0).map_err(sql)?;
            let (id, kind) = (lenient::shown(row, 2).map_err(sql)?, lenient::shown(row, 3).map_err(sql)?);
            let at = lenient::int(row, 1).map_err(sql)?.unwrap_or(i64::MIN);
            let flag = |n| lenient::int(row, n).map_err(sql);
            let (leads, first) = (flag(4)?, flag(5)?);
            let is_flag = |flag: Option<i64>| matches!(flag, Some(0 | 1));
            if !is_flag(leads) || !is_flag(first) {
                add(&mut self.resources, seq >> self.shift, (seq, "no flag"), 1);
                continue;
            }
            let whole = (seq, at, id.as_str(), kind.as_str(), leads == Some(1), first == Some(1));
            add(&mut self.resources, seq >> self.shift, whole, -1);
        }
        tell("history_resources", "the index of resources", self.shift, &self.resources, connection, found)
    }
}

fn add(sums: &mut HashMap<i64, u64>, bucket: i64, entry: impl Hash, by: i64) {
    let mut digest = DefaultHasher::new();
    entry.hash(&mut digest);
    let sum = sums.entry(bucket).or_default();
    *sum = sum.wrapping_add(digest.finish().wrapping_mul(by as u64));
}

/// Adds all words of an index of names.
fn words(
    connection: &Connection,
    table: &str,
    shift: u32,
    sums: &mut HashMap<i64, u64>,
    by: i64,
) -> Result<(), StoreError> {
    let text = format!("SELECT doc, \"offset\", term FROM temp.{table}");
    let mut statement = connection.prepare(&text).map_err(sql)?;
    let mut rows = statement.query([]).map_err(sql)?;
    while let Some(row) = rows.next().map_err(sql)? {
        let (seq, n): (i64, i64) = (row.get(0).map_err(sql)?, row.get(1).map_err(sql)?);
        let word = row.get_ref(2).map_err(sql)?;
        add(sums, seq >> shift, (seq, n, word.as_bytes().unwrap_or_default()), by);
    }
    Ok(())
}

/// Reports the rows whose sums differ.
fn tell(
    table: &str,
    what: &str,
    shift: u32,
    sums: &HashMap<i64, u64>,
    connection: &Connection,
    found: &mut dyn FnMut(Finding),
) -> Result<(), StoreError> {
    let mut wrong: Vec<i64> = sums.iter().filter(|(_, sum)| **sum != 0).map(|(bucket, _)| *bucket).collect();
    wrong.sort_unstable();
    for bucket in wrong {
        let (first, last) = (bucket << shift, ((bucket + 1) << shift) - 1);
        let finding = Finding::of(table, format!("{what} is not what history says"), Remedy::Repair);
        found(if shift == 0 {
            finding.task(Some(lenient::id_of(connection, first)?)).row(first.to_string())
        } else {
            finding.row(format!("{first} to {last}"))
        });
    }
    Ok(())
}
