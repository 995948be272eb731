//! `migrate`: moves a store.

use std::path::PathBuf;

use anyhow::anyhow;
use indicatif::HumanCount;
use longhaul_crypto::{Keyring, Rotation};
use longhaul_model::Env;
use longhaul_store::{Location, Moved, Phase, Step, transfer, undo_transfer};

use crate::cli::{MigrateArgs, OutputFormat};
use crate::exit::{Code, Failure};
use crate::out::Out;
use crate::out::bar::bar;

/// Moves, with a bar on a terminal.
pub(crate) fn run(args: &MigrateArgs, out: &Out) -> Result<Code, Failure> {
    let env = Env::real();
    if let Some(store) = &args.undo {
        undo_transfer(store, &env).map_err(|e| anyhow!("{e}"))?;
        out.text(&format!("{} is whole again and can be served\n", shown(store)))?;
        return Ok(Code::Success);
    }
    let (Some(from), Some(to)) = (&args.from, &args.to) else {
        return Err(Failure::Usage("--from and --to say what to move where".to_owned()));
    };
    if from == to {
        return Err(Failure::Usage("--from and --to are the same".to_owned()));
    }
    let key_file = args.key_file.clone().or_else(|| default_key_file(from, to));
    let key_file = key_file.ok_or_else(|| {
        Failure::Usage("--key-file says which keys open the secrets in these databases".to_owned())
    })?;
    let keys = keys(&key_file, &env)?;
    let bar = bar("{msg:>24} {wide_bar} {human_pos} of {human_len}, {rate}", 0)?;
    let mut at = None;
    let step = |step: Step| {
        if at != Some(step.phase) {
            // Each phase has a speed of its own.
            at = Some(step.phase);
            bar.set_position(step.done);
            bar.reset_eta();
        }
        bar.set_length(step.all);
        bar.set_position(step.done);
        let table = step.table.replace('_', " ");
        bar.set_message(match step.phase {
            Phase::Moving => format!("moving {table}"),
            Phase::Checking => format!("comparing {table}"),
        });
        Ok(())
    };
    let moved = transfer(from, to, Some(&keys), &env, step);
    bar.finish_and_clear();
    say(&moved.map_err(|e| anyhow!("{e}"))?, to, &key_file, out)?;
    Ok(Code::Success)
}

/// Returns the key file of the data directory among the two stores: the old or the new one.
fn default_key_file(from: &Location, to: &Location) -> Option<PathBuf> {
    [from, to].into_iter().find_map(|store| match store {
        Location::Directory(directory) => Some(directory.join("keys.json")),
        Location::Database(_) => None,
    })
}

/// Returns the name of a key ring that exists.
fn keys(file: &std::path::Path, env: &Env) -> Result<String, Failure> {
    if !file.exists() {
        return Err(anyhow!(
            "there is no key file {}: without it nobody can open the secrets that are moved; --key-file says where it is",
            file.display()
        )
        .into());
    }
    let keys = Keyring::open(file, Rotation::default(), env.wall().0).map_err(|e| anyhow!("{e}"))?;
    Ok(keys.id())
}

fn shown(store: &Location) -> String {
    match store {
        Location::Directory(directory) => directory.display().to_string(),
        Location::Database(_) => "the database".to_owned(),
    }
}

fn say(moved: &Moved, to: &Location, key_file: &std::path::Path, out: &Out) -> Result<(), Failure> {
    if matches!(out.format, OutputFormat::Json | OutputFormat::Yaml) {
        let rows: serde_json::Map<String, serde_json::Value> =
            moved.rows.iter().map(|(table, rows)| ((*table).to_owned(), (*rows).into())).collect();
        out.verbatim(&serde_json::json!({ "resumed": moved.resumed, "rows": rows }))?;
        return Ok(());
    }
    let counted: Vec<String> = moved
        .rows
        .iter()
        .filter(|(_, rows)| *rows > 0)
        .map(|(table, rows)| format!("  {:>12}  {}", HumanCount(*rows).to_string(), table.replace('_', " ")))
        .collect();
    let place = match to {
        Location::Directory(directory) => format!("--data-dir {}", directory.display()),
        Location::Database(_) => "--database-url …".to_owned(),
    };
    out.text(&format!(
        "everything is moved, and is what it was, row by row:\n{}\nserve it: longhaul serve {place} --key-file {}\n",
        counted.join("\n"),
        key_file.display()
    ))?;
    Ok(())
}
