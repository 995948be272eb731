//! Refusal of values that are given but blank, as by `task cancel "$ID"` where `ID` is not set. A command
//! must not take a blank value for a filter that matches everything, nor request the whole list where an id
//! is missing from an address.

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// Refuses a command line or environment in which an argument has a blank value.
pub(crate) fn refuse(command: &mut Command, matches: &ArgMatches) -> Result<(), clap::Error> {
    if let Some(text) = found(command, matches) {
        return Err(command.error(ErrorKind::ValueValidation, text));
    }
    match matches.subcommand() {
        Some((name, matches)) => match command.find_subcommand_mut(name) {
            Some(command) => refuse(command, matches),
            None => Ok(()),
        },
        None => Ok(()),
    }
}

/// Returns the error message about the first argument whose value is blank.
fn found(command: &Command, matches: &ArgMatches) -> Option<String> {
    command.get_arguments().filter(|argument| counts(argument)).find_map(|argument| {
        let id = argument.get_id().as_str();
        let source = matches.try_contains_id(id).ok().filter(|there| *there).and(matches.value_source(id))?;
        let mut values = matches.try_get_raw(id).ok().flatten()?;
        values.any(|value| value.to_str().is_some_and(|text| text.trim().is_empty())).then(|| {
            let name = match (source, argument.get_env()) {
                (ValueSource::EnvVariable, Some(variable)) => variable.to_string_lossy().into_owned(),
                _ => argument.to_string(),
            };
            format!("the value of {name} is empty")
        })
    })
}

/// Returns true if the argument must not have a blank value: it takes values, is no switch, and does not
/// belong to the command line of another program.
fn counts(argument: &Arg) -> bool {
    argument.get_action().takes_values() && !argument.is_last_set() && !is_switch(argument)
}

/// Returns true if the argument is a boolean, whose environment variable may be empty.
fn is_switch(argument: &Arg) -> bool {
    argument.get_value_parser().type_id() == std::any::TypeId::of::<bool>()
}

#[cfg(test)]
mod tests {
    use clap::{Arg, Command, CommandFactory};

    use crate::cli::Cli;

    /// Collects the commands that can be run, each with the words that name it.
    fn leaves(command: &Command, words: &[String], found: &mut Vec<(Vec<String>, Command)>) {
        if command.get_subcommands().next().is_none() || !command.is_subcommand_required_set() {
            found.push((words.to_vec(), command.clone()));
        }
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            leaves(below, &[words, &[below.get_name().to_owned()]].concat(), found);
        }
    }

    /// Returns a value that the argument accepts.
    fn filler(argument: &Arg) -> String {
        let first = argument.get_possible_values().first().map(|value| value.get_name().to_owned());
        first.unwrap_or_else(|| "x".to_owned())
    }

    /// Returns a command line that gives one argument this value, and a valid value to every other required
    /// one.
    fn line(words: &[String], command: &Command, blank: &Arg, value: &str) -> Vec<String> {
        let mut line = vec!["longhaul".to_owned()];
        line.extend_from_slice(words);
        let mut positional: Vec<&Arg> =
            command.get_positionals().filter(|other| !other.is_last_set()).collect();
        positional.sort_by_key(|other| other.get_index());
        let wanted = blank.get_index().unwrap_or(0);
        for other in positional {
            if other.get_id() == blank.get_id() {
                line.push(value.to_owned());
            } else if other.is_required_set() || other.get_index().unwrap_or(0) < wanted {
                line.push(filler(other));
            }
        }
        for option in command.get_opts() {
            let long = option.get_long().expect("every option has a long name");
            if option.get_id() == blank.get_id() {
                line.push(format!("--{long}={value}"));
            } else if option.is_required_set() {
                line.push(format!("--{long}={}", filler(option)));
            }
        }
        if let Some(last) = command.get_positionals().find(|other| other.is_last_set()) {
            line.extend(["--".to_owned(), last.get_id().to_string()]);
        }
        line
    }

    #[test]
    fn blank_values_are_refused_wherever_a_value_can_be_given() {
        let mut root = Cli::command();
        root.build();
        let mut commands = Vec::new();
        leaves(&root, &[], &mut commands);
        let mut tried = 0;
        for (words, command) in &commands {
            for argument in command.get_arguments().filter(|argument| super::counts(argument)) {
                for value in ["", " ", "\t", "\u{a0}\n "] {
                    let line = line(words, command, argument, value);
                    let refused = crate::cli::parse(&line).err().unwrap_or_else(|| panic!("{line:?}"));
                    let said = refused.to_string();
                    assert_eq!(refused.exit_code(), 2, "{line:?}: {said}");
                    assert!(said.contains(&argument.to_string()), "{line:?}: {said}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 400, "{tried}");
    }

    #[test]
    fn texts_that_say_something_are_taken() {
        for line in [
            &["task", "start", "x", "-i", "note="][..],
            &["worker", "exec", "--queue", "q", "--", "printf", ""],
            &["task", "get", " x "],
            &["serve", "--demo"],
            &["task", "list", "--name", "a b"],
        ] {
            let line: Vec<&str> = std::iter::once("longhaul").chain(line.iter().copied()).collect();
            assert!(crate::cli::parse(&line).is_ok(), "{line:?}");
        }
    }
}
