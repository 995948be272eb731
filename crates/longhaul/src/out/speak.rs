//! Translation of errors into the terms of the command line. Messages of a server are for programs: about
//! calls, query parameters and members of a body. Users of the command line type commands, options and
//! arguments, and read about those.

use longhaul_client::ErrorBody;

/// Calls of the API as messages name them, each with the command that makes it. `{}` stands for the object of
/// the call.
const CALLS: &[(&str, &str, &str)] = &[
    ("GET", "/v1/tasks", "longhaul task list"),
    ("POST", "/v1/tasks", "longhaul task start"),
    ("GET", "/v1/tasks/{}", "longhaul task get {}"),
    ("PATCH", "/v1/tasks/{}", "longhaul task retry {}"),
    ("DELETE", "/v1/tasks/{}", "longhaul task cancel {}"),
    ("GET", "/v1/tasks/{}/attempts", "longhaul task attempts {}"),
    ("GET", "/v1/tasks/{}/logs", "longhaul task logs {}"),
    ("POST", "/v1/tasks/{}/resolve", "longhaul task resolve {}"),
    ("POST", "/v1/tasks/{}/release-locks", "longhaul lock release {}"),
    ("GET", "/v1/resources/locks", "longhaul lock list"),
    ("GET", "/v1/workflows", "longhaul workflow list"),
    ("GET", "/v1/workflows/{}", "longhaul workflow get {}"),
    ("PUT", "/v1/workflows/{}", "longhaul workflow apply"),
    ("GET", "/v1/queues", "longhaul queue list"),
    ("GET", "/v1/workers", "longhaul worker list"),
    ("GET", "/v1/nodes", "longhaul node list"),
    ("GET", "/v1/audit", "longhaul audit"),
    ("GET", "/v1/clock", "longhaul clock"),
    ("POST", "/v1/clock/confirm", "longhaul clock confirm"),
    ("POST", "/v1/tokens", "longhaul login"),
    ("GET", "/v1/sessions", "longhaul session list"),
    ("DELETE", "/v1/sessions/{}", "longhaul session end {}"),
    ("GET", "/v1/users", "longhaul user list"),
    ("GET", "/v1/users/{}", "longhaul user key list {}"),
    ("PATCH", "/v1/users/{}", "longhaul user bind {}"),
];

/// Members and parameters of the API, each with the option or argument that sets it.
const NAMES: &[(&str, &str)] = &[
    ("actions", "--action"),
    ("all", "--all"),
    ("completedAfter", "--completed-after"),
    ("include", "--include"),
    ("labels", "--label"),
    ("maxRunning", "--max-running"),
    ("name", "--name"),
    ("notBefore", "--not-before"),
    ("orderBy", "--order-by"),
    ("orderDirection", "--asc or --desc"),
    ("outcome", "--done, --not-done, --failed or --skip"),
    ("output", "--output"),
    ("pageNumber", "--page"),
    ("pageSize", "--page-size"),
    ("password", "--password-stdin"),
    ("paused", "--paused"),
    ("queues", "--queue"),
    ("rate", "--rate"),
    ("reason", "--reason"),
    ("resourceId", "--resource-id"),
    ("resourceType", "--resource-type"),
    ("role", "--role"),
    ("since", "--since"),
    ("subTask", "--sub-task"),
    ("subTasks", "--sub-task"),
    ("target", "--target"),
    ("taskName", "--name"),
    ("taskStatus", "--status"),
    ("taskType", "--type"),
    ("user", "--user"),
    ("version", "--version"),
    ("view", "--summary"),
    ("wait", "--wait"),
];

