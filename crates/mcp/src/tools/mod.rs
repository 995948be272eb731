//! Table of the tools.

mod read;
mod write;

use std::time::Duration;

use serde_json::Value;

use crate::api::{Api, Call, Origin, Refusal};
use crate::arguments::{Arguments, Field, Kind};

/// Longest wait of a tool, so that no client gives up first.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(25);

/// Tool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Purpose and use, for whoever chooses a tool.
    pub(crate) about: &'static str,
    pub(crate) fields: &'static [Field],
    /// Advice where an answer had to be shortened.
    pub(crate) narrower: &'static str,
    pub(crate) effect: Effect,
}

/// Effect of a tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Reads only.
    Read,
    /// Adds something.
    Add,
    /// Changes what is under way.
    Change,
}

/// Names of the tools that read.
pub const READING: [&str; 8] = [
    "overview",
    "list_tasks",
    "get_task",
    "wait_task",
    "task_log",
    "task_history",
    "list_workflows",
    "get_workflow",
];
/// Names of the tools that change something.
pub const WRITING: [&str; 4] = ["start_task", "retry_task", "cancel_task", "resolve_task"];

const ID: Field = Field::needed("id", Kind::Text(100), "ID of the task");
const PAGE: Field = Field::optional("page", Kind::Number(1, 1_000_000), "number of the page, from 1");
const REASON: Field =
    Field::needed("reason", Kind::Text(1_000), "why, for the audit log and the task's history");
const TOKEN: Field = Field::optional(
    "dry_run_token",
    Kind::Text(100),
    "token of a dry run of this very call; without it nothing is changed, and the answer tells what would be",
);
const STATUSES: [&str; 7] =
    ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED", "CANCELLED", "COMPLETED_WITH_WARNING", "SKIPPED"];

/// The tools, those that read first.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "overview",
        title: "Overview",
        about: "What goes on: how many tasks there are by status, those that failed and await a decision, the \
            queues without workers, and the nodes. A good first call.",
        fields: &[],
        narrower: "Use list_tasks.",
        effect: Effect::Read,
    },
    Tool {
        name: "list_tasks",
        title: "List tasks",
        about: "A page of tasks, the newest first, each with its errors and what it waits for.",
        fields: &[
            Field::optional("status", Kind::Word(&STATUSES), "only tasks of this status"),
            Field::optional("open_failures", Kind::Flag, "only failed tasks that nobody has resolved"),
            Field::optional("name", Kind::Text(200), "a text that the name contains"),
            Field::optional("type", Kind::Text(200), "type of the tasks"),
            Field::optional("resource_id", Kind::Text(200), "ID of a resource of the tasks"),
            Field::optional("label", Kind::Text(600), "a label of the tasks: NAME or NAME=VALUE"),
            PAGE,
            Field::optional("size", Kind::Number(1, 50), "tasks of a page; 10 unless given"),
        ],
        narrower: "Filter, or ask for a smaller page.",
        effect: Effect::Read,
    },
    Tool {
        name: "get_task",
        title: "Look at a task",
        about: "A task with its sub-tasks and errors, and why it does not go on if it does not: the lock and its \
            holder, the queue without workers, the next try, the person whose decision it awaits.",
        fields: &[ID, Field::optional("with_input", Kind::Flag, "with the input and the outputs")],
        narrower: "Use task_log for a log; the sub-tasks that failed have what matters.",
        effect: Effect::Read,
    },
    Tool {
        name: "wait_task",
        title: "Wait for a task",
        about: "Waits until a task has ended, 25 seconds at the most, and tells how it is then.",
        fields: &[ID, Field::optional("seconds", Kind::Number(0, 25), "how long to wait; 25 unless given")],
        narrower: "Use get_task.",
        effect: Effect::Read,
    },
    Tool {
        name: "task_log",
        title: "Read the log of a task",
        about: "Lines that the sub-tasks of a task wrote, in order. `next` is the `after` of the next page.",
        fields: &[
            ID,
            Field::optional("sub_task", Kind::Text(200), "name of the sub-task whose lines are told"),
            Field::optional("after", Kind::Number(0, u64::MAX >> 12), "number after which lines are told"),
            Field::optional("lines", Kind::Number(1, 200), "lines of a page; 60 unless given"),
        ],
        narrower: "Ask for fewer lines, or for one sub-task.",
        effect: Effect::Read,
    },
    Tool {
        name: "task_history",
        title: "Read the history of a task",
        about: "Who started, retried, cancelled or decided about a task, when and why, the newest first.",
        fields: &[ID, PAGE],
        narrower: "Ask for a later page.",
        effect: Effect::Read,
    },
    Tool {
        name: "list_workflows",
        title: "List workflows",
        about: "The workflows of which tasks are started.",
        fields: &[],
        narrower: "Use get_workflow for one of them.",
        effect: Effect::Read,
    },
    Tool {
        name: "get_workflow",
        title: "Look at a workflow",
        about: "A workflow: the JSON Schema of its input, and its definition.",
        fields: &[
            Field::needed("name", Kind::Text(200), "name of the workflow"),
            Field::optional(
                "version",
                Kind::Number(1, 1_000_000_000),
                "its version; the newest unless given",
            ),
        ],
        narrower: "The schema of the input comes first.",
        effect: Effect::Read,
    },
    Tool {
        name: "start_task",
        title: "Start a task",
        about: "Starts a task of a workflow. Call it without dry_run_token first: the input is checked, and the \
            answer has the token. Calls with one token start one task.",
        fields: &[
            Field::needed("workflow", Kind::Text(200), "name of the workflow"),
            Field::optional(
                "version",
                Kind::Number(1, 1_000_000_000),
                "its version; the newest unless given",
            ),
            Field::optional("input", Kind::Object, "the input, as the schema of get_workflow asks"),
            Field::optional("name", Kind::Text(500), "name of the task"),
            Field::optional("labels", Kind::Object, "labels to find it by: texts by name"),
            REASON,
            TOKEN,
        ],
        narrower: "Use get_task.",
        effect: Effect::Add,
    },
    Tool {
        name: "retry_task",
        title: "Retry a task",
        about: "Lets a failed task go on from the sub-tasks that failed. Call it without dry_run_token first.",
        fields: &[ID, REASON, TOKEN],
        narrower: "Use get_task.",
        effect: Effect::Change,
    },
    Tool {
        name: "cancel_task",
        title: "Cancel a task",
        about: "Cancels a task: what runs is told to stop, what did not begin never will. Call it without \
            dry_run_token first.",
        fields: &[ID, REASON, TOKEN],
        narrower: "Use get_task.",
        effect: Effect::Change,
    },
    Tool {
        name: "resolve_task",
        title: "Resolve a task",
        about: "Says what became of sub-tasks that failed or whose outcome nobody knows, so that the task can go \
            on; or, without sub_task and outcome, that a failed task was dealt with. Only whoever looked at the \
            real world can know. Call it without dry_run_token first.",
        fields: &[
            ID,
            Field::optional("sub_task", Kind::Text(200), "name of the sub-task; of a child: NAME[3]"),
            Field::optional("all", Kind::Flag, "every sub-task to which the outcome can apply"),
            Field::optional(
                "outcome",
                Kind::Word(&["done", "notDone", "failed", "skipped"]),
                "what became of the work; needed with sub_task or all",
            ),
            Field::optional("output", Kind::Any, "output of the sub-task, where the work was done"),
            REASON,
            TOKEN,
        ],
        narrower: "Use get_task.",
        effect: Effect::Change,
    },
];

