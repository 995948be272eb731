//! Check of one task with all its parts.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::invariant::record_violations;
use longhaul_model::{
    Attempt, Claim, ClaimMode, Hold, Outcome, Record, Spec, SubTaskStatus, Task, TaskStatus, Timestamp,
};
use serde_json::Value;

use super::tables::unreadable;
use super::{Finding, Inspector, Line, Remedy, Source, Tally};
use crate::counters::Counted;
use crate::doc;
use crate::error::StoreError;
use crate::logs::LogLine;
use crate::packed::pack;
use crate::transfer::{Table, task as column};

/// Column of claims behind those of [`Table::columns`] and `clear`: true if the task was told that its claims
/// were granted.
const TOLD: usize = 10;

/// A task's row with its parts.
pub(super) struct Whole {
    pub(super) line: Line,
    specs: Vec<Line>,
    chunks: Vec<Line>,
    outputs: Vec<Line>,
    attempts: Vec<Line>,
    claims: Vec<Line>,
    /// The number that the next line of the log has.
    next_line: Option<i64>,
    /// True if a table cannot be read to its end, so that parts may be missing here.
    pub(super) is_partial: bool,
}

impl Whole {
    pub(super) fn new(line: Line) -> Self {
        Whole {
            line,
            specs: Vec::new(),
            chunks: Vec::new(),
            outputs: Vec::new(),
            attempts: Vec::new(),
            claims: Vec::new(),
            next_line: None,
            is_partial: false,
        }
    }

    /// Takes in a part.
    pub(super) fn part(&mut self, table: Table, part: Line) {
        match table {
            Table::Specs => self.specs.push(part),
            Table::Chunks => self.chunks.push(part),
            Table::Outputs => self.outputs.push(part),
            Table::Attempts => self.attempts.push(part),
            _ => self.claims.push(part),
        }
    }

    /// Checks a chunk of the log, which is not kept.
    pub(super) fn log(&mut self, part: &Line, found: &mut dyn FnMut(Finding)) {
        let id = self.line.id(column::ID);
        let mut wrong = |what: String| {
            found(Finding::of("logs", what, Remedy::Restore).task(id).row(part.place()));
        };
        unreadable_cells(Table::Logs, part, &mut wrong);
        let (Some(n), Some(lines), Some(text)) = (part.int(1), part.int(4), part.text(6)) else { return };
        match doc::parse::<Vec<LogLine>>(text) {
            Ok(read) if read.len() as i64 != lines => {
                wrong(format!("it has {} lines, and says {lines}", read.len()));
            }
            Ok(_) => {}
            Err(e) => wrong(format!("its lines cannot be read: {e}")),
        }
        if self.next_line.is_some_and(|next| next != n) {
            wrong(format!("its first line is {n} and not the next one"));
        }
        self.next_line = Some(n.saturating_add(lines));
    }

    fn is_hot(&self) -> bool {
        self.line.int(column::ORIGIN) == Some(-1)
    }

    fn is_imported(&self) -> bool {
        self.line.int(column::ORIGIN).is_some_and(|origin| origin > 0)
    }

    fn table(&self) -> &'static str {
        if self.is_hot() { "hot" } else { "history" }
    }

    fn finding(&self, table: &str, what: String, remedy: Remedy) -> Finding {
        Finding::of(table, what, remedy).task(self.line.id(column::ID))
    }

    /// Returns the way out for a task that cannot be read.
    fn lost(&self) -> Remedy {
        self.line.id(column::ID).map_or(Remedy::Restore, Remedy::Cancel)
    }
}

fn unreadable_cells(table: Table, line: &Line, wrong: &mut impl FnMut(String)) {
    unreadable(table, table.name(), line, &mut |finding| wrong(finding.what));
}

