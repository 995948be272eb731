//! `docs/cli.md` against the definition of the command line and the reader of configuration files.

use std::collections::BTreeSet;

use clap::{Arg, Command, CommandFactory, Parser};

use super::blocks;
use crate::cli::{Cli, Command as Word};
use crate::config::Config;

const CLI: &str = include_str!("../../../../docs/cli.md");

/// Returns the part of the page under a command's heading, up to the next one.
fn section(words: &str) -> &'static str {
    let heading = format!("# `{words}`\n");
    let (_, rest) = CLI.split_once(&heading).unwrap_or_else(|| panic!("docs/cli.md has no part `{words}`"));
    let end = rest.match_indices("\n#").map(|(at, _)| at).find(|at| {
        // A comment of a block begins alike; headings of further commands have their words in backticks.
        rest[at + 1..].trim_start_matches('#').starts_with(" `")
    });
    &rest[..end.unwrap_or(rest.len())]
}

/// Collects every command with its words: `longhaul task list`.
fn commands(command: &Command, above: &str, all: &mut Vec<(String, Command)>) {
    let words = format!("{above}{}", command.get_name());
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        commands(inner, &format!("{words} "), all);
    }
    all.push((words, command.clone()));
}

fn all_commands() -> Vec<(String, Command)> {
    let mut all = Vec::new();
    let mut root = Cli::command();
    root.build();
    commands(&root, "", &mut all);
    all
}

/// Spelling of an argument: `--status`, `ID`.
fn spelled(arg: &Arg) -> String {
    match arg.get_long() {
        Some(long) => format!("--{long}"),
        None => arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap(),
    }
}

#[test]
fn every_command_and_option_has_its_place() {
    for (words, command) in all_commands() {
        let part = section(&words);
        let global = words == "longhaul";
        // Options of every command are described once.
        let own = command
            .get_arguments()
            .filter(|arg| global || !arg.is_global_set() && arg.get_id().as_str() != "help");
        for arg in own {
            let name = spelled(arg);
            let place = format!("`{name}");
            let in_usage = format!(" {name}");
            let found = if arg.is_positional() { part.contains(&in_usage) } else { part.contains(&place) };
            assert!(found, "docs/cli.md, `{words}`: {name} is not in it");
            if let Some(variable) = arg.get_env() {
                let variable = variable.to_string_lossy();
                let line = part.lines().find(|line| line.contains(&place)).unwrap();
                assert!(line.contains(&*variable), "docs/cli.md, `{words}`: {name} is also {variable}");
            }
            for value in arg.get_possible_values().iter().filter(|value| !value.is_hide_set()) {
                let value = value.get_name();
                let said = part.contains(&format!("`{value}`")) || matches!(value, "true" | "false");
                assert!(said, "docs/cli.md, `{words}`: {name} takes {value}, too");
            }
        }
    }
}

#[test]
fn nothing_is_said_of_options_that_do_not_exist() {
    for (words, command) in all_commands() {
        let known: BTreeSet<String> = command.get_arguments().map(spelled).collect();
        for line in section(&words).lines().filter(|line| line.starts_with("| `-")) {
            let cell = line.split('|').nth(1).unwrap_or_default();
            let options = cell.split('`').filter_map(|text| text.split(' ').next());
            for option in options.filter(|text| text.starts_with("--")) {
                assert!(known.contains(option), "docs/cli.md, `{words}`: there is no {option}");
            }
        }
    }
    let headings = CLI.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(" `"));
    let known: BTreeSet<String> = all_commands().into_iter().map(|(words, _)| words).collect();
    for heading in headings.filter(|text| text.starts_with("longhaul")) {
        assert!(known.contains(heading.trim_end_matches('`')), "docs/cli.md: there is no `{heading}");
    }
}