/// Finds a tool.
pub(crate) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}

/// Call of a tool.
pub(crate) struct Use<'a, A> {
    pub(crate) api: &'a A,
    pub(crate) origin: Origin<'a>,
    pub(crate) passes: &'a crate::pass::Passes,
    pub(crate) tool: &'static Tool,
    pub(crate) arguments: Arguments,
}

impl<A: Api> Use<'_, A> {
    /// Does what the tool is for.
    pub(crate) async fn run(&self) -> Result<Value, Refusal> {
        match self.tool.name {
            "overview" => self.overview().await,
            "list_tasks" => self.list_tasks().await,
            "get_task" => self.get_task().await,
            "wait_task" => self.wait_task().await,
            "task_log" => self.task_log().await,
            "task_history" => self.task_history().await,
            "list_workflows" => self.list_workflows().await,
            "get_workflow" => self.get_workflow().await,
            _ => self.change().await,
        }
    }

    async fn ask(&self, call: Call) -> Result<Value, Refusal> {
        self.api.call(self.origin, call).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_few_and_each_change_needs_a_reason_and_a_rehearsal() {
        assert!(TOOLS.len() <= 12);
        let of = |reads: bool| {
            TOOLS.iter().filter(move |tool| (tool.effect == Effect::Read) == reads).map(|tool| tool.name)
        };
        assert_eq!(of(true).collect::<Vec<_>>(), READING);
        assert_eq!(of(false).collect::<Vec<_>>(), WRITING);
        for tool in TOOLS.iter().filter(|tool| tool.effect != Effect::Read) {
            let has = |name: &str, needed: bool| {
                tool.fields.iter().any(|field| field.name == name && field.needed == needed)
            };
            assert!(has("reason", true) && has("dry_run_token", false), "{}", tool.name);
        }
    }
}
