//! Decides in memory whether a task belongs to a list, as the engines' queries do: for readers of changes,
//! who are told of a task as soon as it changes.

use std::collections::BTreeMap;

use longhaul_model::{Resolution, Resource, Spec, TaskStatus, Timestamp};
use serde::Deserialize;

use crate::query::TaskQuery;
use crate::stored::Stored;

/// Members of a task that the filters of a list look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    name: String,
    kind: String,
    status: Option<TaskStatus>,
    completed_at: Option<Timestamp>,
    /// Type and ID of each resource.
    resources: Vec<(String, String)>,
    labels: BTreeMap<String, String>,
    resolved: bool,
    /// True if all of it may change, as that of an imported task, which may be imported anew.
    is_imported: bool,
}

/// Imported document, as far as filters read it. What cannot be read is left out.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Imported {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    status: String,
    completion_timestamp: Option<String>,
    resources: Option<Vec<Resource>>,
    labels: Option<BTreeMap<String, String>>,
    resolution_status: Option<String>,
}

impl Facts {
    /// Collects the members of a task; its labels are in its specification.
    pub fn of(task: &Stored, spec: Option<&Spec>) -> Facts {
        let pairs = |all: &[Resource]| {
            all.iter().map(|resource| (resource.kind.clone(), resource.resource_id.clone())).collect()
        };
        match task {
            Stored::Own(record) => Facts {
                name: record.name.clone(),
                kind: record.workflow.definition.kind.clone(),
                status: Some(record.state.status),
                completed_at: record.state.completed_at,
                resources: pairs(&record.state.resources),
                labels: spec.map(|spec| spec.labels.clone()).unwrap_or_default(),
                resolved: !record.state.resolution.is_unresolved(),
                is_imported: false,
            },
            Stored::Imported { json, .. } => {
                let read: Imported = serde_json::from_str(json).unwrap_or_default();
                Facts {
                    kind: read.kind.unwrap_or_default(),
                    status: TaskStatus::parse(&read.status),
                    completed_at: read.completion_timestamp.and_then(|at| at.parse().ok()),
                    resources: pairs(&read.resources.unwrap_or_default()),
                    labels: read.labels.unwrap_or_default(),
                    resolved: read.resolution_status.is_some_and(|is| is == Resolution::Resolved.constant()),
                    name: read.name,
                    is_imported: true,
                }
            }
            Stored::Damaged(task) => Facts {
                name: task.name.clone(),
                kind: task.kind.clone(),
                status: task.status,
                completed_at: task.completed_at,
                resources: Vec::new(),
                labels: BTreeMap::new(),
                resolved: false,
                is_imported: false,
            },
        }
    }

    /// Labels of the task.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }
}

impl TaskQuery {
    /// Returns true if a task belongs to the list.
    pub fn matches(&self, task: &Facts) -> bool {
        let status = task.status;
        let completed = |after: Timestamp| {
            status.is_some_and(TaskStatus::counts_as_completed)
                && task.completed_at.is_some_and(|at| at > after)
        };
        self.concerns(task)
            && (self.statuses.is_empty() || status.is_some_and(|status| self.statuses.contains(&status)))
            && self.completed_after.is_none_or(completed)
            && !(self.open_failures && status == Some(TaskStatus::Failed) && task.resolved)
    }

    /// Returns true unless a task can never have belonged to the list, whatever became of it meanwhile.
    pub fn may_have_matched(&self, task: &Facts) -> bool {
        task.is_imported || self.concerns(task)
    }

    /// Checks what never changes: name, type, resources and labels.
    fn concerns(&self, task: &Facts) -> bool {
        let needle = self.name_contains.as_deref().map(str::to_lowercase);
        let has = |(kind, id): &(String, String)| {
            self.resource_id.as_ref().is_none_or(|wanted| wanted == id)
                && self.resource_kind.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind))
        };
        let asks = self.resource_id.is_some() || self.resource_kind.is_some();
        self.kind.as_ref().is_none_or(|kind| kind.eq_ignore_ascii_case(&task.kind))
            && needle.is_none_or(|needle| task.name.to_lowercase().contains(&needle))
            && (!asks || task.resources.iter().any(has))
            && self.labels.iter().all(|(name, value)| {
                task.labels.get(name).is_some_and(|is| value.as_ref().is_none_or(|value| value == is))
            })
    }
}
