//! Starting tasks, and waiting for their end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::workflow::{Violation, Workflow};
use longhaul_model::{NotAccepted, Spec, Task, TaskId, Timestamp, TraceContext, WorkflowVersion, value};
use longhaul_store::{Audit, IdempotencyKey, Room, StoreError, Stored, Submission, Submitted};
use serde_json::Value;
use tokio::time::Instant;

use crate::engine::{Engine, SMALL, has_ended};
use crate::error::EngineError;
use crate::long_work::beside_runtime;
use crate::watch::Watch;

/// Interval at which the end of a task is looked for that another node may have seen.
const LOOK: Duration = Duration::from_secs(1);

/// A task to start.
#[derive(Clone, Debug)]
pub struct SubmitRequest {
    /// The workflow's name.
    pub workflow: String,
    /// Version of the workflow; the newest unless given.
    pub version: Option<WorkflowVersion>,
    /// Input of the task; an empty object unless given.
    pub input: Value,
    /// Name of the task; the workflow's title unless given.
    pub name: Option<String>,
    /// Earliest instant at which the task may start.
    pub not_before: Option<Timestamp>,
    /// Labels, by which the task can be found.
    pub labels: BTreeMap<String, String>,
    /// Entry for the audit log, with who asks.
    pub audit: Option<Audit>,
    /// The caller's key.
    pub key: Option<IdempotencyKey>,
    /// Memory that the caller has reserved for the request, kept until the task is stored.
    pub room: Option<Arc<Room>>,
    /// Span of the caller, if it named one.
    pub caller: Option<TraceContext>,
}

/// Attributes of a task at its start.
#[derive(Default)]
pub(crate) struct Start {
    pub(crate) name: Option<String>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) audit: Option<Audit>,
    pub(crate) key: Option<IdempotencyKey>,
    /// True if the workflow was named without a version.
    pub(crate) newest: bool,
    /// Memory that the caller has already reserved.
    pub(crate) room: Option<Arc<Room>>,
}

impl Engine {
    /// Accepts a task. After Ok it is durable and has begun.
    pub async fn submit(&self, request: SubmitRequest) -> Result<Submitted, EngineError> {
        let id = self.inner.env.new_task_id();
        self.submit_as(id, request).await
    }

    /// Checks all of a submission that [`Engine::submit`] checks before the store is asked, and returns the
    /// task as it would be accepted, under an ID of zeros. Nothing is stored, noted or started.
    pub fn rehearse(&self, request: &SubmitRequest) -> Result<Stored, EngineError> {
        let workflow = self.startable(&request.workflow, request.version, &request.input)?;
        clear_of_missed_secrets(&workflow, &request.input)?;
        let id = TaskId::from_bytes([0; 16]);
        let (mut input, labels) = (request.input.clone(), request.labels.clone());
        self.inner.vault.seal(id, &workflow.secrets, &mut input);
        let spec = Spec { input, labels, requested_by: None, caller: None };
        let now = self.inner.env.now();
        let task = Task::new(id, workflow, spec, request.name.clone(), request.not_before, now);
        Ok(Stored::Own(Box::new(task.map_err(not_accepted)?.into_record())))
    }

    /// Accepts a task and returns it once it has ended, or in its current state when the time is over.
    pub async fn submit_and_wait(
        &self,
        request: SubmitRequest,
        limit: Duration,
    ) -> Result<Submitted, EngineError> {
        let id = self.inner.env.new_task_id();
        // Watched before it exists: its end cannot be missed.
        let mut watch = self.inner.dispatcher.watch(id);
        let mut submitted = self.submit_as(id, request).await?;
        if submitted.replayed {
            submitted.task = self.wait(submitted.task.id(), limit).await?;
        } else if !has_ended(&submitted.task) {
            submitted.task = self.ended(submitted.task, &mut watch, limit).await?;
        }
        Ok(submitted)
    }

    /// Returns a task once it has ended, or in its current state when the time is over.
    pub async fn wait(&self, id: TaskId, limit: Duration) -> Result<Stored, EngineError> {
        let mut watch = self.inner.dispatcher.watch(id);
        let task = self.get(id)?;
        if has_ended(&task) || limit.is_zero() {
            return Ok(task);
        }
        self.ended(task, &mut watch, limit).await
    }

