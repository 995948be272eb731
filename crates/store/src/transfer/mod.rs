//! Transfer of everything from one store to another of either engine: page by page, each in one transaction
//! with a note of its progress, so that the transfer continues wherever it was cut off; counted and summed up
//! at the end. While it lasts, and for the source ever after, neither store can be served: no task is run by
//! two.

mod end;
mod settings;
mod sum;
mod table;
mod value;

use std::path::PathBuf;
use std::str::FromStr;

use longhaul_model::Env;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;
use crate::postgres::transfer::Database;
use crate::sqlite::transfer::Directory;
pub(crate) use end::{End, Found};
use settings::MOVED;
pub(crate) use settings::{FILLED, FILLING, OWN_SETTINGS, SIGNING_KEYS};
pub use settings::{KEYS, STORAGE_ID};
use sum::Sum;
use table::TABLES;
pub(crate) use table::{Table, task};
pub(crate) use value::{Kind, Value};

/// Location of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `sqlite:DIR`, a data directory.
    Directory(PathBuf),
    /// `postgres://…`, a database.
    Database(String),
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("sqlite:") {
            Some("") => Err("name the data directory: sqlite:DIR".to_owned()),
            Some(directory) => Ok(Location::Directory(directory.into())),
            None if text.starts_with("postgres://") || text.starts_with("postgresql://") => {
                Ok(Location::Database(text.to_owned()))
            }
            None => Err("write sqlite:DIR or postgres://user@host/database".to_owned()),
        }
    }
}

impl Location {
    fn existing(&self, keys: Option<&str>, env: &Env) -> Result<Box<dyn End>, StoreError> {
        Ok(match self {
            Location::Directory(directory) => Box::new(Directory::existing(directory, env)?),
            Location::Database(url) => Box::new(Database::existing(url, keys, env)?),
        })
    }

    fn made(&self, keys: Option<&str>, env: &Env) -> Result<Box<dyn End>, StoreError> {
        Ok(match self {
            Location::Directory(directory) => Box::new(Directory::new(directory, env)?),
            Location::Database(url) => Box::new(Database::new(url, keys, env)?),
        })
    }
}

/// Moves everything from one store to another, which is empty, or in which this transfer was begun before. No
/// server may run on either, and none starts on the source afterwards. `keys` names the key ring that seals
/// the secrets; `step` is called after each page, and ends the transfer by an error: the same call continues
/// where it ended. To be called outside of a runtime. After Ok: everything is in the target, compared row by
/// row, and on disk. Crash in the middle: neither can be served; the same call continues.
pub fn transfer(
    from: &Location,
    to: &Location,
    keys: Option<&str>,
    env: &Env,
    mut step: impl FnMut(Step) -> Result<(), StoreError>,
) -> Result<Moved, StoreError> {
    let mut source = from.existing(keys, env)?;
    let mut target = to.made(keys, env)?;
    run(&mut *source, &mut *target, env, &mut step)
}

/// Makes a store usable again whose content was moved, or was to be; the other store stays as it is.
pub fn undo_transfer(at: &Location, env: &Env) -> Result<(), StoreError> {
    undo(&mut *at.existing(None, env)?)
}

/// Progress of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Current phase.
    pub phase: Phase,
    /// The table.
    pub table: &'static str,
    /// Rows of all tables, in this phase.
    pub done: u64,
    /// Count of all rows.
    pub all: u64,
}

/// Phase of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Rows are moved.
    Moving,
    /// Rows are read back and compared.
    Checking,
}

/// Result of a transfer: the count of each table's rows, on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Count of rows by table.
    pub rows: Vec<(&'static str, u64)>,
    /// True if an earlier transfer had begun it.
    pub resumed: bool,
}

/// The note in the store that is filled.
#[derive(Serialize, Deserialize)]
struct Filling {
    transfer: Uuid,
    /// Table that is being moved; those before it are done.
    table: usize,
    after: Option<Vec<Value>>,
    sums: Vec<Sum>,
}

/// Note in the store whose content is being moved, and in the one that gets it.
#[derive(Serialize, Deserialize)]
struct Note {
    transfer: Uuid,
    /// The other store.
    place: String,
    at: i64,
    /// True if everything has been transferred.
    done: bool,
}

