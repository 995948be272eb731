//! Wire form of a task: the documented members in the documented order, Longhaul's own behind them.

use longhaul_engine::{Damaged, Lock, Stored};
use longhaul_model::workflow::CompiledAction;
use longhaul_model::{
    Record, Resolution, Spec, StatusStyle, SubTaskStatus, TaskStatus, Timestamp, WaitingFor,
};
use serde_json::Value;

use super::{Json, lock};
use crate::api::tasks::import;
use crate::error::task_unreadable;

/// Selection of a task's members for a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// Spelling of statuses for workflows that name none.
    pub(crate) style: StatusStyle,
    /// Leaves out all but the failed sub-tasks.
    pub(crate) summary: bool,
    pub(crate) progress: bool,
    pub(crate) waiting_for: bool,
    pub(crate) workflow: bool,
    pub(crate) attempt: bool,
    pub(crate) version: bool,
    /// Own members of sub-tasks.
    pub(crate) sub_tasks: bool,
    /// Adds the counts of a `forEach`'s children by status, if they are not shown themselves.
    pub(crate) child_counts: bool,
}

impl View {
    /// The documented members only.
    pub(crate) fn documented(style: StatusStyle) -> Self {
        View {
            style,
            summary: false,
            progress: false,
            waiting_for: false,
            workflow: false,
            attempt: false,
            version: false,
            sub_tasks: false,
            child_counts: false,
        }
    }

    /// Selects the documented members, and all own ones that cost nothing to know.
    pub(crate) fn extended(style: StatusStyle) -> Self {
        View {
            style,
            summary: false,
            progress: true,
            waiting_for: true,
            workflow: true,
            attempt: true,
            version: true,
            sub_tasks: true,
            child_counts: true,
        }
    }
}

/// Facts that must be read besides the task itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) input: Option<Spec>,
    pub(crate) labels: Option<Spec>,
    pub(crate) outputs: Option<Vec<(u32, Value)>>,
    /// Locks of the tasks that are ahead of this one.
    pub(crate) locks: Vec<Lock>,
    /// Count of workers that ask the queue that the task waits in.
    pub(crate) workers: Option<usize>,
    /// Largest count of attempts of built-in actions that run at once at this node.
    pub(crate) limit: Option<usize>,
    /// True at a server that is paused, which is then what its tasks wait for.
    pub(crate) is_paused: bool,
}

/// Writes a task; an imported one as it was received.
pub(crate) fn stored(json: &mut Json, task: &Stored, view: View, extras: &Extras) {
    match task {
        Stored::Own(record) => own(json, record, view, extras),
        Stored::Imported { json: text, .. } => json.raw(&import::readable(text)),
        Stored::Damaged(task) => damaged(json, task, view),
    }
}

/// Writes what is known of an unreadable task, and what is wrong with it, with all members that a task must
/// have.
fn damaged(json: &mut Json, task: &Damaged, view: View) {
    // A task of which even that cannot be read waits for nothing: its watchers are told.
    let status = task.status.unwrap_or(TaskStatus::Failed);
    let fault = task_unreadable(format!("what is stored of the task cannot be read: {}", task.why));
    json.object(|json| {
        json.key("id").value(&task.id);
        json.key("name").value(&task.name);
        json.key("type").value(&task.kind);
        json.key("status").plain(status.spelled(view.style));
        json.key("creationTimestamp").time(task.created_at.unwrap_or(Timestamp(0)));
        if let Some(at) = task.completed_at {
            json.key("completionTimestamp").time(at);
        }
        json.key("subTasks").list([(); 0], |_, ()| {});
        json.key("errors").value(&[fault]);
        json.key("resources").list([(); 0], |_, ()| {});
        json.key("resolutionStatus").plain(Resolution::Unresolved.constant());
        json.key("isCancellable").value(&task.unread(false).is_cancellable());
        json.key("isRetryable").value(&false);
    });
}

fn own(json: &mut Json, record: &Record, view: View, extras: &Extras) {
    let (state, definition) = (&record.state, &record.workflow.definition);
    json.object(|json| {
        json.key("id").value(&record.id);
        json.key("name").value(&record.name);
        json.key("type").value(&definition.kind);
        json.key("status").plain(state.status.spelled(definition.status_style.unwrap_or(view.style)));
        json.key("creationTimestamp").time(state.created_at);
        if let Some(at) = state.completed_at {
            json.key("completionTimestamp").time(at);
        }
        sub_tasks(json, record, 0..record.own_sub_tasks(), view);
        json.key("errors").value(&state.errors);
        json.key("resources").value(&state.resources);
        json.key("resolutionStatus").plain(state.resolution.constant());
        json.key("isCancellable").value(&record.is_cancellable());
        json.key("isRetryable").value(&record.is_retryable());
        extensions(json, record, view, extras);
    });
}

fn sub_tasks(json: &mut Json, record: &Record, which: std::ops::Range<u32>, view: View) {
    let shown = |i: &u32| !view.summary || record.sub_tasks[*i as usize].status == SubTaskStatus::Failed;
    json.key("subTasks").list(which.filter(shown), |json, i| sub_task(json, record, i, view));
}

