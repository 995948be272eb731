//! Environment variables of Longhaul: checks that they are known and readable.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};

use crate::cli;
use crate::exit::Failure;

/// Common beginning of their names.
const OURS: &str = "LONGHAUL_";

/// Names that no option has.
const OTHERS: [&str; 17] = [
    "LONGHAUL_ADMIN_PASSWORD",
    "LONGHAUL_ATTEMPT",
    "LONGHAUL_BACKUP_PASSPHRASE",
    "LONGHAUL_COMPLETE",
    "LONGHAUL_CONTEXT",
    "LONGHAUL_DATABASE_URL",
    "LONGHAUL_IDEMPOTENCY_KEY",
    "LONGHAUL_ITEM_INDEX",
    "LONGHAUL_LOG",
    "LONGHAUL_PASSWORD",
    "LONGHAUL_SERVER",
    "LONGHAUL_SUB_TASK",
    "LONGHAUL_TASK_ID",
    "LONGHAUL_TASK_NAME",
    "LONGHAUL_TOKEN",
    "LONGHAUL_USER",
    "LONGHAUL_WORKFLOW",
];

/// Names of files and folders, which need not be UTF-8.
const PATHS: [&str; 7] = [
    "LONGHAUL_CA",
    "LONGHAUL_CONFIG",
    "LONGHAUL_DATA_DIR",
    "LONGHAUL_KEY_FILE",
    "LONGHAUL_TLS_CERT",
    "LONGHAUL_TLS_KEY",
    "LONGHAUL_WORKFLOWS",
];

/// Returns an environment variable, if it is set and readable.
pub(crate) fn text(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Refuses a variable that cannot be read: without its value the program would do something else than was
/// meant.
pub(crate) fn refuse_unreadable() -> Result<(), Failure> {
    let known = known();
    let is_meant = |name: &str| known.contains(name) && !PATHS.contains(&name);
    let wrong = ours(std::env::vars_os()).find(|(name, value)| is_meant(name) && value.to_str().is_none());
    match wrong {
        Some((name, _)) => Err(Failure::Usage(format!("the environment variable {name} is not UTF-8"))),
        None => Ok(()),
    }
}

/// Returns a warning for each variable that has no meaning, with the name that may have been meant.
pub(crate) fn warnings() -> Vec<String> {
    let known = known();
    let unknown = ours(std::env::vars_os()).filter(|(name, _)| !known.contains(name) && !is_of_cluster(name));
    unknown.map(|(name, _)| warning(&name, &known)).collect()
}

fn warning(name: &str, known: &BTreeSet<String>) -> String {
    let meant = rest(name).to_ascii_uppercase();
    // One measure is good with short names, the other with long ones that begin alike.
    let similarity = |other: &String| {
        let letters = strsim::normalized_damerau_levenshtein(&meant, rest(other));
        letters.max(strsim::jaro_winkler(&meant, rest(other)) - 0.25)
    };
    let nearest = known.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match nearest.filter(|nearest| similarity(nearest) >= 0.5) {
        Some(nearest) => {
            format!(
                "the environment variable {name} has no meaning; {nearest} has, and may be what was meant"
            )
        }
        None => format!("the environment variable {name} has no meaning"),
    }
}

fn rest(name: &str) -> &str {
    name.get(OURS.len()..).unwrap_or(name)
}

/// Returns true for variables that Kubernetes sets for a service called `longhaul`.
fn is_of_cluster(name: &str) -> bool {
    rest(name) == "PORT" || ["PORT_", "SERVICE_"].iter().any(|start| rest(name).starts_with(start))
}

/// Returns the variables with the prefix of Longhaul's, in any case, which sets them apart from those of the
/// system.
fn ours(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, OsString)> {
    let is_ours = |name: &str| name.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS));
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(move |(name, _)| is_ours(name))
}

/// Returns the names that have a meaning.
fn known() -> BTreeSet<String> {
    fn collect(command: &clap::Command, all: &mut BTreeSet<String>) {
        let names = command.get_arguments().filter_map(clap::Arg::get_env).filter_map(OsStr::to_str);
        all.extend(names.map(str::to_owned));
        command.get_subcommands().for_each(|one| collect(one, all));
    }
    let mut all: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    collect(&cli::command(), &mut all);
    all
}

/// Returns the source of an option's value, for messages: the option where the command line has it, else the
/// variable.
pub(crate) fn source(option: &str, variable: &str) -> String {
    let is_it = |given: OsString| {
        let given = given.to_string_lossy();
        given.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    match std::env::args_os().any(is_it) {
        true => option.to_owned(),
        false => format!("the environment variable {variable}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name with a letter missing, added, exchanged or replaced is recognized.
    #[test]
    fn misspelt_names_find_the_right_one() {
        let known = known();
        assert!(PATHS.iter().all(|name| known.contains(*name)));
        for name in &known {
            let rest: Vec<char> = rest(name).chars().collect();
            for at in 1..rest.len() {
                let (mut less, mut more, mut other) = (rest.clone(), rest.clone(), rest.clone());
                less.remove(at);
                more.insert(at, 'Q');
                other[at] = 'Q';
                let mut swapped = rest.clone();
                swapped.swap(at - 1, at);
                for wrong in [less, more, other, swapped] {
                    let wrong = format!("{OURS}{}", wrong.into_iter().collect::<String>());
                    if !known.contains(&wrong) {
                        let said = warning(&wrong, &known);
                        assert!(said.contains(&wrong) && said.contains(" has, and may be"), "{said}");
                    }
                }
            }
        }
        assert!(warning("LONGHAUL_LISTN", &known).contains("LONGHAUL_LISTEN has"));
        assert!(warning("LONGHAUL_DATADIR", &known).contains("LONGHAUL_DATA_DIR has"));
        assert!(warning("longhaul_log", &known).contains("LONGHAUL_LOG has"));
        assert!(!warning("LONGHAUL_ZZZZ", &known).contains("may be"));
    }

    #[test]
    fn variables_of_others_are_not_ours() {
        let all = ["LONGHAUL_X", "Longhaul_y", "LONGHAULX", "PATH"].map(|name| (name.into(), "1".into()));
        let ours: Vec<String> = ours(all.into_iter()).map(|(name, _)| name).collect();
        assert_eq!(ours, ["LONGHAUL_X", "Longhaul_y"]);
        assert!(is_of_cluster("LONGHAUL_PORT_8080_TCP") && is_of_cluster("LONGHAUL_SERVICE_HOST"));
        assert!(!is_of_cluster("LONGHAUL_PORTS"));
    }
}