/// Moves everything. `step` is called after each page, and ends the transfer by an error; the same call
/// continues it.
fn run(
    from: &mut dyn End,
    to: &mut dyn End,
    env: &Env,
    step: &mut dyn FnMut(Step) -> Result<(), StoreError>,
) -> Result<Moved, StoreError> {
    let (mut filling, resumed) = match begin(from, to, env)? {
        Begun::At(filling, resumed) => (filling, resumed),
        Begun::Filled(note) => {
            // The transfer was cut off in its last moment.
            settle(from, &note, to.place())?;
            return Ok(Moved { rows: counts(to)?, resumed: true });
        }
    };
    let all = counts(from)?.iter().map(|(_, rows)| rows).sum();
    let mut moved: u64 = filling.sums.iter().map(|sum| sum.rows).sum();
    while let Some(&table) = TABLES.get(filling.table) {
        step(Step { phase: Phase::Moving, table: table.name(), done: moved, all })?;
        let page = from.read(table, filling.after.as_deref())?;
        match page.last() {
            Some(last) => filling.after = Some(last.at.clone()),
            None => {
                filling.table += 1;
                filling.after = None;
            }
        }
        let rows: Vec<Vec<Value>> = page.into_iter().map(|found| found.row).collect();
        if let Some(sum) = filling.sums.get_mut(table as usize) {
            rows.iter().try_for_each(|row| sum.add(row))?;
        }
        moved += rows.len() as u64;
        to.write(table, rows, &text(&filling)?)?;
    }
    check(to, &filling.sums, moved, step)?;
    let note = Note { transfer: filling.transfer, place: from.place(), at: env.now().0, done: true };
    to.finish(&text(&note)?)?;
    settle(from, &note, to.place())?;
    Ok(Moved {
        rows: TABLES.iter().zip(&filling.sums).map(|(t, sum)| (t.name(), sum.rows)).collect(),
        resumed,
    })
}

enum Begun {
    At(Filling, bool),
    Filled(Note),
}

/// Returns the start of the transfer: the beginning if the source is whole and the target empty, or the place
/// where this transfer was cut off.
fn begin(from: &mut dyn End, to: &mut dyn End, env: &Env) -> Result<Begun, StoreError> {
    if from.setting(FILLING)?.is_some() {
        return refuse(format!(
            "{} is itself half filled by another transfer: finish that first",
            from.place()
        ));
    }
    refuse_copy(from)?;
    let moved: Option<Note> = note(from, MOVED)?;
    let filling: Option<Filling> = note(to, FILLING)?;
    let filled: Option<Note> = note(to, FILLED)?;
    match (moved, filling, filled) {
        (Some(moved), Some(filling), _) if moved.transfer == filling.transfer => Ok(Begun::At(filling, true)),
        (Some(moved), None, Some(filled)) if moved.transfer == filled.transfer => Ok(Begun::Filled(filled)),
        (Some(moved), None, _) if !is_empty(to)? || moved.done => refuse(format!(
            "the tasks of {} {} {}: `longhaul migrate --undo STORE` makes it whole again, without what happened there since",
            from.place(),
            if moved.done { "were moved to" } else { "are on their way to" },
            moved.place
        )),
        (_, Some(_), _) => refuse(format!(
            "{} is half filled by another transfer: finish that, or empty it and begin anew",
            to.place()
        )),
        (_, None, _) if !is_empty(to)? => {
            refuse(format!("{} is not empty: move into a new directory or database", to.place()))
        }
        // The transfer was begun before, and cut off before anything was moved; or never begun.
        (moved, None, _) => {
            let transfer = moved.map_or_else(|| Uuid::from_u128(env.random()), |moved| moved.transfer);
            let note = Note { transfer, place: to.place(), at: env.now().0, done: false };
            from.set(MOVED, Some(&text(&note)?))?;
            let sums = vec![Sum::default(); TABLES.len()];
            let filling = Filling { transfer, table: 0, after: None, sums };
            to.set(FILLING, Some(&text(&filling)?))?;
            Ok(Begun::At(filling, false))
        }
    }
}