/// Checks a task.
pub(super) fn check(
    whole: Whole,
    source: &mut dyn Source,
    inspector: &mut dyn Inspector,
    tally: &mut Tally,
) -> Result<(), StoreError> {
    let table = whole.table();
    unreadable(Table::Tasks, table, &whole.line, &mut |finding| inspector.found(finding));
    for (part, lines) in [
        (Table::Specs, &whole.specs),
        (Table::Chunks, &whole.chunks),
        (Table::Outputs, &whole.outputs),
        (Table::Attempts, &whole.attempts),
        (Table::Claims, &whole.claims),
    ] {
        for line in lines {
            unreadable_cells(part, line, &mut |what| {
                inspector.found(whole.finding(part.name(), what, whole.lost()).row(line.place()));
            });
        }
    }
    count(&whole.line, tally);
    source.indexed(&whole.line, &mut |finding| inspector.found(finding))?;
    if whole.is_imported() {
        if let Some(text) = whole.line.text(column::DOC)
            && let Err(e) = doc::object(text)
        {
            inspector.found(whole.finding(table, e.to_string(), Remedy::Restore));
        }
        return Ok(());
    }
    let task = match load(&whole, source) {
        Ok(task) => task,
        Err(StoreError::Corrupt(why)) if !whole.is_partial => {
            let (table, why) = doc::place(&why, table);
            inspector.found(whole.finding(table, format!("it cannot be read: {why}"), whole.lost()));
            return Ok(());
        }
        Err(StoreError::Corrupt(_)) => return Ok(()),
        Err(e) => return Err(e),
    };
    let mut found = |finding: Finding| inspector.found(finding);
    columns(&whole, &task, &mut found);
    for rule in record_violations(task.record()) {
        found(whole.finding(table, rule, Remedy::Restore));
    }
    outputs(&whole, &task, &mut found);
    attempts(&whole, &task, &mut found);
    if !whole.is_partial {
        claims(&whole, task.record(), &mut found);
    }
    source.derived(&whole.line, &task, &mut found);
    let workflow = task.record().workflow.clone();
    if let Err(why) = inspector.secrets(task.id(), &workflow, &task.spec().input) {
        inspector.found(whole.finding("specs", format!("a secret in it stays closed: {why}"), Remedy::Keys));
    }
    Ok(())
}

/// Counts a task as a server does, by its columns, or by its document where they cannot be read.
fn count(line: &Line, tally: &mut Tally) {
    let status = line.int(column::STATUS).and_then(|code| u8::try_from(code).ok());
    let status = status.and_then(TaskStatus::from_code);
    let kind = line.text(column::KIND).unwrap_or_default();
    let completed_at = line.int(column::COMPLETED_AT).map(Timestamp);
    if let (Some(status), Some(resources), Ok(_)) =
        (status, line.text(column::RESOURCES), &line.cells[column::COMPLETED_AT])
    {
        tally.add(Counted { kind, status, completed_at, resources });
    } else if let Some(state) = line.text(column::DOC).and_then(doc::state) {
        let resources = &pack(&state.resources);
        tally.add(Counted { kind, status: state.status, completed_at: state.completed_at, resources });
    }
}

/// Reads the task as the writer does.
fn load(whole: &Whole, source: &mut dyn Source) -> Result<Task, StoreError> {
    let corrupt = |why: &str| StoreError::Corrupt(why.to_owned());
    let line = &whole.line;
    let id = line.id(column::ID).ok_or_else(|| corrupt("its id is lost"))?;
    let text = line.text(column::DOC).ok_or_else(|| corrupt("it has no document"))?;
    let head: doc::Reading = doc::parse(text)?;
    let status = line.int(column::STATUS).and_then(|code| u8::try_from(code).ok());
    let workflow = source.workflow(head.w)?;
    let name = line.text(column::NAME).ok_or_else(|| corrupt("its name is lost"))?.to_owned();
    head.check_row(&name, status.and_then(TaskStatus::from_code))?;
    let chunks: Vec<String> = match head.is_large(&workflow) {
        true => whole.chunks.iter().filter_map(|chunk| chunk.text(2).map(str::to_owned)).collect(),
        false => Vec::new(),
    };
    let record = doc::record(id, name, workflow, head, chunks)?;
    let children = record.state.children.clone();
    let spec = whole.specs.first().ok_or_else(|| corrupt("it has no spec"))?;
    let spec: Spec = doc::part("specs", spec.text(1).ok_or_else(|| corrupt("its spec has no document"))?)?;
    let mut outputs: BTreeMap<u32, Value> = BTreeMap::new();
    for output in &whole.outputs {
        let index = output.int(1).and_then(|index| u32::try_from(index).ok());
        let index = index.ok_or_else(|| corrupt("an output has no number"))?;
        let text = output.text(2).ok_or_else(|| corrupt("an output has no document"))?;
        outputs.insert(index, doc::part("outputs", text)?);
    }
    let task = Task::load(record, spec, outputs);
    // Tasks stored before children were counted have no numbers.
    if !children.is_empty() && children != task.record().state.children {
        return Err(corrupt("the numbers of its children are not those of its sub-tasks"));
    }
    Ok(task)
}

/// Compares the columns of a task's row with its document.
fn columns(whole: &Whole, task: &Task, found: &mut dyn FnMut(Finding)) {
    let (line, record) = (&whole.line, task.record());
    let state = &record.state;
    let mut same = |name: &str, is_same: bool| {
        if !is_same {
            let what = format!("its column `{name}` is not what its document says");
            found(whole.finding(whole.table(), what, Remedy::Restore));
        }
    };
    same("created_at", line.int(column::CREATED_AT) == Some(state.created_at.0));
    same("completed_at", line.int(column::COMPLETED_AT) == state.completed_at.map(|at| at.0));
    same("due_at", line.int(column::DUE_AT) == task.due_at().map(|at| at.0));
    let kind = line.text(column::KIND).unwrap_or_default();
    same("kind", kind.eq_ignore_ascii_case(&record.workflow.definition.kind.replace('\0', "\u{fffd}")));
    let resources = pack(&state.resources).replace('\0', "\u{fffd}");
    same(
        "resources",
        line.text(column::RESOURCES).is_some_and(|text| text.replace('\0', "\u{fffd}") == resources),
    );
}

