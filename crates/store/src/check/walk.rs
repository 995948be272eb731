//! Walk through a store: tasks and their parts side by side in the same order, each table page by page.

use std::collections::VecDeque;

use super::task::{self, Whole};
use super::{Checked, Finding, Inspector, Line, Progress, Remedy, Source, Tally, tables, tally};
use crate::error::StoreError;
use crate::transfer::{Table, Value};

/// Tables with parts of tasks; logs come last, as they are checked line by line.
const PARTS: [Table; 6] =
    [Table::Specs, Table::Chunks, Table::Outputs, Table::Attempts, Table::Claims, Table::Logs];

/// Independent tables.
const OTHERS: [Table; 8] = [
    Table::Workflows,
    Table::Keys,
    Table::Settings,
    Table::Users,
    Table::ApiKeys,
    Table::RefreshTokens,
    Table::AccountState,
    Table::Audit,
];

/// Rows of one table, one after the other.
pub(super) struct Cursor {
    pub(super) table: Table,
    buffer: VecDeque<Line>,
    after: Option<Vec<Value>>,
    is_through: bool,
    /// Reason why the rest of the table cannot be read.
    broken: Option<String>,
    read: u64,
    /// Count of rows: a damaged table may lead back to rows that were read, for ever.
    all: Option<u64>,
}

impl Cursor {
    pub(super) fn new(table: Table) -> Self {
        Cursor {
            table,
            buffer: VecDeque::new(),
            after: None,
            is_through: false,
            broken: None,
            read: 0,
            all: None,
        }
    }