/// Further phrases, each with its replacement.
const PHRASES: &[(&str, &str)] = &[
    // Tasks that earlier versions stored have it.
    (" (longhaul task resolve --done | --not-done, longhaul task skip)", ""),
    ("GET the task to see", "`longhaul task get` shows"),
    ("the query parameter ", ""),
    ("by pageNumber", "with --page"),
    ("a new Idempotency-Key", "another --idempotency-key"),
    ("an Idempotency-Key", "--idempotency-key"),
    ("the Idempotency-Key", "--idempotency-key"),
    ("the ID in the path", "what is given for the ID"),
    ("/docs shows what each call takes", "`longhaul COMMAND --help` shows what each command takes"),
    (
        "Write its members by name, as /docs shows them",
        "`longhaul COMMAND --help` shows what each command takes",
    ),
    ("a nested error points to", "is named below"),
    ("the nested errors point to", "is named below"),
    ("the nested errors name", "is named below"),
    (
        "` with the sub-task and its outcome: done, not done or failed; or skip it",
        " --sub-task NAME --done --reason TEXT`, or with `--not-done` or `--failed`; or skip it",
    ),
    // Servers of earlier versions say it so.
    (
        "` with the sub-task and its outcome, or skip it",
        " --sub-task NAME --done --reason TEXT`, or with `--not-done` or `--failed`; or skip it",
    ),
    (
        "`longhaul workflow list` lists each workflow with its `versions`",
        "`longhaul workflow list -o json` lists each workflow with its `versions`",
    ),
    ("with `queues` or `actions`", "with --queue or --action"),
    ("with `subTask` or `subTasks`", "with --sub-task"),
    ("say `done`, `notDone` or `skipped`", "write one"),
];

/// Translates a refusal for the user of the command line.
pub(crate) fn translated(error: &ErrorBody) -> ErrorBody {
    let about = error.context.get("taskId").and_then(|id| id.as_str());
    let about = about.or(error.arguments.first().map(String::as_str)).filter(|text| is_id(text));
    within(error, about)
}

fn within(error: &ErrorBody, about: Option<&str>) -> ErrorBody {
    let pointer = error.context.get("pointer").and_then(|pointer| pointer.as_str()).unwrap_or_default();
    let message = match option_of(pointer) {
        Some(option) => {
            let rest = after_pointer(&error.message, pointer);
            match rest {
                Some(rest) => format!("{option}: {}", words(rest, about)),
                None => words(&error.message, about),
            }
        }
        None => words(&error.message, about),
    };
    let mut context = error.context.clone();
    context.shift_remove("pointer");
    ErrorBody {
        message,
        context,
        remediation_message: error.remediation_message.as_deref().map(|text| words(text, about)),
        nested_errors: error.nested_errors.iter().map(|nested| within(nested, about)).collect(),
        ..error.clone()
    }
}

/// Returns the rest of a message after the member that it begins with, as a pointer or as the pointer's last
/// name.
fn after_pointer<'a>(message: &'a str, pointer: &str) -> Option<&'a str> {
    let name = pointer.rsplit('/').next().unwrap_or_default();
    let behind = |start: &str| message.strip_prefix(start)?.strip_prefix(": ");
    behind(pointer).or_else(|| behind(name)).or_else(|| behind(&format!("`{name}`")))
}

/// Returns the option that sets the member of a body at a pointer.
fn option_of(pointer: &str) -> Option<String> {
    let path = pointer.strip_prefix('/')?;
    if path == "input" {
        return Some("-i".to_owned());
    }
    if let Some(member) = path.strip_prefix("input/") {
        return Some(format!("-i {}", member.replace('/', ".")));
    }
    let first = path.split('/').next().unwrap_or_default();
    NAMES.iter().find(|(name, _)| *name == first).map(|(_, option)| (*option).to_owned())
}

/// Replaces calls and members in a text by commands and options.
pub(crate) fn words(text: &str, about: Option<&str>) -> String {
    let mut text = calls(text, about);
    for (api, said) in PHRASES {
        text = text.replace(api, said);
    }
    for (name, option) in NAMES {
        text = text.replace(&format!("`{name}`"), &format!("`{option}`"));
    }
    match about {
        Some(id) => text.replace("`longhaul task get`", &format!("`longhaul task get {id}`")),
        None => text,
    }
}

/// Replaces calls in a text by commands.
fn calls(text: &str, about: Option<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, length, command)) = next_call(rest, about) {
        out.push_str(&rest[..at]);
        let quoted = out.ends_with('`');
        out.push_str(&if quoted { command } else { format!("`{command}`") });
        rest = &rest[at + length..];
    }
    out.push_str(rest);
    out
}

