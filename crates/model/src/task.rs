//! Task with everything its transitions need: the record, its input, and the outputs of its sub-tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::credentials;
use crate::expr::{Budget, ExprError, Scope, visible};
use crate::id::{NodeId, TaskId};
use crate::measure::Move;
use crate::record::Hold;
use crate::record::{Child, Children, Fan, Record, State, SubTask, made};
use crate::status::{Resolution, SubTaskStatus, TaskStatus};
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::value::{self, Unfit};
use crate::weight;
use crate::workflow::Workflow;

/// Task that can be changed. Only [`Task::apply`] changes a status.
#[derive(Clone, Debug)]
pub struct Task {
    pub(crate) record: Record,
    spec: Spec,
    pub(crate) outputs: BTreeMap<u32, Value>,
    pub(crate) tally: Tally,
    /// Tallies of the children of each `forEach`, by its index.
    pub(crate) fans: BTreeMap<u32, FanTally>,
    /// Number of sub-tasks that each node owns.
    pub(crate) nodes: BTreeMap<NodeId, usize>,
    /// Timers, by the time at which they are due.
    timers: BTreeSet<(Timestamp, u32)>,
    /// Children that the current change touched: they are not counted until it is done.
    touched: BTreeSet<u32>,
    /// Moves of sub-tasks in the current change, in their order.
    moves: Vec<Move>,
    seen: Seen,
    /// Budget left to the expressions of the current change.
    budget: Budget,
    weights: Weights,
}

/// Memory cost of a task's values, in bytes: counted when they come in.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    input: usize,
    outputs: usize,
    items: usize,
}

/// Memory cost of a sub-task beside its values, in bytes.
const SUB_TASK: usize = size_of::<SubTask>() + 160;
/// Memory cost of any task, in bytes.
const TASK: usize = 2 * 1024;
/// Cost above which a value is converted for expressions again with each change, instead of being kept in
/// both forms.
const HEAVY: usize = 64 * 1024;

/// Request for a task: written once, and again only when a retry brings a new input. Secrets in it are sealed
/// before the model sees them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Input, valid against the workflow's schema.
    #[serde(rename = "i")]
    pub input: Value,
    /// Labels, by which the task can be found.
    #[serde(rename = "l", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Account that asked.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Span of the caller, if the request named one: the trace of the first run is linked to it.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<TraceContext>,
}

/// Reason for which there can be no such task.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotAccepted {
    /// The name, resources or a description cannot be made from the input.
    #[error(transparent)]
    Expression(#[from] ExprError),
    /// The input cannot be kept.
    #[error("the input is {0}")]
    Input(Unfit),
}

/// Number of sub-tasks by status. Follows every change of a status; never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) pending: usize,
    pub(crate) running: usize,
    /// Number of sub-tasks that failed and were not skipped: the task cannot go on.
    pub(crate) blocking: usize,
    /// Number of sub-tasks that ended well, or did not apply.
    pub(crate) well: usize,
    /// Number of sub-tasks that failed and were passed over, or were skipped by an operator: the task ends
    /// with a warning.
    pub(crate) warnings: usize,
}

/// Counts of children by status, which follow every change of one; never stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FanTally {
    /// Count of children that have not begun, or are to begin again.
    pub(crate) idle: usize,
    /// Number of children under way ([`SubTask::is_active`]).
    pub(crate) active: usize,
    pub(crate) failed: usize,
    /// Position of a child before which none is idle.
    pub(crate) next: u32,
}

impl PartialEq for FanTally {
    /// The place to look next is a hint, and does not count.
    fn eq(&self, other: &Self) -> bool {
        (self.idle, self.active, self.failed) == (other.idle, other.active, other.failed)
    }
}

impl FanTally {
    fn slot(&mut self, sub: &SubTask) -> Option<&mut usize> {
        match sub.status {
            _ if sub.is_active() => Some(&mut self.active),
            SubTaskStatus::Pending => Some(&mut self.idle),
            SubTaskStatus::Failed => Some(&mut self.failed),
            _ => None,
        }
    }

    fn count(&mut self, sub: &SubTask, up: bool) {
        if let Some(slot) = self.slot(sub) {
            *slot = if up { *slot + 1 } else { *slot - 1 };
        }
    }
}