    /// Waits for the end of a watched task, from this state on. Events of other nodes may get lost, so the
    /// task is read now and then.
    async fn ended(&self, task: Stored, watch: &mut Watch, limit: Duration) -> Result<Stored, EngineError> {
        let (id, until) = (task.id(), Instant::now() + limit);
        let revision = |task: &Stored| match task {
            Stored::Own(record) => record.state.revision,
            Stored::Imported { .. } | Stored::Damaged(_) => 0,
        };
        let known = revision(&task);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let alone = self.inner.store.peers() == 0;
            let ended = watch.ended(if alone { left } else { left.min(LOOK) }).await;
            // A late notice of an end before this state does not count.
            if let Some(ended) = ended.filter(|ended| ended.state.revision > known) {
                return Ok(Stored::Own(Box::new(ended)));
            }
            let task = self.get(id)?;
            if has_ended(&task) || Instant::now() >= until || watch.is_over() || self.inner.timers_stopped() {
                return Ok(task);
            }
        }
    }

    async fn submit_as(&self, id: TaskId, request: SubmitRequest) -> Result<Submitted, EngineError> {
        if self.is_paused() {
            return Err(EngineError::Paused);
        }
        let again = (self.inner.store.peers() > 0).then(|| request.clone());
        match (self.try_submit(id, request).await, again) {
            // Another node changed the workflow a moment ago.
            (Err(EngineError::Store(StoreError::WorkflowChanged)), Some(request)) => {
                self.try_submit(id, request).await
            }
            (done, _) => done,
        }
    }

    async fn try_submit(&self, id: TaskId, request: SubmitRequest) -> Result<Submitted, EngineError> {
        let SubmitRequest { workflow, version, input, name, not_before, labels, audit, key, room, caller } =
            request;
        let newest = version.is_none();
        let workflow = self.startable(&workflow, version, &input)?;
        let spec = Spec { input, labels, requested_by: None, caller };
        self.accept(id, workflow, spec, Start { name, not_before, audit, key, newest, room }).await
    }

    /// Returns the workflow of that name, if a task of it may be started with this input.
    fn startable(
        &self,
        name: &str,
        version: Option<WorkflowVersion>,
        input: &Value,
    ) -> Result<Arc<Workflow>, EngineError> {
        if version.is_some() {
            // The versions of a deleted workflow are there for the tasks that ran them only.
            self.workflow(name, None)?;
        }
        let workflow = self.workflow(name, version)?;
        if workflow.definition.credentials.is_some() {
            return Err(EngineError::StartedByOwnCall(workflow.definition.name.clone()));
        }
        clear_about_secrets(&workflow)?;
        let violations = fitting(&workflow, input);
        match violations.is_empty() {
            true => Ok(workflow),
            false => {
                Err(EngineError::InvalidInput { workflow: workflow.definition.name.clone(), violations })
            }
        }
    }

    /// Seals the secrets of a valid input, and gives the task to the store.
    pub(crate) async fn accept(
        &self,
        id: TaskId,
        workflow: Arc<Workflow>,
        mut spec: Spec,
        start: Start,
    ) -> Result<Submitted, EngineError> {
        let Start { name, not_before, audit, key, newest, room } = start;
        clear_of_missed_secrets(&workflow, &spec.input)?;
        self.inner.vault.seal(id, &workflow.secrets, &mut spec.input);
        spec.requested_by = audit.as_ref().map(|audit| audit.by.as_ref().to_owned());
        let now = self.inner.env.now();
        let task = Task::new(id, workflow, spec, name, not_before, now).map_err(not_accepted)?;
        let weight = task.weight();
        let submission = Submission { task: Box::new(task), key, audit, newest };
        let store = self.inner.store.clone();
        let submitted = if weight > SMALL {
            let room = match room {
                Some(room) => room,
                None => Arc::new(self.inner.under_way.take(weight).await),
            };
            // Spawned, as the caller may go away while the task still waits to be stored.
            let stored = tokio::spawn(async move {
                let stored = store.submit(submission).await;
                drop(room);
                stored
            });
            let stopping = |_| StoreError::Unavailable("the server is stopping".to_owned());
            stored.await.map_err(stopping).flatten()
        } else {
            store.submit(submission).await
        };
        submitted.map_err(|e| match e {
            // The damage is in the workflow, as the task does not exist yet.
            StoreError::Corrupt(_) => EngineError::Store(e),
            e => Engine::wrong(id, e),
        })
    }
}

fn not_accepted(e: NotAccepted) -> EngineError {
    match e {
        NotAccepted::Expression(e) => EngineError::Expression(e.to_string()),
        NotAccepted::Input(unfit) => EngineError::Unfit { what: "input", unfit },
    }
}

/// Returns the violations of a workflow's schema. Steps are bounded, yet a large input takes many.
pub(crate) fn fitting(workflow: &Workflow, input: &Value) -> Vec<Violation> {
    /// Bytes of an input that are checked as fast as one byte is searched for secrets.
    const FASTER: usize = 8;
    beside_runtime(value::size(input) / FASTER, || workflow.schema.violations(input))
}

/// Refuses an input of which the validator says that a value is secret, and that would be stored in clear.
pub(crate) fn clear_of_missed_secrets(workflow: &Workflow, input: &Value) -> Result<(), EngineError> {
    let named = || workflow.definition.name.clone();
    match beside_runtime(value::size(input), || workflow.missed_secret(input)) {
        Ok(None) => Ok(()),
        Ok(Some(pointer)) => Err(EngineError::MissedSecret { workflow: named(), pointer }),
        Err(violation) => Err(EngineError::InvalidInput { workflow: named(), violations: vec![violation] }),
    }
}

/// Refuses new tasks of a workflow that was stored before unclear secrets were refused.
pub(crate) fn clear_about_secrets(workflow: &Workflow) -> Result<(), EngineError> {
    match workflow.is_unclear {
        true => Err(EngineError::UnclearSecrets(workflow.definition.name.clone())),
        false => Ok(()),
    }
}