fn sub_task(json: &mut Json, record: &Record, index: u32, view: View) {
    let sub = &record.sub_tasks[index as usize];
    json.object(|json| {
        json.key("name").value(record.sub_task_name(index));
        json.key("description").value(record.sub_task_description(index));
        json.key("status").plain(sub.status.constant());
        json.key("creationTimestamp").time(record.state.created_at);
        if let Some(at) = sub.completed_at {
            json.key("completionTimestamp").time(at);
        }
        if !sub.stages.is_empty() {
            json.key("stages").list(&sub.stages, stage);
        }
        if !sub.errors.is_empty() {
            json.key("errors").value(&sub.errors);
        }
        let children = record.children(index);
        if !children.is_empty() {
            sub_tasks(json, record, children, view);
        } else if view.child_counts
            && record.leaves_out_children()
            && let Some(children) = record.children_in_numbers(index)
        {
            json.key("childCounts").object(|json| {
                for (status, count) in children.by_status() {
                    json.key(status.constant()).value(&count);
                }
            });
        }
        if view.sub_tasks {
            if let Some(at) = sub.started_at {
                json.key("startTimestamp").time(at);
            }
            if sub.attempt > 0 {
                json.key("attempt").value(&sub.attempt);
            }
            if let Some(percent) =
                record.sub_task_progress(index).filter(|_| sub.status == SubTaskStatus::InProgress)
            {
                json.key("progress").value(&percent);
            }
        }
    });
}

fn stage(json: &mut Json, stage: &longhaul_model::Stage) {
    json.object(|json| {
        json.key("name").value(&stage.name);
        json.key("type").value(&stage.kind);
        json.key("description").value(&stage.description);
        json.key("status").plain(stage.status.constant());
        json.key("creationTimestamp").time(stage.created_at);
        if let Some(at) = stage.completed_at {
            json.key("completionTimestamp").time(at);
        }
        if !stage.errors.is_empty() {
            json.key("errors").value(&stage.errors);
        }
    });
}

fn extensions(json: &mut Json, record: &Record, view: View, extras: &Extras) {
    if view.progress {
        json.key("progress").value(&record.progress());
    }
    let reason = || match extras.is_paused {
        true => record.waiting_for_while_paused(),
        false => record.waiting_for(),
    };
    if view.waiting_for
        && let Some(reason) = reason()
    {
        json.key("waitingFor");
        waiting_for(json, record, &reason, extras);
    }
    if view.workflow {
        json.key("workflow").object(|json| {
            json.key("name").value(&record.workflow.definition.name);
            json.key("version").value(&record.workflow.version);
        });
    }
    if view.attempt {
        json.key("attempt").value(&(record.state.generation + 1));
    }
    if view.version {
        json.key("version").value(&record.state.revision);
    }
    if let Some(spec) = &extras.labels {
        json.key("labels").value(&spec.labels);
    }
    if let Some(spec) = &extras.input {
        json.key("input").value(&spec.input);
    }
    if let Some(outputs) = &extras.outputs {
        json.key("outputs").object(|json| {
            let known = |index: &u32| (*index as usize) < record.sub_tasks.len();
            for (index, output) in outputs.iter().filter(|(index, _)| known(index)) {
                // Names may hold anything: written as a value, with the comma that `key` would write.
                json.member(record.sub_task_name(*index)).value(output);
            }
        });
    }
}

fn waiting_for(json: &mut Json, record: &Record, reason: &WaitingFor, extras: &Extras) {
    let (kind, sub_task, until) = match reason {
        WaitingFor::Worker(index, _) => ("WORKER", Some(*index), None),
        WaitingFor::Capacity(index, _) => ("CAPACITY", Some(*index), None),
        WaitingFor::Lock => ("LOCK", None, None),
        WaitingFor::Start(at) => ("START", None, Some(*at)),
        WaitingFor::Timer(index, at) => ("TIMER", Some(*index), Some(*at)),
        WaitingFor::Retry(index, at) => ("RETRY", Some(*index), Some(*at)),
        WaitingFor::Decision(index) => ("DECISION", Some(*index), None),
        WaitingFor::Stop(at) => ("STOP", None, Some(*at)),
        WaitingFor::Paused(index) => ("PAUSED", *index, None),
    };
    json.object(|json| {
        json.key("type").plain(kind);
        if let Some(index) = sub_task {
            json.key("subTask").value(record.sub_task_name(index));
        }
        if let Some(at) = until {
            json.key("until").time(at);
        }
        if let WaitingFor::Worker(index, since) = reason
            && let CompiledAction::Worker(work) = &record.definition(*index).action
        {
            json.key("queue").plain(&work.queue);
            json.key("since").time(*since);
            if let Some(workers) = extras.workers {
                json.key("workers").value(&workers);
            }
        }
        if let WaitingFor::Capacity(_, since) = reason {
            json.key("since").time(*since);
            if let Some(limit) = extras.limit {
                json.key("limit").value(&limit);
            }
        }
        if !extras.locks.is_empty() {
            json.key("locks").list(&extras.locks, |json, one| json.object(|json| lock(json, one)));
        }
    });
}