/// The values that expressions see, converted once.
#[derive(Clone, Debug, Default)]
struct Seen {
    input: OnceLock<minijinja::Value>,
    outputs: BTreeMap<u32, minijinja::Value>,
}

impl Task {
    /// Creates a task: durable and PENDING once a store has it; [`crate::Command::Begin`] starts it.
    pub fn new(
        id: TaskId,
        workflow: Arc<Workflow>,
        spec: Spec,
        name: Option<String>,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Task, NotAccepted> {
        value::check_depth(&spec.input).map_err(NotAccepted::Input)?;
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
                // Names of children, which know their item.
                if sub.for_each.is_some() {
                    return Ok(SubTask::pending(None, made(&sub.description, &scope).ok().flatten()));
                }
                let title =
                    sub.title.as_ref().map(|title| title.short(&scope, value::LONGEST_NAME)).transpose()?;
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
            hold: Hold::None,
            slot: workflow.slot(&scope)?,
            decisions: Vec::new(),
            children: BTreeMap::new(),
        };
        Ok(Task::load(Record { id, name, workflow, state, sub_tasks }, spec, BTreeMap::new()))
    }

    /// A stored task.
    pub fn load(mut record: Record, spec: Spec, outputs: BTreeMap<u32, Value>) -> Task {
        // Older versions did not store locks: such a task had them from its start.
        let open = !record.state.status.is_ended() || record.state.status == TaskStatus::Failed;
        let begun = record.state.revision > 0;
        if record.credentials_operation().is_some() && open && begun && record.state.hold == Hold::None {
            record.state.hold = Hold::Held;
        }
        let (mut tally, mut fans, mut timers) = (Tally::default(), BTreeMap::new(), BTreeSet::new());
        let mut nodes = BTreeMap::new();
        for (sub, i) in record.sub_tasks.iter().zip(0..) {
            match &sub.child {
                None => *tally.slot(&record, i, sub.status) += 1,
                Some(child) => fans.entry(child.parent).or_insert_with(FanTally::default).count(sub, true),
            }
            if sub.fan.is_some() {
                // A parent without children has a tally, too.
                fans.entry(i).or_insert_with(FanTally::default);
            }
            timers.extend(sub.due_at.map(|at| (at, i)));
            if sub.is_looked_after() {
                *nodes.entry(sub.node).or_default() += 1;
            }
        }
        record.state.children = record.count_children();
        let items = record
            .sub_tasks
            .iter()
            .filter_map(|sub| sub.child.as_deref())
            .map(|child| weight::of(&child.item));
        let weights = Weights {
            input: weight::of(&spec.input),
            outputs: outputs.values().map(weight::of).sum(),
            items: items.sum(),
        };
        Task {
            record,
            spec,
            outputs,
            tally,
            fans,
            nodes,
            timers,
            touched: BTreeSet::new(),
            moves: Vec::new(),
            seen: Seen::default(),
            budget: Budget::default(),
            weights,
        }
    }

    /// Returns the record.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Returns the record, when nothing more is to be done with the task.
    pub fn into_record(self) -> Record {
        self.record
    }

    /// Returns the request.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Returns the output of a sub-task, if there is one.
    pub fn output(&self, sub_task: u32) -> Option<&Value> {
        self.outputs.get(&sub_task)
    }

    /// Replaces the input of the task.
    pub(crate) fn set_input(&mut self, input: Value) {
        self.weights.input = weight::of(&input);
        self.spec.input = input;
        self.seen.input = OnceLock::new();
    }

    /// Returns an error unless a sub-task's output may be accepted.
    pub(crate) fn check_output(&self, output: &Value) -> Result<(), Unfit> {
        value::check_output(output)?;
        let weight = self.weights.outputs + weight::of(output);
        if weight > value::LARGEST_OUTPUTS { Err(Unfit::NoRoom) } else { Ok(()) }
    }

    /// Sets a sub-task's output. No other function does.
    pub(crate) fn set_output(&mut self, index: u32, output: Value) {
        self.weights.outputs += weight::of(&output);
        if let Some(before) = self.outputs.insert(index, output) {
            self.weights.outputs -= weight::of(&before);
        }
    }

    /// Returns the approximate memory cost in bytes, in constant time.
    pub fn weight(&self) -> usize {
        let Weights { input, outputs, items } = self.weights;
        TASK + self.record.sub_tasks.len() * SUB_TASK + 2 * (input + outputs) + items
    }

