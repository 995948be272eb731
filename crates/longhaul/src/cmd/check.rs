//! `check`: looks for damage in a store, and rebuilds derived data.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use longhaul_crypto::{Keyring, Rotation};
use longhaul_engine::SecretCheck;
use longhaul_model::workflow::Workflow;
use longhaul_model::{Env, TaskId};
use longhaul_store::{Checked, Finding, Inspector, Location, Progress, Remedy, StoreError, check, repair};
use serde_json::{Value, json};

use super::ask;
use crate::cli::{CheckArgs, OutputFormat};
use crate::exit::{Code, Failure};
use crate::out::Out;
use crate::out::bar::bar;

/// Maximum number of findings that are printed; further ones are counted.
const SHOWN: u64 = 1_000;

/// Checks a store, with a bar on a terminal; repairs it first if asked to.
pub(crate) fn run(args: &CheckArgs, out: Out) -> Result<Code, Failure> {
    let out = if args.json { Out { format: OutputFormat::Json, ..out } } else { out };
    let place = Place::of(args)?;
    let mut repaired = Vec::new();
    if args.repair {
        agree(args, &place)?;
        match repair(&place.location, &Env::real()) {
            Ok(done) => repaired = done,
            Err(e) => return cannot("repaired", &place, &e, &out),
        }
        if out.format == OutputFormat::Table || out.format == OutputFormat::Wide {
            let lines: Vec<String> = repaired.iter().map(|line| format!("repaired: {line}\n")).collect();
            out.text(&lines.concat())?;
        }
    }
    let keys = place.keys()?;
    let bar = bar("{msg:>24} {wide_bar} {human_pos} of {human_len}, {rate}", 0)?;
    let mut watcher = Watcher {
        out,
        place: &place,
        keys: keys.as_ref(),
        bar: bar.clone(),
        count: 0,
        findings: Vec::new(),
        failed: None,
    };
    let checked = check(&place.location, &mut watcher);
    bar.finish_and_clear();
    if let Some(e) = watcher.failed.take() {
        return Err(e.into());
    }
    match checked {
        Ok(checked) => conclude(&watcher, checked, &repaired),
        Err(e) => cannot("checked", &place, &e, &out),
    }
}

/// The store that is checked, and its key file.
struct Place {
    location: Location,
    /// Option that names the store, for advice.
    option: String,
    key_file: Option<PathBuf>,
}

impl Place {
    fn of(args: &CheckArgs) -> Result<Place, Failure> {
        let from_environment =
            |name: &str, value: &str| crate::environment::text(name).as_deref() == Some(value);
        let database = args.database_url.as_deref();
        let directory = args.data_dir.as_deref();
        let is_meant = match (directory, database) {
            (Some(directory), Some(url)) => {
                let directory_given = !from_environment("LONGHAUL_DATA_DIR", &directory.to_string_lossy());
                let url_given = !from_environment("LONGHAUL_DATABASE_URL", url);
                if directory_given && url_given {
                    let text = "--data-dir and --database-url name two stores: check one after the other";
                    return Err(Failure::Usage(text.to_owned()));
                }
                // The rule is that of `serve`: the database is used if both are only in the environment.
                url_given || !directory_given
            }
            (_, url) => url.is_some(),
        };
        match database.filter(|_| is_meant) {
            Some(url) => {
                let location = url.parse().map_err(|_| {
                    Failure::Usage("--database-url: write postgres://user:password@host/database".to_owned())
                })?;
                if !matches!(location, Location::Database(_)) {
                    return Err(Failure::Usage("--data-dir names a data directory".to_owned()));
                }
                Ok(Place { location, option: String::new(), key_file: args.key_file.clone() })
            }
            None => {
                let directory = directory.unwrap_or(Path::new("./longhaul-data")).to_owned();
                let beside = directory.join("keys.json");
                let key_file = args.key_file.clone().or_else(|| beside.exists().then_some(beside));
                let option = format!(" --data-dir {}", directory.display());
                Ok(Place { location: Location::Directory(directory), option, key_file })
            }
        }
    }

    /// Returns the store for people.
    fn shown(&self) -> String {
        match &self.location {
            Location::Directory(directory) => directory.display().to_string(),
            Location::Database(_) => "the database".to_owned(),
        }
    }

    /// Opens the key file, which is left as it is; `None` if it does not exist.
    fn keys(&self) -> Result<Option<SecretCheck>, Failure> {
        let Some(file) = &self.key_file else { return Ok(None) };
        if !file.exists() {
            return Err(Failure::Usage(format!("there is no key file {}", file.display())));
        }
        match Keyring::open_to_share(file, Rotation::default(), Env::real().wall().0) {
            Ok(keys) => Ok(Some(SecretCheck::new(keys.sealer()))),
            Err(e) => Err(Failure::Usage(format!("--key-file: {e}"))),
        }
    }
}

/// Asks for confirmation.
fn agree(args: &CheckArgs, place: &Place) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let question = format!(
        "Make the indexes, totals and claims of {} anew? Take a backup first. Type yes",
        place.shown()
    );
    match ask::line_or(&question, "say --yes")?.as_str() {
        "yes" | "y" => Ok(()),
        _ => Err(Failure::Usage("nothing was repaired".to_owned())),
    }
}

