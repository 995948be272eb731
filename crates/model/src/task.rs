//! A task with everything its transitions need: the record, its input, and what its sub-tasks gave.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::credentials;
use crate::expr::{ExprError, Scope, visible};
use crate::id::TaskId;
use crate::record::{Record, State, SubTask, made};
use crate::status::{Resolution, SubTaskStatus, TaskStatus};
use crate::time::Timestamp;
use crate::workflow::Workflow;

/// A task that can be changed. Only [`Task::apply`] changes a status.
#[derive(Debug)]
pub struct Task {
    pub(crate) record: Record,
    spec: Spec,
    pub(crate) outputs: BTreeMap<u32, Value>,
    pub(crate) tally: Tally,
    seen: Seen,
}

/// What a task was asked to do: written once, and again only when a retry brings a new input. Secrets in it are sealed
/// before the model sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Its input, valid against the workflow's schema.
    #[serde(rename = "i")]
    pub input: Value,
    /// Free words to find it by.
    #[serde(rename = "l", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who asked.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

/// How many sub-tasks stand where. Follows every change of a status; never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) pending: usize,
    pub(crate) running: usize,
    /// Failed, and not passed over: the task cannot go on.
    pub(crate) blocking: usize,
    /// Ended well, or did not apply.
    pub(crate) well: usize,
    /// Failed and passed over, or skipped by an operator: the task ends with a warning.
    pub(crate) warnings: usize,
}

/// The values that expressions see, converted once.
#[derive(Debug, Default)]
struct Seen {
    input: OnceLock<minijinja::Value>,
    outputs: BTreeMap<u32, minijinja::Value>,
}

impl Task {
    /// A new task: durable and PENDING once a store has it; [`crate::Command::Begin`] sets it going.
    pub fn new(
        id: TaskId,
        workflow: Arc<Workflow>,
        spec: Spec,
        name: Option<String>,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Task, ExprError> {
        let scope = Scope::new([("input", visible(&spec.input))]);
        let name = name.map_or_else(|| workflow.title(&scope), Ok)?;
        let resources = match workflow.definition.credentials {
            Some(_) => credentials::resources(&spec.input),
            None => workflow.resources(&scope)?,
        };
        let sub_tasks = workflow
            .sub_tasks
            .iter()
            .map(|sub| {
                let title = sub.title.as_ref().map(|title| title.text(&scope)).transpose()?;
                Ok(SubTask::pending(title, made(&sub.description, &scope)?))
            })
            .collect::<Result<Vec<_>, ExprError>>()?;
        let state = State {
            revision: 0,
            status: TaskStatus::Pending,
            created_at: now,
            started_at: None,
            completed_at: None,
            generation: 0,
            resources,
            errors: Vec::new(),
            resolution: Resolution::Unresolved,
            not_before: not_before.filter(|at| *at > now),
            deadline: None,
            stopping: None,
            decisions: Vec::new(),
        };
        Ok(Task::load(Record { id, name, workflow, state, sub_tasks }, spec, BTreeMap::new()))
    }

    /// A stored task.
    pub fn load(record: Record, spec: Spec, outputs: BTreeMap<u32, Value>) -> Task {
        let mut tally = Tally::default();
        for (sub, i) in record.sub_tasks.iter().zip(0..) {
            *tally.slot(&record, i, sub.status) += 1;
        }
        Task { record, spec, outputs, tally, seen: Seen::default() }
    }

    /// What is known about it.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What it was asked to do.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// What a sub-task gave.
    pub fn output(&self, sub_task: u32) -> Option<&Value> {
        self.outputs.get(&sub_task)
    }

    /// Puts a new input in the place of the one it was accepted with.
    pub(crate) fn set_input(&mut self, input: Value) {
        self.spec.input = input;
        self.seen.input = OnceLock::new();
    }

    /// Its identity.
    pub fn id(&self) -> TaskId {
        self.record.id
    }

    /// What its expressions see: `input`, `subTasks.<name>.output`, `task`.
    pub fn scope(&mut self) -> Scope {
        let input = self.seen.input.get_or_init(|| visible(&self.spec.input)).clone();
        for (sub_task, output) in &self.outputs {
            self.seen.outputs.entry(*sub_task).or_insert_with(|| visible(output));
        }
        let subs = self.seen.outputs.iter().map(|(i, output)| {
            let name = self.record.workflow.sub_tasks[*i as usize].name.as_str();
            (name, minijinja::Value::from_pairs([("output", output.clone())]))
        });
        let sub_tasks = minijinja::Value::from_pairs(subs);
        let task = [("id", self.record.id.to_string()), ("name", self.record.name.clone())];
        Scope::new([("input", input), ("subTasks", sub_tasks), ("task", minijinja::Value::from_pairs(task))])
    }

    /// The one way a sub-task's status changes: the tally follows.
    pub(crate) fn set_status(&mut self, index: u32, status: SubTaskStatus) {
        let before = self.record.sub_tasks[index as usize].status;
        *self.tally.slot(&self.record, index, before) -= 1;
        *self.tally.slot(&self.record, index, status) += 1;
        self.record.sub_tasks[index as usize].status = status;
    }

    pub(crate) fn sub(&mut self, index: u32) -> &mut SubTask {
        &mut self.record.sub_tasks[index as usize]
    }
}

impl Tally {
    /// The count that a status goes to.
    fn slot(&mut self, record: &Record, index: u32, status: SubTaskStatus) -> &mut usize {
        match status {
            SubTaskStatus::Pending => &mut self.pending,
            SubTaskStatus::InProgress => &mut self.running,
            SubTaskStatus::Failed if record.workflow.sub_tasks[index as usize].goes_on => &mut self.warnings,
            SubTaskStatus::Failed => &mut self.blocking,
            SubTaskStatus::Skipped => &mut self.warnings,
            SubTaskStatus::Successful | SubTaskStatus::NotApplicable => &mut self.well,
        }
    }
}