/// Splits a line into words as a shell does: quotes are removed, redirections and what follows `|` or `&&`
/// left out.
fn words(line: &str) -> Vec<String> {
    let (mut all, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => (quote, begun) = (Some(c), true),
            (None, ' ') if begun => {
                all.push(std::mem::take(&mut word));
                begun = false;
            }
            (None, ' ') => {}
            (None, '<' | '>' | '|' | '&' | '#') if !begun => break,
            (None, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        all.push(word);
    }
    all
}

#[test]
fn examples_are_understood() {
    let pages = [
        ("cli.md", CLI),
        ("authentication.md", include_str!("../../../../docs/authentication.md")),
        ("tls.md", include_str!("../../../../docs/tls.md")),
        ("workflows.md", include_str!("../../../../docs/workflows.md")),
        ("metrics.md", include_str!("../../../../docs/metrics.md")),
        ("check.md", include_str!("../../../../docs/check.md")),
        ("restore.md", include_str!("../../../../docs/restore.md")),
        ("retention.md", include_str!("../../../../docs/retention.md")),
    ];
    for (page, text) in pages {
        let lines = blocks(text, "sh").into_iter().flat_map(str::lines);
        let examples = lines.flat_map(|line| line.split(" | ")).filter(|line| line.starts_with("longhaul "));
        let mut count = 0;
        for example in examples {
            count += 1;
            Cli::try_parse_from(words(example)).unwrap_or_else(|e| panic!("docs/{page}: {example}\n{e}"));
        }
        assert!(count > 0, "docs/{page} has {count} examples");
    }
    for (words, command) in all_commands() {
        let runs = !command.has_subcommands();
        assert!(!runs || section(&words).contains(&format!("\n{words}")), "`{words}` has no example");
    }
}

/// Reads a configuration file of this text; fails with the message of its error.
fn configured(text: &str) -> Result<Config, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("longhaul.toml");
    std::fs::write(&path, text).unwrap();
    let line = ["longhaul".into(), "serve".into(), "--config".into(), path.into_os_string()];
    let Word::Serve(args) = Cli::try_parse_from(line).unwrap().command else { panic!("another command") };
    Config::unchecked(*args).map_err(|e| format!("{e:#}"))
}

#[test]
fn configuration_files_are_whole_and_right() {
    let examples = blocks(CLI, "toml");
    for example in &examples {
        configured(example).unwrap_or_else(|e| panic!("docs/cli.md: {e}"));
    }
    let all = all_keys(&examples);
    let sections = [
        "",
        "tls",
        "auth",
        "auth.oidc",
        "limits",
        "wire",
        "engine",
        "actions",
        "actions.http",
        "actions.command",
        "actions.command.limits",
    ];
    for section in sections {
        let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let refusal = configured(&format!("{header}what = 1\n")).err().expect("no such key");
        let expected = refusal.split_once("expected").map_or("", |(_, rest)| rest);
        let expected = expected.lines().next().unwrap_or_default();
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(!keys.is_empty(), "{section}: {refusal}");
        for key in keys {
            let whole = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
            assert!(all.contains(&whole), "docs/cli.md: the key {whole} is in no configuration file");
        }
    }
}

/// The keys that the files set.
fn all_keys(files: &[&str]) -> BTreeSet<String> {
    fn walk(table: &toml::Table, above: &str, all: &mut BTreeSet<String>) {
        for (key, value) in table {
            let whole = format!("{above}{key}");
            if let toml::Value::Table(inner) = value {
                walk(inner, &format!("{whole}."), all);
            }
            all.insert(whole);
        }
    }
    let mut all = BTreeSet::new();
    for file in files {
        walk(&toml::from_str(file).unwrap(), "", &mut all);
    }
    all
}

#[test]
fn defaults_are_the_ones_of_the_page() {
    let (page, bare) = (configured(blocks(CLI, "toml")[0]).unwrap(), configured("").unwrap());
    assert_eq!(page.data_dir, bare.data_dir);
    assert_eq!(page.listen, bare.listen);
    assert_eq!(page.tls, bare.tls);
    assert_eq!(page.insecure_http, bare.insecure_http);
    assert_eq!(page.mcp, bare.mcp);
    assert_eq!(page.demo, bare.demo);
    assert_eq!(page.log_format, bare.log_format);
    assert_eq!(page.log_level, bare.log_level);
    assert_eq!(page.wire, bare.wire);
    assert_eq!(page.shutdown_grace, bare.shutdown_grace);
    assert_eq!(page.shutdown_delay, bare.shutdown_delay);
    assert_eq!(page.engine.cancel_grace, bare.engine.cancel_grace);
    assert_eq!(page.engine.max_running, bare.engine.max_running);
}