/// Checks I3: an output belongs to a success, which it does not contradict.
fn outputs(whole: &Whole, task: &Task, found: &mut dyn FnMut(Finding)) {
    let sub_tasks = &task.record().sub_tasks;
    for line in &whole.outputs {
        let index = line.int(1).and_then(|index| usize::try_from(index).ok());
        let (what, remedy) = match index.and_then(|index| sub_tasks.get(index)) {
            None => ("I3: it is the output of a sub-task that does not exist", Remedy::Leave),
            Some(sub) if sub.contradicts_stored_output() => {
                ("I3: it is the output of a sub-task whose success was lost", Remedy::Serve)
            }
            Some(_) => continue,
        };
        found(whole.finding("outputs", what.to_owned(), remedy).row(line.place()));
    }
}

/// Checks I3: attempts are numbered, none follows a success, and at most one succeeded.
fn attempts(whole: &Whole, task: &Task, found: &mut dyn FnMut(Finding)) {
    let mut successes = BTreeSet::new();
    for line in &whole.attempts {
        let mut wrong =
            |what: String| found(whole.finding("attempts", what, Remedy::Restore).row(line.place()));
        let (Some(sub_task), Some(number), Some(text)) = (line.int(1), line.int(2), line.text(3)) else {
            continue;
        };
        let attempt: Attempt = match doc::parse(text) {
            Ok(attempt) => attempt,
            Err(e) => {
                wrong(format!("it cannot be read: {e}"));
                continue;
            }
        };
        if (i64::from(attempt.sub_task), i64::from(attempt.number)) != (sub_task, number) {
            wrong("its document is that of another attempt".to_owned());
        }
        let Some(sub) = task.record().sub_tasks.get(attempt.sub_task as usize) else {
            wrong("it is an attempt of a sub-task that does not exist".to_owned());
            continue;
        };
        if attempt.number > sub.attempt {
            wrong(format!("its sub-task knows of {} attempts only", sub.attempt));
        }
        if attempt.ended_at.is_some_and(|at| at < attempt.started_at) {
            wrong("it ended before it started".to_owned());
        }
        let succeeded = attempt.outcome == Outcome::Successful;
        let other = sub.status == SubTaskStatus::Successful && attempt.number != sub.attempt;
        if succeeded && (other || !successes.insert(attempt.sub_task)) {
            wrong("I3: its sub-task succeeded twice".to_owned());
        }
    }
}

/// Returns the claims that a task should have as a store keeps them: key, mode, places of the key.
pub(crate) fn expected_claims(record: &Record) -> BTreeMap<String, (i64, i64, Claim)> {
    if record.state.hold == Hold::None {
        return BTreeMap::new();
    }
    let row = |claim: Claim| {
        let (mode, most) = match claim.mode {
            ClaimMode::Shared => (0, 0),
            ClaimMode::Exclusive => (1, 0),
            ClaimMode::Slot(most) => (2, i64::from(most)),
        };
        (claim.key(), (mode, most, claim))
    };
    record.claims().into_iter().map(row).collect()
}

/// Checks I9: a task has the claims of its document, and no others.
fn claims(whole: &Whole, record: &Record, found: &mut dyn FnMut(Finding)) {
    // One of the engines has no NUL.
    let clean = |text: &str| text.replace('\0', "\u{fffd}");
    let mut expected: BTreeMap<_, _> =
        expected_claims(record).into_iter().map(|(key, claim)| (clean(&key), claim)).collect();
    let held = record.state.hold == Hold::Held;
    let mut wrong = |what: String| found(whole.finding("claims", what, Remedy::Repair));
    for line in &whole.claims {
        let key = clean(line.text(1).unwrap_or_default());
        match expected.remove(&key) {
            None => wrong(format!("I9: it has a claim on `{key}`, which its document does not say")),
            Some((mode, most, _)) if (line.int(5), line.int(6)) != (Some(mode), Some(most)) => {
                wrong(format!("I9: it claims `{key}` in another way than its document says"));
            }
            // The grant has not been announced yet: that happens in a transaction of its own.
            Some(_) if !held && line.flag(7) && !line.flag(TOLD) => {}
            Some(_) if line.flag(7) != held => {
                let (row, said) = if held { ("waits for", "holds") } else { ("holds", "waits for") };
                wrong(format!("I9: it {row} `{key}`, and its document says that it {said} it"));
            }
            Some(_) => {}
        }
    }
    for key in expected.keys() {
        let verb = if held { "holds" } else { "waits for" };
        wrong(format!("I9: its document says that it {verb} `{key}`, and it has no such claim"));
    }
}