fn cannot(verb: &str, place: &Place, e: &StoreError, out: &Out) -> Result<Code, Failure> {
    if out.format == OutputFormat::Json || out.format == OutputFormat::Yaml {
        out.verbatim(&json!({ "sound": Value::Null, "error": e.to_string() }))?;
    }
    let bad = out.error_palette.bad();
    out.remark(&format!("{bad}error:{bad:#} {} cannot be {verb}: {e}", place.shown()))?;
    Ok(Code::Usage)
}

/// Inspector that prints findings as they are found.
struct Watcher<'a> {
    out: Out,
    place: &'a Place,
    keys: Option<&'a SecretCheck>,
    bar: ProgressBar,
    count: u64,
    /// Findings, for formats that are one document.
    findings: Vec<Value>,
    failed: Option<std::io::Error>,
}

impl Inspector for Watcher<'_> {
    fn progress(&mut self, progress: Progress) {
        self.bar.set_message(format!("checking {}", progress.part.replace('_', " ")));
        self.bar.set_length(progress.all);
        self.bar.set_position(progress.done);
    }

    fn found(&mut self, finding: Finding) {
        self.count += 1;
        if self.count > SHOWN {
            return;
        }
        let (advice, command) = advice(finding.remedy, self.place);
        if matches!(self.out.format, OutputFormat::Json | OutputFormat::Yaml) {
            self.findings.push(json!({
                "table": finding.table,
                "taskId": finding.task.map(|id| id.to_string()),
                "row": finding.row,
                "problem": finding.what,
                "remedy": word(finding.remedy),
                "advice": advice,
                "command": command,
            }));
            return;
        }
        let mut text = finding.table.clone();
        if let Some(id) = finding.task {
            text += &format!(", task {id}");
        }
        if let Some(row) = finding.row.filter(|row| finding.task.is_none_or(|id| id.to_string() != *row)) {
            text += &format!(", row {row}");
        }
        text += &format!(": {}\n  {advice}", finding.what);
        if let Some(command) = command {
            text += &format!(": {command}");
        }
        text.push('\n');
        let (bar, out) = (&self.bar, self.out);
        let printed = bar.suspend(|| out.text(&text));
        self.failed = self.failed.take().or(printed.err());
    }

    fn secrets(&mut self, id: TaskId, workflow: &Workflow, input: &Value) -> Result<(), String> {
        self.keys.map_or(Ok(()), |keys| keys.opens(id, workflow, input))
    }
}

/// Returns the constant of a remedy in JSON.
fn word(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::Repair => "REPAIR",
        Remedy::Cancel(_) => "CANCEL",
        Remedy::Serve => "SERVE",
        Remedy::Restore => "RESTORE",
        Remedy::Keys => "KEYS",
        Remedy::Leave => "LEAVE",
    }
}

/// Returns advice on a finding, with the command where there is one.
fn advice(remedy: Remedy, place: &Place) -> (&'static str, Option<String>) {
    match remedy {
        Remedy::Repair => (
            "it is derived: stop what serves it and make it anew",
            Some(format!("longhaul check{} --repair", place.option)),
        ),
        Remedy::Cancel(id) => (
            "a backup may have it; otherwise end it, so that nothing waits for it (its rows are kept)",
            Some(format!("longhaul task cancel {id}")),
        ),
        Remedy::Serve => ("a running server mends this by itself", None),
        Remedy::Restore => ("only a backup has what was there (docs/restore.md)", None),
        Remedy::Keys => ("give the key file that sealed it, or put that back (docs/restore.md)", None),
        Remedy::Leave => ("nothing reads it: it only takes room", None),
    }
}

/// Prints the result.
fn conclude(watcher: &Watcher<'_>, checked: Checked, repaired: &[String]) -> Result<Code, Failure> {
    let Watcher { out, place, count, findings, .. } = watcher;
    let mut notes = checked.notes;
    if watcher.keys.is_none() {
        notes.push("secrets were not opened: --key-file names their keys".to_owned());
    }
    let code = if *count == 0 { Code::Success } else { Code::Failed };
    if matches!(out.format, OutputFormat::Json | OutputFormat::Yaml) {
        let rows: serde_json::Map<String, Value> =
            checked.rows.iter().map(|(table, rows)| ((*table).to_owned(), (*rows).into())).collect();
        out.verbatim(&json!({
            "sound": *count == 0,
            "count": count,
            "findings": findings,
            "rows": rows,
            "notes": notes,
            "repaired": repaired,
        }))?;
        return Ok(code);
    }
    if *count > SHOWN {
        out.text(&format!("and {} further findings\n", count - SHOWN))?;
    }
    for note in &notes {
        out.remark(&format!("note: {note}"))?;
    }
    let rows: u64 = checked.rows.iter().map(|(_, rows)| rows).sum();
    let tasks = checked.rows.iter().find(|(table, _)| *table == "tasks").map_or(0, |(_, rows)| *rows);
    let findings = match count {
        0 => "sound".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    let task = if tasks == 1 { "task" } else { "tasks" };
    out.text(&format!("{}: {findings} ({tasks} {task}, {rows} rows checked)\n", place.shown()))?;
    Ok(code)
}
