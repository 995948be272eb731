//! Suggestions for a task that does not progress: commands that can be run as printed.

use longhaul_client::{Phase, SubTaskBody, TaskBody};

/// Error code of a sub-task with an unknown outcome.
const UNKNOWN: &str = "OUTCOME_UNKNOWN";
/// Error code of a stored task that cannot be read.
const UNREADABLE: &str = "TASK_UNREADABLE";

/// Returns the commands that the state of a task allows, the likeliest first. None for tasks of other
/// servers, which are history.
pub(crate) fn next(task: &TaskBody) -> Vec<String> {
    let id = &task.id;
    if task.errors.iter().any(|error| error.error_code == UNREADABLE) {
        return if task.is_cancellable { vec![format!("longhaul task cancel {id}")] } else { Vec::new() };
    }
    // An imported task does not tell which workflow it is a run of.
    if task.phase() != Phase::Failed || task.workflow.is_none() {
        return waiting(task);
    }
    let mut failed = Vec::new();
    leaves(&task.sub_tasks, &mut failed);
    let unknown = failed.iter().filter(|sub| is_unknown(sub)).count();
    if let Some(first) = failed.iter().find(|sub| is_unknown(sub)) {
        let which = option(&first.name);
        let mut commands = vec![
            format!("longhaul task resolve {id} {which} --done --reason 'it was done'"),
            format!("longhaul task resolve {id} {which} --not-done --reason 'it was not done'"),
        ];
        if unknown > 1 {
            commands.push(format!(
                "longhaul task resolve {id} --all --not-done --reason 'none of them was done'"
            ));
        }
        return commands;
    }
    let mut commands = Vec::new();
    if task.is_retryable {
        commands.push(format!("longhaul task retry {id} --watch"));
    }
    if let Some(first) = failed.first() {
        let which = option(&first.name);
        commands.push(format!("longhaul task resolve {id} {which} --done --reason 'repaired by hand'"));
        commands.push(skip(id, &first.name));
    }
    if task.resolution_status != "RESOLVED" {
        commands.push(format!("longhaul task resolve {id} --reason 'dealt with'"));
    }
    commands
}

fn skip(id: &str, sub_task: &str) -> String {
    let name = quoted(sub_task);
    match sub_task.starts_with('-') {
        true => format!("longhaul task skip {id} --reason 'it is not needed' -- {name}"),
        false => format!("longhaul task skip {id} {name} --reason 'it is not needed'"),
    }
}

/// Returns the sub-task that a command of [`next`] skips, or resolves without an output.
pub(crate) fn skipped<'t>(task: &'t TaskBody, command: &str) -> Option<&'t str> {
    let mut failed = Vec::new();
    leaves(&task.sub_tasks, &mut failed);
    let first = failed.first()?;
    let done = with_output(task, &first.name).replace(" --output '{}'", "");
    (command == skip(&task.id, &first.name) || command == done).then_some(first.name.as_str())
}

/// Returns the command that resolves a failed sub-task as done, with an output.
pub(crate) fn with_output(task: &TaskBody, sub_task: &str) -> String {
    let which = option(sub_task);
    format!("longhaul task resolve {} {which} --done --output '{{}}' --reason 'repaired by hand'", task.id)
}

/// Returns the commands that show more about a task that waits for others.
fn waiting(task: &TaskBody) -> Vec<String> {
    let Some(waiting) = &task.waiting_for else { return Vec::new() };
    match waiting.kind.as_str() {
        "LOCK" => {
            let holder = waiting.locks.iter().find(|lock| lock.state == "HELD");
            let mut commands = vec![why(task)];
            commands.extend(holder.map(|lock| format!("longhaul task get {}", lock.task_id)));
            commands
        }
        "WORKER" | "CAPACITY" | "RETRY" => vec![why(task)],
        _ => Vec::new(),
    }
}

/// Returns the command that tells why a task does not go on.
pub(crate) fn why(task: &TaskBody) -> String {
    format!("longhaul task why {}", task.id)
}