    /// Drops the converted forms of large values for expressions.
    pub(crate) fn lighten(&mut self) {
        if self.weights.input + self.weights.outputs > HEAVY {
            self.seen = Seen::default();
        }
    }

    /// Returns the record, to be passed on while others wait: large values are freed, small ones may stay and
    /// be freed later, elsewhere.
    pub fn at_rest(mut self: Box<Self>) -> Box<Self> {
        if self.weights.input + self.weights.outputs > HEAVY {
            self.spec.input = Value::Null;
            self.outputs.clear();
            self.seen = Seen::default();
            self.weights = Weights::default();
        }
        self
    }

    /// Returns the identity.
    pub fn id(&self) -> TaskId {
        self.record.id
    }

    /// Returns the variables of the task's expressions: `input`, `subTasks.<name>.output`, `task`.
    pub fn scope(&mut self) -> Scope {
        let input = self.seen.input.get_or_init(|| visible(&self.spec.input)).clone();
        let own = self.record.own_sub_tasks();
        for (sub_task, output) in self.outputs.range(..own) {
            self.seen.outputs.entry(*sub_task).or_insert_with(|| visible(output));
        }
        let subs = self.seen.outputs.iter().map(|(i, output)| {
            let name = self.record.workflow.sub_tasks[*i as usize].name.as_str();
            (name, minijinja::Value::from_pairs([("output", output.clone())]))
        });
        let sub_tasks = minijinja::Value::from_pairs(subs);
        let task = [("id", self.record.id.to_string()), ("name", self.record.name.clone())];
        let roots = [("input", input), ("subTasks", sub_tasks), ("task", minijinja::Value::from_pairs(task))];
        Scope::new(roots).spending(self.budget.clone())
    }

    /// Returns the variables of the expressions of one sub-task: for a child, `item` and `index`, too.
    pub(crate) fn scope_of(&mut self, index: u32) -> Scope {
        let scope = self.scope();
        match &self.record.sub_tasks[index as usize].child {
            None => scope,
            Some(child) => with_item(&scope, child),
        }
    }

    /// Starts a new budget of the expressions, at the beginning of a change.
    pub(crate) fn budget_anew(&mut self) {
        self.budget = Budget::default();
    }

    /// Sets a sub-task's status. No other function does.
    pub(crate) fn set_status(&mut self, index: u32, status: SubTaskStatus) {
        self.change(index, |sub| sub.status = status);
    }

    /// Sets a sub-task's timer. No other function does.
    pub(crate) fn set_due(&mut self, index: u32, at: Option<Timestamp>) {
        self.change(index, |sub| sub.due_at = at);
    }

    /// Sets since when a sub-task is offered to workers, or `None`. No other function does.
    pub(crate) fn set_queued(&mut self, index: u32, at: Option<Timestamp>) {
        self.change(index, |sub| sub.queued_at = at);
    }

    /// Sets the node that owns a sub-task. It has no owner again once nothing of it is under way.
    pub(crate) fn set_node(&mut self, index: u32, node: NodeId) {
        self.change(index, |sub| sub.node = node);
    }

    /// Changes counted attributes of a sub-task: the counts follow.
    fn change(&mut self, index: u32, change: impl FnOnce(&mut SubTask)) {
        self.touch(index);
        let before = self.record.sub_tasks[index as usize].status;
        let parent = self.record.sub_tasks[index as usize].child.as_ref().map(|child| child.parent);
        if let Some(parent) = parent {
            self.fans.entry(parent).or_default().count(&self.record.sub_tasks[index as usize], false);
        }
        let sub = &mut self.record.sub_tasks[index as usize];
        let (due, queued_at) = (sub.due_at, sub.queued_at);
        let looked_after = sub.is_looked_after().then_some(sub.node);
        change(sub);
        let new_due = sub.due_at.filter(|at| due != Some(*at));
        if sub.status != before || new_due.is_some() {
            self.moves.push(Move::of(index, sub, before, queued_at, new_due));
        }
        if !sub.is_looked_after() {
            sub.node = NodeId::default();
        }
        let now_by = sub.is_looked_after().then_some(sub.node);
        if looked_after != now_by {
            let nodes = &mut self.nodes;
            if let Some(node) = looked_after {
                leave(nodes, node);
            }
            if let Some(node) = now_by {
                *nodes.entry(node).or_default() += 1;
            }
        }
        if sub.due_at != due {
            due.map(|at| self.timers.remove(&(at, index)));
            self.timers.extend(sub.due_at.map(|at| (at, index)));
        }
        match parent {
            Some(parent) => {
                let fan = self.fans.entry(parent).or_default();
                fan.count(sub, true);
                if sub.status == SubTaskStatus::Pending {
                    fan.next = fan.next.min(index);
                }
            }
            None => {
                let after = sub.status;
                *self.tally.slot(&self.record, index, before) -= 1;
                *self.tally.slot(&self.record, index, after) += 1;
            }
        }
    }