    /// Returns the next row without taking it.
    fn peek(&mut self, source: &mut dyn Source) -> Result<Option<&Line>, StoreError> {
        if self.buffer.is_empty() && !self.is_through {
            match self.page(source) {
                Ok(page) => self.buffer.extend(page),
                Err(StoreError::Corrupt(why)) => {
                    self.is_through = true;
                    self.broken = Some(why);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(self.buffer.front())
    }

    fn page(&mut self, source: &mut dyn Source) -> Result<Vec<Line>, StoreError> {
        let all = match self.all {
            Some(all) => all,
            None => *self.all.insert(source.count(self.table)?),
        };
        let page = source.page(self.table, self.after.as_deref())?;
        self.read += page.len() as u64;
        if self.read > all {
            return Err(StoreError::Corrupt(format!("it has {all} rows, and more are read")));
        }
        self.is_through = page.is_empty();
        self.after = page.last().map(|line| line.at.clone());
        Ok(page)
    }

    pub(super) fn next(&mut self, source: &mut dyn Source) -> Result<Option<Line>, StoreError> {
        self.peek(source)?;
        Ok(self.buffer.pop_front())
    }

    /// Takes the next row if it belongs to a task up to this one.
    fn up_to(&mut self, source: &mut dyn Source, key: u128) -> Result<Option<Line>, StoreError> {
        match self.peek(source)? {
            Some(line) if line.key <= key => Ok(self.buffer.pop_front()),
            _ => Ok(None),
        }
    }

    /// Returns true if rows may be missing from what was read.
    fn is_broken(&self) -> bool {
        self.broken.is_some()
    }
}

/// Checks all that the rows of a store show.
pub(crate) fn run(source: &mut dyn Source, inspector: &mut dyn Inspector) -> Result<Checked, StoreError> {
    let mut all = 0;
    for table in OTHERS.into_iter().chain(PARTS).chain([Table::Tasks]) {
        all += source.count(table).or_else(|e| match e {
            StoreError::Corrupt(_) => Ok(0),
            e => Err(e),
        })?;
    }
    let mut walk = Walk { source, inspector, all, done: 0, tally: Tally::default(), rows: Vec::new() };
    for table in OTHERS {
        walk.other(table)?;
    }
    let is_whole = walk.tasks()?;
    let Walk { source, inspector, tally, rows, .. } = walk;
    if is_whole {
        tally::finish(tally, source, &mut |finding| inspector.found(finding))?;
    }
    inspector.progress(Progress { part: "indexes", done: all, all });
    source.own(inspector)?;
    Ok(Checked { rows, notes: Vec::new() })
}

struct Walk<'a> {
    source: &'a mut dyn Source,
    inspector: &'a mut dyn Inspector,
    all: u64,
    done: u64,
    tally: Tally,
    rows: Vec<(&'static str, u64)>,
}

impl Walk<'_> {
    /// Walks an independent table.
    fn other(&mut self, table: Table) -> Result<(), StoreError> {
        let mut cursor = Cursor::new(table);
        let mut seen = tables::Seen::default();
        while let Some(line) = cursor.next(self.source)? {
            self.tell(table, 1);
            let inspector = &mut *self.inspector;
            tables::check(table, &line, &mut seen, &mut |finding| inspector.found(finding));
        }
        let inspector = &mut *self.inspector;
        seen.finish(table, &mut |finding| inspector.found(finding));
        self.ended(&cursor);
        Ok(())
    }

    /// Walks the tasks with their parts; returns true if all of them could be read.
    fn tasks(&mut self) -> Result<bool, StoreError> {
        let mut tasks = Cursor::new(Table::Tasks);
        let mut parts = PARTS.map(Cursor::new);
        let mut before = None;
        while let Some(line) = tasks.next(self.source)? {
            self.tell(Table::Tasks, 1);
            if before.replace(line.key) == Some(line.key) {
                let what = "it is among the active tasks and in history at once";
                let finding = Finding::of("history", what, Remedy::Restore);
                self.inspector.found(finding.task(line.id(0)).row(line.place()));
                continue;
            }
            let mut whole = Whole::new(line);
            for cursor in &mut parts {
                whole.is_partial |= cursor.is_broken();
                while let Some(part) = cursor.up_to(self.source, whole.line.key)? {
                    self.tell(cursor.table, 1);
                    if part.key < whole.line.key {
                        self.left_over(cursor.table, &part)?;
                    } else if cursor.table == Table::Logs {
                        whole.log(&part, &mut |finding| self.inspector.found(finding));
                    } else {
                        whole.part(cursor.table, part);
                    }
                }
                whole.is_partial |= cursor.is_broken();
            }
            task::check(whole, self.source, self.inspector, &mut self.tally)?;
        }
        let is_whole = !tasks.is_broken();
        for cursor in &mut parts {
            while let Some(part) = cursor.next(self.source)? {
                self.tell(cursor.table, 1);
                if is_whole {
                    self.left_over(cursor.table, &part)?;
                }
            }
            self.ended(cursor);
        }
        self.ended(&tasks);
        Ok(is_whole)
    }

    /// Reports a part whose task does not exist.
    fn left_over(&mut self, table: Table, part: &Line) -> Result<(), StoreError> {
        if self.source.is_doomed(part.key)? {
            return Ok(());
        }
        let remedy = if table == Table::Claims { Remedy::Repair } else { Remedy::Leave };
        let finding = Finding::of(table.name(), "its task is not there", remedy);
        self.inspector.found(finding.task(part.id(0)).row(part.place()));
        Ok(())
    }

    fn tell(&mut self, table: Table, rows: u64) {
        self.done += rows;
        if self.done.is_multiple_of(256) {
            let progress = Progress { part: table.name(), done: self.done, all: self.all.max(self.done) };
            self.inspector.progress(progress);
        }
    }

    fn ended(&mut self, cursor: &Cursor) {
        self.rows.push((cursor.table.name(), cursor.read));
        let Some(why) = &cursor.broken else { return };
        let behind = if cursor.read == 0 { String::new() } else { format!(" behind row {}", cursor.read) };
        let what = format!("its rows cannot be read{behind}: {why}");
        self.inspector.found(Finding::of(cursor.table.name(), what, Remedy::Restore));
    }
}