/// Collects the sub-tasks that failed by themselves: in place of a parent, its children that did.
fn leaves<'a>(sub_tasks: &'a [SubTaskBody], found: &mut Vec<&'a SubTaskBody>) {
    for sub in sub_tasks {
        let before = found.len();
        leaves(&sub.sub_tasks, found);
        if sub.phase() == Phase::Failed && found.len() == before {
            found.push(sub);
        }
    }
}

fn is_unknown(sub: &SubTaskBody) -> bool {
    sub.errors.iter().any(|error| error.error_code == UNKNOWN)
}

/// Returns the option that names a sub-task. A name that looks like an option is joined to it.
pub(crate) fn option(sub_task: &str) -> String {
    let joint = if sub_task.starts_with('-') { '=' } else { ' ' };
    format!("--sub-task{joint}{}", quoted(sub_task))
}

/// Quotes a name for a shell.
pub(crate) fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@');
    if !name.is_empty() && name.chars().all(plain) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_failed_child_the_child_is_named() {
        let task: TaskBody = longhaul_client::read(json!({
            "id": "i", "status": "Failed", "workflow": {"name": "w", "version": 1}, "isRetryable": true,
            "subTasks": [{"name": "Hosts", "status": "FAILED", "subTasks": [
                {"name": "Hosts[0]", "status": "SUCCESSFUL"},
                {"name": "it's [1]", "status": "FAILED", "errors": [{"errorCode": "E"}]}]}]}))
        .unwrap();
        let commands = next(&task);
        assert_eq!(commands[0], "longhaul task retry i --watch");
        assert_eq!(commands[2], r"longhaul task skip i 'it'\''s [1]' --reason 'it is not needed'");
    }

    /// Advised commands are parsed by the command line as meant, for any name of a sub-task.
    #[test]
    fn commands_are_read_as_they_are_meant() {
        use clap::Parser as _;
        for name in ["Update", "-x", "--done", "-", "--", "a b", "it's", "=", "-a=b", "ü"] {
            let failed = |error: &str| {
                let body = json!({
                    "id": "bc32f3be-a777-434b-a156-3fa54e8d2ded", "status": "Failed", "isRetryable": true,
                    "workflow": {"name": "w", "version": 1},
                    "subTasks": [{"name": name, "status": "FAILED", "errors": [{"errorCode": error}]}]});
                longhaul_client::read::<TaskBody>(body).unwrap()
            };
            let (known, unknown) = (failed("E"), failed(UNKNOWN));
            let mut commands = next(&known);
            commands.push(with_output(&known, name));
            commands.extend(next(&unknown));
            let about = |command: &&String| command.contains(" --sub-task") || command.contains(" skip ");
            let named: Vec<&String> = commands.iter().filter(about).collect();
            assert_eq!(named.len(), 5, "{commands:?}");
            for command in named {
                let words = shell_words(command);
                let cli =
                    crate::cli::Cli::try_parse_from(&words).unwrap_or_else(|e| panic!("{command}: {e}"));
                let crate::cli::Command::Task(task) = cli.command else { panic!("{command}") };
                match task {
                    crate::cli::TaskCommand::Resolve(args) => assert_eq!(args.sub_task, [name], "{command}"),
                    crate::cli::TaskCommand::Skip(args) => assert_eq!(args.sub_task, name, "{command}"),
                    other => panic!("{command}: {other:?}"),
                }
            }
        }
    }

    /// Splits a command into words as a shell does.
    fn shell_words(command: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut escaped) = (Vec::new(), None::<String>, false, false);
        for c in command.chars() {
            match c {
                '\'' if !escaped => {
                    quoted = !quoted;
                    word.get_or_insert_default();
                }
                '\\' if !quoted && !escaped => escaped = true,
                ' ' if !quoted => words.extend(word.take()),
                c => {
                    escaped = false;
                    word.get_or_insert_default().push(c);
                }
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn of_imported_and_ended_tasks_nothing_is_advised() {
        let imported = json!({"id": "i", "status": "Failed", "isRetryable": true, "subTasks": [{"name": "a", "status": "FAILED"}]});
        assert_eq!(next(&longhaul_client::read(imported).unwrap()), [""; 0]);
        let done = json!({"id": "i", "status": "Successful", "workflow": {"name": "w", "version": 1}});
        assert_eq!(next(&longhaul_client::read(done).unwrap()), [""; 0]);
    }
}
