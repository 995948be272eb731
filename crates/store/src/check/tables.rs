//! Rows of independent tables: workflows, idempotency keys, settings, accounts, the audit log.

use std::collections::HashSet;

use serde::de::IgnoredAny;

use super::{Finding, Line, Remedy};
use crate::doc;
use crate::known::compile;
use crate::transfer::{Table, Value};

/// Notes on the rows of a table so far.
#[derive(Default)]
pub(super) struct Seen {
    /// The last number of the audit log.
    last: Option<i64>,
    /// Versions of workflows.
    versions: HashSet<(String, i64)>,
    rows: u64,
}

impl Seen {
    /// Checks a table as a whole.
    pub(super) fn finish(self, table: Table, found: &mut dyn FnMut(Finding)) {
        if table == Table::AccountState && self.rows != 1 {
            let what = format!("it has {} rows instead of one", self.rows);
            found(Finding::of(table.name(), what, Remedy::Restore));
        }
    }
}

/// Checks one row.
pub(super) fn check(table: Table, line: &Line, seen: &mut Seen, found: &mut dyn FnMut(Finding)) {
    seen.rows += 1;
    unreadable(table, table.name(), line, found);
    let mut wrong = |what: String| found(Finding::of(table.name(), what, Remedy::Restore).row(line.place()));
    match table {
        Table::Workflows => {
            let (Some(name), Some(version), Some(text)) = (line.text(1), line.int(2), line.text(3)) else {
                return;
            };
            let number = u32::try_from(version).unwrap_or_default();
            match doc::parse(text).and_then(|definition| compile(definition, number)) {
                Ok(workflow) if workflow.definition.name != name => {
                    wrong(format!("its document is that of the workflow `{}`", workflow.definition.name));
                }
                Ok(_) if number == 0 => wrong(format!("its version is {version}")),
                Ok(_) => {}
                Err(e) => wrong(format!("version {version} of the workflow `{name}` cannot be read: {e}")),
            }
            if !seen.versions.insert((name.to_owned(), version)) {
                wrong(format!("there is version {version} of the workflow `{name}` twice"));
            }
        }
        Table::Settings => {
            let parsed = line.text(1).map(doc::parse::<IgnoredAny>);
            if let Some(Err(e)) = parsed {
                wrong(format!("its document cannot be read: {e}"));
            }
        }
        Table::Keys => digest(line, 3, &mut wrong),
        Table::ApiKeys => digest(line, 3, &mut wrong),
        Table::RefreshTokens => digest(line, 0, &mut wrong),
        Table::Audit => {
            let number = line.int(0);
            if let (Some(last), Some(number)) = (seen.last, number)
                && number <= last
            {
                wrong(format!("number {number} follows {last}"));
            }
            seen.last = number.or(seen.last);
        }
        _ => {}
    }
    if let Some(at) = created_at(table).and_then(|n| line.int(n)).filter(|at| *at < 0) {
        wrong(format!("its time is {at}"));
    }
}

/// Reports each cell that cannot be read.
pub(super) fn unreadable(table: Table, name: &str, line: &Line, found: &mut dyn FnMut(Finding)) {
    let columns = table.columns().iter().map(|(column, _)| *column);
    for (column, cell) in columns.chain(std::iter::repeat("further column")).zip(&line.cells) {
        if let Err(why) = cell {
            let what = format!("its column `{column}` {why}");
            found(Finding::of(name, what, Remedy::Restore).task(line.id(0)).row(line.place()));
        }
    }
}

fn created_at(table: Table) -> Option<usize> {
    let named = |name: &str| table.columns().iter().position(|(column, _)| *column == name);
    named("created_at").or_else(|| named("at"))
}

fn digest(line: &Line, n: usize, wrong: &mut impl FnMut(String)) {
    if let Some(Ok(Value::Bytes(bytes))) = line.cells.get(n)
        && bytes.len() != 32
    {
        wrong(format!("its digest has {} bytes instead of 32", bytes.len()));
    }
}
