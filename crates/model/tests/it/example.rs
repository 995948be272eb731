//! Tasks for examples: made from the relevant members of a workflow, driven by one call for each step.

use std::collections::BTreeMap;
use std::sync::Arc;

use longhaul_model::time::Span;
use longhaul_model::workflow::Workflow;
use longhaul_model::{
    Change, Command, Effect, Failure, Fault, Launch, Refused, Spec, State, SubTask, SubTaskStatus, Task,
    TaskId, TaskStatus, Timestamp, Token, Verdict,
};
use serde_json::{Value, json};

/// Time at which every example begins.
pub(crate) const START: Timestamp = Timestamp(1_700_000_000_000);

/// Task with its clock.
pub(crate) struct Example {
    pub(crate) task: Task,
    pub(crate) now: Timestamp,
}

/// A simulated sub-task with further members.
pub(crate) fn sub(name: &str, more: Value) -> Value {
    let mut sub = json!({"name": name, "description": name, "action": {"simulate": {}}});
    for (member, value) in more.as_object().expect("members") {
        sub[member] = value.clone();
    }
    sub
}

/// Creates a task that was accepted, before it begins.
pub(crate) fn accepted(more: Value, sub_tasks: Vec<Value>, not_before: Option<Timestamp>) -> Example {
    let input = json!({"of": "it", "yes": true, "hosts": [{"fqdn": "a"}, {"fqdn": "b"}, {"fqdn": "c"}]});
    accepted_with(input, more, sub_tasks, not_before)
}

fn accepted_with(input: Value, more: Value, sub_tasks: Vec<Value>, not_before: Option<Timestamp>) -> Example {
    let mut definition = json!({
        "name": "example", "type": "EXAMPLE", "title": "Example of {{ input.of }}", "input": {"type": "object"},
        "subTasks": sub_tasks,
    });
    for (member, value) in more.as_object().expect("members") {
        definition[member] = value.clone();
    }
    let definition = serde_json::from_value(definition).expect("a definition");
    let workflow = Workflow::compile(definition, 1).expect("no problems");
    let spec = Spec { input, labels: BTreeMap::new(), requested_by: None, caller: None };
    let task = Task::new(TaskId::from_bytes([1; 16]), Arc::new(workflow), spec, None, not_before, START);
    Example { task: task.expect("a task"), now: START }
}

/// A task that has begun.
pub(crate) fn begun(more: Value, sub_tasks: Vec<Value>) -> Example {
    let mut example = accepted(more, sub_tasks, None);
    example.apply(Command::Begin);
    example
}

/// A task of an input that has begun.
pub(crate) fn begun_with(input: Value, sub_tasks: Vec<Value>) -> Example {
    let mut example = accepted_with(input, json!({}), sub_tasks, None);
    example.apply(Command::Begin);
    example
}

/// Creates a task of simulated sub-tasks, one after the other, that has begun.
pub(crate) fn in_turn(names: &[&str]) -> Example {
    begun(json!({}), names.iter().map(|name| sub(name, json!({}))).collect())
}

impl Example {
    #[track_caller]
    pub(crate) fn apply(&mut self, command: Command) -> Change {
        self.task.apply(command, self.now).expect("accepted")
    }

    #[track_caller]
    pub(crate) fn refused(&mut self, command: Command) -> Refused {
        let before = self.task.record().clone();
        let refused = self.task.apply(command, self.now).expect_err("refused");
        assert_eq!(
            (before.state, before.sub_tasks),
            (self.state().clone(), self.task.record().sub_tasks.clone())
        );
        refused
    }

    pub(crate) fn elapse(&mut self, ms: i64) {
        self.now.0 += ms;
    }

    /// Lets a time pass; whatever is due happens.
    #[track_caller]
    pub(crate) fn due_after(&mut self, ms: i64) -> Change {
        self.elapse(ms);
        self.apply(Command::Due)
    }

    pub(crate) fn state(&self) -> &State {
        &self.task.record().state
    }

    pub(crate) fn status(&self) -> TaskStatus {
        self.state().status
    }

    pub(crate) fn sub(&self, index: u32) -> &SubTask {
        &self.task.record().sub_tasks[index as usize]
    }

    pub(crate) fn statuses(&self) -> Vec<SubTaskStatus> {
        self.task.record().sub_tasks.iter().map(|sub| sub.status).collect()
    }

    pub(crate) fn complete(&self, sub_task: u32, output: Option<Value>) -> Command {
        Command::Complete { sub_task, token: self.sub(sub_task).token(), output, by: None, next: None }
    }

    pub(crate) fn fail(&self, sub_task: u32, failure: Failure) -> Command {
        Command::Fail { sub_task, token: self.sub(sub_task).token(), failure, by: None }
    }

    /// Fails a sub-task for good.
    #[track_caller]
    pub(crate) fn fail_for_good(&mut self, sub_task: u32) -> Change {
        self.apply(self.fail(sub_task, broken(false)))
    }
}

/// A failure with an error.
pub(crate) fn broken(retryable: bool) -> Failure {
    Failure::Error { fault: Fault::new("BROKEN", "it broke"), retryable }
}

pub(crate) fn cancel() -> Command {
    Command::Cancel { by: "ann".to_owned(), grace: Span(1000) }
}

pub(crate) fn retry() -> Command {
    Command::Retry { by: "ann".to_owned() }
}

pub(crate) fn skip(sub_task: u32) -> Command {
    Command::Skip { sub_task, by: "ann".to_owned(), reason: "not needed".to_owned() }
}

pub(crate) fn resolve(verdict: Option<(u32, bool, Option<Value>)>) -> Command {
    let verdict = verdict.map(|(sub_task, done, output)| Verdict { sub_task, done, output });
    Command::Resolve { by: "ann".to_owned(), reason: "looked".to_owned(), verdict }
}

/// The attempts that a change starts.
pub(crate) fn launches(change: &Change) -> Vec<&Launch> {
    let mut all = Vec::new();
    for effect in &change.effects {
        if let Effect::Start(launch) = effect {
            all.push(launch);
        }
    }
    all
}

/// Returns the sub-tasks whose attempts a change starts.
pub(crate) fn starts(change: &Change) -> Vec<u32> {
    launches(change).iter().map(|launch| launch.sub_task).collect()
}

pub(crate) fn timers(change: &Change) -> Vec<i64> {
    let timer = |effect: &Effect| match effect {
        Effect::Timer(at) => Some(at.0 - START.0),
        _ => None,
    };
    change.effects.iter().filter_map(timer).collect()
}

pub(crate) fn stops(change: &Change) -> Vec<(u32, Token)> {
    let stop = |effect: &Effect| match effect {
        Effect::Stop { sub_task, token, .. } => Some((*sub_task, *token)),
        _ => None,
    };
    change.effects.iter().filter_map(stop).collect()
}

pub(crate) fn ended(change: &Change) -> Option<TaskStatus> {
    change.effects.iter().find_map(|effect| match effect {
        Effect::Ended(status) => Some(*status),
        _ => None,
    })
}