/// Finds the next call that a command makes: returns its position, its length, and the command.
fn next_call(text: &str, about: Option<&str>) -> Option<(usize, usize, String)> {
    let starts = text.match_indices(" /v1/").map(|(at, _)| at);
    for space in starts {
        let start = text[..space].rfind(|c: char| !c.is_ascii_uppercase()).map_or(0, |at| at + 1);
        let path = text[space + 1..].split([' ', '`', ',', ';', ')', ':']).next().unwrap_or_default();
        let path = path.trim_end_matches('.');
        let method = &text[start..space];
        let found = CALLS.iter().find_map(|(known, pattern, command)| {
            let what = (*known == method).then(|| matched(pattern, path)).flatten()?;
            let what = if what.starts_with('{') { about.unwrap_or("ID") } else { what };
            Some(command.replace("{}", what))
        });
        if let Some(command) = found {
            return Some((start, space + 1 + path.len() - start, command));
        }
    }
    None
}

/// Returns the part of a path that `{}` in a pattern stands for, empty without one; `None` if the path does
/// not match.
fn matched<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let mut what = "";
    for (wanted, given) in pattern.iter().zip(&path) {
        match *wanted {
            "{}" => what = given,
            wanted if wanted == *given => {}
            _ => return None,
        }
    }
    (pattern.len() == path.len()).then_some(what)
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn error(value: serde_json::Value) -> ErrorBody {
        longhaul_client::read(value).unwrap()
    }

    #[test]
    fn refusals_name_options_and_commands() {
        let id = "bc32f3be-a777-434b-a156-3fa54e8d2ded";
        let said = translated(&error(json!({
            "errorCode": "TA_TASK_CAN_NOT_BE_RETRIED", "message": "the outcome is unknown", "arguments": [id],
            "remediationMessage": "Look at the real world, then POST /v1/tasks/{id}/resolve with the sub-task and its outcome: done, not done or failed; or skip it",
        })));
        assert_eq!(
            said.remediation_message.unwrap(),
            format!(
                "Look at the real world, then `longhaul task resolve {id} --sub-task NAME --done --reason TEXT`, or with `--not-done` or `--failed`; or skip it"
            )
        );
        let said = translated(&error(json!({
            "message": "the input does not fit", "remediationMessage": "Correct each value that a nested error points to",
            "nestedErrors": [{"message": "/input/owner/name: is no text", "context": {"pointer": "/input/owner/name"}}],
        })));
        assert_eq!(said.nested_errors[0].message, "-i owner.name: is no text");
        assert_eq!(said.remediation_message.unwrap(), "Correct each value that is named below");
        let said = words("the query parameter `taskStatus` does not take this value", None);
        assert_eq!(said, "`--status` does not take this value");
    }

    /// Collects the texts in quotes of the server's sources that a user could read.
    fn texts(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                texts(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                let source = source.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
                let source: String = lines.collect::<Vec<_>>().join("\n");
                found.extend(source.split('"').skip(1).step_by(2).map(str::to_owned));
            }
        }
    }

    /// Returns true if a text has words of HTTP or of bodies, none of which means anything on a command line.
    fn speaks_http(text: &str) -> bool {
        [
            "query parameter",
            "Idempotency-Key",
            "nested error",
            "/docs",
            "in the path",
            "GET the",
            "JSON pointer",
        ]
        .iter()
        .any(|word| text.contains(word))
            || ["GET", "POST", "PUT", "PATCH", "DELETE"].iter().any(|m| text.contains(&format!("{m} /v1/")))
    }

    /// Texts about calls that no command makes.
    const OF_PROGRAMS: [&str; 8] = [
        "/v1/credentials",
        "refreshToken.id",
        "DELETE /v1/tasks/history",
        "See /docs for what there is",
        "`PATCH /v1/system/ceip`",
        "`POST /v1/hosts`",
        "the path is not valid UTF-8",
        "/docs",
    ];

    #[test]
    fn no_message_of_the_server_speaks_http_on_a_command_line() {
        let mut found = Vec::new();
        for folder in ["server/src/error", "server/src/api/tasks", "server/src/request", "engine/src"] {
            texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut found);
        }
        texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/src"), &mut found);
        let spoken: Vec<&String> =
            found.iter().filter(|text| text.contains(' ') && speaks_http(text)).collect();
        assert!(spoken.len() > 15, "{spoken:?}");
        for text in spoken {
            let said = words(text, None);
            let known = OF_PROGRAMS.iter().any(|call| text.contains(call));
            assert!(known || !speaks_http(&said), "{text} => {said}");
        }
    }
}