/// Refuses a source that is a copy of which nobody has said what it is. Its tasks would go on at the target,
/// which no longer shows that they may be at work elsewhere.
fn refuse_copy(from: &mut dyn End) -> Result<(), StoreError> {
    let known: Option<serde_json::Value> = note(from, STORAGE_ID)?;
    let (Some(known), Some(here)) = (known, from.storage_id()) else { return Ok(()) };
    if known == serde_json::Value::String(here) {
        return Ok(());
    }
    refuse(format!(
        "{} is a copy, or was moved, and nobody has said which: serve it once with --moved, if the original is no more, or with \
         --copy, if it lives on; then move it",
        from.place()
    ))
}

/// The source is history from here on.
fn settle(from: &mut dyn End, note: &Note, to: String) -> Result<(), StoreError> {
    from.set(MOVED, Some(&text(&Note { place: to, transfer: note.transfer, at: note.at, done: true })?))
}

/// Returns true if nothing was ever kept in the store.
fn is_empty(end: &mut dyn End) -> Result<bool, StoreError> {
    let counted = counts(end)?;
    Ok(counted.iter().all(|(table, rows)| *rows == 0 || *table == Table::AccountState.name()))
}

fn counts(end: &mut dyn End) -> Result<Vec<(&'static str, u64)>, StoreError> {
    TABLES.iter().map(|table| Ok((table.name(), end.count(*table)?))).collect()
}

/// Reads the target back and compares.
fn check(
    to: &mut dyn End,
    sums: &[Sum],
    all: u64,
    step: &mut dyn FnMut(Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut done = 0;
    for (table, expected) in TABLES.iter().zip(sums) {
        let (mut found, mut after) = (Sum::default(), None);
        loop {
            step(Step { phase: Phase::Checking, table: table.name(), done, all })?;
            let page = to.read(*table, after.as_deref())?;
            let Some(last) = page.last() else { break };
            after = Some(last.at.clone());
            page.iter().try_for_each(|found_row| found.add(&found_row.row))?;
            done += page.len() as u64;
        }
        if found != *expected {
            return Err(StoreError::Corrupt(format!(
                "{} of {} are not what was sent there ({} rows, {} were sent): empty it and move again",
                table.name(),
                to.place(),
                found.rows,
                expected.rows
            )));
        }
    }
    Ok(())
}

/// Makes a store usable again whose content was moved, or was to be; the other store stays as it is.
fn undo(end: &mut dyn End) -> Result<(), StoreError> {
    match note::<Note>(end, MOVED)? {
        Some(_) => end.set(MOVED, None),
        None => refuse(format!("nothing was moved away from {}", end.place())),
    }
}

/// Refuses to serve a store in the middle of a transfer, or whose content has been moved. `setting` reads a
/// setting.
pub(crate) fn check_whole(
    place: &str,
    mut setting: impl FnMut(&'static str) -> Result<Option<String>, StoreError>,
) -> Result<(), StoreError> {
    if setting(FILLING)?.is_some() {
        return refuse(format!("{place} is half filled: finish `longhaul migrate` first"));
    }
    let Some(moved) = setting(MOVED)? else { return Ok(()) };
    let moved: Note = crate::doc::parse(&moved)?;
    if moved.done {
        return refuse(format!(
            "the tasks of {place} were moved to {}: serve that. (`longhaul migrate --undo STORE` makes this one whole again, \
             without what happened there since.)",
            moved.place
        ));
    }
    refuse(format!(
        "the tasks of {place} are on their way to {}: finish `longhaul migrate`, or give it up with `longhaul migrate --undo STORE`",
        moved.place
    ))
}

fn note<T: DeserializeOwned>(end: &mut dyn End, name: &str) -> Result<Option<T>, StoreError> {
    end.setting(name)?
        .map(|text| serde_json::from_str(&text).map_err(|e| StoreError::Corrupt(e.to_string())))
        .transpose()
}

fn text<T: Serialize>(note: &T) -> Result<String, StoreError> {
    crate::doc::json(note)
}

fn refuse<T>(why: String) -> Result<T, StoreError> {
    Err(StoreError::Open(why))
}
