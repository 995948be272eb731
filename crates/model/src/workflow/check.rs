//! Problems of a definition, each with its JSON pointer and a correction.

use serde::Serialize;
use serde_json::Value;

use super::definition::Definition;

/// Maximum number of items of one `forEach`.
pub const MOST_ITEMS: u32 = 10_000;

/// Problem of a definition, or a hint to its author.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// Severity of the problem: whether the definition is refused.
    pub severity: Severity,
    /// JSON pointer into the definition.
    pub pointer: String,
    /// Description of the problem.
    pub message: String,
    /// Proposal of a correction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// The definition is refused.
    Error,
    /// The definition is accepted.
    Warning,
}

/// Problems as they are found.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<Problem>);

impl Problems {
    pub(super) fn error(&mut self, pointer: String, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Problem { severity: Severity::Error, pointer, message: message.into(), hint });
    }

    pub(super) fn warning(&mut self, pointer: String, message: impl Into<String>, hint: Option<String>) {
        self.0.push(Problem { severity: Severity::Warning, pointer, message: message.into(), hint });
    }

    pub(super) fn any_error(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Names, limits and combinations that need no compiling.
pub(super) fn structure(definition: &Definition, problems: &mut Problems) {
    let key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if definition.name.is_empty() || definition.name.len() > 100 || !definition.name.chars().all(key) {
        problems.error(
            "/name".into(),
            format!("`{}` is no name", definition.name),
            Some("use up to 100 lower-case letters, digits, `-`, `_` and `.`".into()),
        );
    }
    let (kind, title) = ("such as HOST_COMMISSION", "such as Commission {{ input.fqdn }}");
    for (pointer, text, hint) in [("/type", &definition.kind, kind), ("/title", &definition.title, title)] {
        if text.trim().is_empty() {
            problems.error(pointer.into(), "must not be empty", Some(hint.into()));
        }
    }
    if definition.sub_tasks.is_empty() || definition.sub_tasks.len() > 1000 {
        problems.error(
            "/subTasks".into(),
            "a workflow has 1 to 1,000 sub-tasks",
            Some("write at least one, and split what has more".into()),
        );
    }
    if definition.concurrency.as_ref().is_some_and(|concurrency| concurrency.limit == 0) {
        let hint = Some("1 lets one task of a key run at a time".to_owned());
        problems.error("/concurrency/limit".into(), "a limit is at least 1", hint);
    }
    let mut seen = std::collections::HashMap::new();
    for (i, sub) in definition.sub_tasks.iter().enumerate() {
        if sub.name.trim().is_empty() || sub.name.len() > 200 {
            problems.error(
                format!("/subTasks/{i}/name"),
                "a name has 1 to 200 characters",
                Some("such as ValidateHost".into()),
            );
        }
        if let Some(first) = seen.insert(sub.name.as_str(), i) {
            problems.error(
                format!("/subTasks/{i}/name"),
                format!("`{}` is the name of sub-task {} already", sub.name, first + 1),
                Some("names are unique within a workflow".into()),
            );
        }
        if let Some(parallel) = sub.parallel {
            let pointer = format!("/subTasks/{i}/parallel");
            if sub.for_each.is_none() {
                let hint = Some("write `forEach`, or leave it out".to_owned());
                problems.error(pointer, "`parallel` is for sub-tasks with `forEach`", hint);
            } else if !(1..=MOST_ITEMS).contains(&parallel) {
                problems.error(pointer, "it takes 1 to 10,000", Some("1 is one item after the other".into()));
            }
        }
        if let Some(retry) = &sub.retry {
            let pointer = format!("/subTasks/{i}/retry");
            if !(1..=1000).contains(&retry.attempts) {
                problems.error(
                    format!("{pointer}/attempts"),
                    "attempts are 1 to 1,000",
                    Some("1 is the first attempt, so 3 means two retries".into()),
                );
            }
            if !(1.0..=100.0).contains(&retry.factor) {
                problems.error(
                    format!("{pointer}/factor"),
                    "the factor is 1 to 100",
                    Some("1 keeps the pause, 2 doubles it each time".into()),
                );
            }
        }
    }
    credentials(definition, problems);
    later(definition, problems);
}

/// Checks a workflow of credentials, which is started by one call only, and works on what that call names.
fn credentials(definition: &Definition, problems: &mut Problems) {
    let Some(operation) = definition.credentials else { return };
    if definition.kind != operation.kind() {
        problems.error(
            "/type".into(),
            format!(
                "`{}` is not the type of tasks that {} credentials",
                definition.kind,
                operation.constant()
            ),
            Some(format!("type: {}", operation.kind())),
        );
    }
    if definition.route.is_some() {
        problems.error(
            "/route".into(),
            "a workflow with `credentials` has its route: PATCH /v1/credentials",
            Some("leave it out".into()),
        );
    }
    if !definition.resources.is_empty() {
        problems.error(
            "/resources".into(),
            "a workflow with `credentials` works on the resources that the request names",
            Some("leave it out".into()),
        );
    }
}

/// Refuses parts of the language that this version does not run: they are never silently ignored.
fn later(definition: &Definition, problems: &mut Problems) {
    let hint = || Some("this version of Longhaul does not run it yet".to_owned());
    if definition.on_failure == Some(super::TaskOnFailure::Undo) {
        problems.error("/onFailure".into(), "`onFailure: undo` is not available", hint());
    }
    for (i, sub) in definition.sub_tasks.iter().enumerate() {
        if matches!(sub.action.kind(), "approval" | "task") {
            let kind = sub.action.kind();
            problems.error(
                format!("/subTasks/{i}/action/{kind}"),
                format!("the action `{kind}` is not available"),
                hint(),
            );
        }
        for (name, present) in [("probe", sub.probe.is_some()), ("undo", sub.undo.is_some())] {
            if present {
                problems.error(format!("/subTasks/{i}/{name}"), format!("`{name}` is not available"), hint());
            }
        }
    }
}

/// Returns the properties that a schema declares, if it allows no others that could be meant.
pub(super) fn declared(schema: &Value) -> Option<Vec<&str>> {
    let open = schema.get("additionalProperties").is_some_and(|more| more != &Value::Bool(false))
        || ["allOf", "anyOf", "oneOf", "$ref", "patternProperties", "if"]
            .iter()
            .any(|key| schema.get(key).is_some());
    if open {
        return None;
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    match schema.get("properties") {
        Some(properties) => Some(properties.as_object()?.keys().map(String::as_str).collect()),
        None => closed.then(Vec::new),
    }
}