    /// Takes the moves of the current change.
    pub(crate) fn take_moves(&mut self) -> Vec<Move> {
        std::mem::take(&mut self.moves)
    }

    /// Prepares a change of a sub-task: a child leaves the counts of its parent until
    /// [`Task::count_touched`].
    fn touch(&mut self, index: u32) {
        let sub = &self.record.sub_tasks[index as usize];
        let Some(child) = &sub.child else { return };
        if self.touched.insert(index)
            && let Some(children) = self.record.state.children.get_mut(&child.parent)
        {
            children.count(sub, false);
        }
    }

    /// Counts the children that a change touched, as they are now.
    pub(crate) fn count_touched(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        let mut parents = BTreeSet::new();
        for index in touched {
            let sub = &self.record.sub_tasks[index as usize];
            let Some(child) = &sub.child else { continue };
            if let Some(children) = self.record.state.children.get_mut(&child.parent) {
                children.count(sub, true);
            }
            parents.insert(child.parent);
        }
        for parent in parents {
            let due =
                self.timers.iter().find(|(_, index)| self.record.own(*index) == parent && *index != parent);
            let due = due.map(|(at, _)| *at);
            if let Some(children) = self.record.state.children.get_mut(&parent) {
                children.due = due;
            }
        }
    }

    /// Adds children behind the existing sub-tasks.
    pub(crate) fn add_children(&mut self, parent: u32, children: Vec<SubTask>) {
        let first = self.record.sub_tasks.len() as u32;
        let items =
            children.iter().filter_map(|sub| sub.child.as_deref()).map(|child| weight::of(&child.item));
        self.weights.items += items.sum::<usize>();
        let fan = Fan { first, count: children.len() as u32, skipped: 0 };
        let tally = FanTally { idle: children.len(), active: 0, failed: 0, next: first };
        self.record.state.children.insert(parent, Children::pending(fan.count));
        self.record.sub_tasks[parent as usize].fan = Some(Box::new(fan));
        self.record.sub_tasks.extend(children);
        self.fans.insert(parent, tally);
    }

    /// Returns the nodes that own a sub-task.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.nodes.keys().copied()
    }

    /// The sub-tasks that are due by then, in order.
    pub(crate) fn due_by(&self, now: Timestamp) -> Vec<u32> {
        let mut due: Vec<u32> = self.timers.range(..=(now, u32::MAX)).map(|(_, index)| *index).collect();
        due.sort_unstable();
        due
    }

    /// Returns the earliest instant at which something is due without anybody asking: [`Record::due_at`],
    /// without a walk.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.record.due_among(self.timers.first().map(|(at, _)| *at))
    }

    pub(crate) fn sub(&mut self, index: u32) -> &mut SubTask {
        self.touch(index);
        &mut self.record.sub_tasks[index as usize]
    }
}

/// Counts one sub-task less at a node.
fn leave(nodes: &mut BTreeMap<NodeId, usize>, node: NodeId) {
    if let Some(count) = nodes.get_mut(&node) {
        *count -= 1;
        if *count == 0 {
            nodes.remove(&node);
        }
    }
}

/// A scope with a child's item.
pub(crate) fn with_item(scope: &Scope, child: &Child) -> Scope {
    scope.with("item", visible(&child.item)).with("index", minijinja::Value::from(child.index))
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
            // An operator passed over some of its children.
            SubTaskStatus::Successful if record.sub_tasks[index as usize].skips() => &mut self.warnings,
            SubTaskStatus::Successful | SubTaskStatus::NotApplicable => &mut self.well,
        }
    }
}
