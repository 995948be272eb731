//! The trait.

use std::sync::Arc;

use async_trait::async_trait;
use longhaul_metrics::Family;
use longhaul_model::workflow::{Definition, Workflow};
use longhaul_model::{
    Attempt, Command, Effect, NodeId, Permit, Room, Spec, Task, TaskId, Terms, Timestamp, Token,
    WorkflowVersion,
};
use parking_lot::RwLock;
use serde_json::Value;

use crate::audit::{Audit, AuditPage, AuditQuery};
use crate::changes::{Changes, Position};
use crate::error::StoreError;
use crate::health::{Health, Trouble};
use crate::locks::{Lock, LockPage, LockQuery, Sweep};
use crate::logs::{LogChunk, LogLine, LogQuery};
use crate::nodes::KnownNode;
use crate::peers::{News, Stale, To};
use crate::query::TaskQuery;
use crate::stored::*;

/// A task to be accepted.
pub struct Submission {
    /// New task; the store starts it in the transaction that stores it.
    pub task: Box<Task>,
    /// The caller's key.
    pub key: Option<IdempotencyKey>,
    /// Audit row of the submission, unless it is replayed.
    pub audit: Option<Audit>,
    /// True if its workflow must be the newest of that name: refused with [`StoreError::WorkflowChanged`] if
    /// it is no longer, as another node changed it.
    pub newest: bool,
}

/// Reports of a worker and the leases that it asks for, in one transaction.
#[derive(Debug, Default)]
pub struct Work {
    /// Reports: [`Command::Complete`], [`Command::Fail`] or [`Command::HandBack`]. Sub-tasks that become
    /// ready by them may be leased at once, on the terms that they carry.
    pub reports: Vec<(TaskId, Command)>,
    /// Sub-tasks that wait for a worker, to be leased after that.
    pub leases: Vec<(TaskId, u32)>,
    /// Attempts that the same call leased to the worker before, and that the worker may not know of: returned
    /// again, before anything else.
    pub again: Vec<(TaskId, u32, Token)>,
    /// Terms of the leases.
    pub terms: Option<Arc<Terms>>,
    /// Maximum number of attempts to lease, in all.
    pub room: usize,
}

/// Durable change of a task, with its effects.
#[derive(Debug)]
pub struct Commit {
    /// The task.
    pub id: TaskId,
    /// Revision of the task after the change; 0 for a task that was ended unread, whose revision is unknown.
    pub revision: u64,
    /// Effects to carry out now.
    pub effects: Vec<Effect>,
    /// Task as this change left it, unless the writer keeps it: it has ended, or waits for its start.
    pub at_rest: Option<Box<Task>>,
}

/// Receiver of durable changes. Called by the store's writer after each commit: it must not block.
pub trait CommitSink: Send + Sync {
    /// Called with changes that are durable, in this order.
    fn committed(&self, commits: Vec<Commit>);

    /// Returns a permit for one more attempt at this node, if there is one; called while a change is being
    /// made. Must not block.
    fn permit(&self) -> Option<Permit> {
        Some(Permit::default())
    }

    /// Called once tasks changed, and their changes are in the log ([`Store::changes`]). Must not block
    /// either.
    fn changed(&self) {}

    /// Handles an event of another node; number 0 is the store itself. Must not block either.
    fn heard(&self, _from: NodeId, _news: News) {}
}

/// Permits for attempts as offered by a store's commit sink.
pub(crate) struct SinkRoom<'a>(pub(crate) &'a RwLock<Option<Arc<dyn CommitSink>>>);

impl Room for SinkRoom<'_> {
    fn permit(&self) -> Option<Permit> {
        self.0.read().as_ref().map_or_else(|| Some(Permit::default()), |sink| sink.permit())
    }
}

/// Store of tasks. Reads see every change that was answered before they began.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Sets the receiver of effects. Before this, effects are lost; call it before [`Store::recover`].
    fn attach(&self, sink: Arc<dyn CommitSink>);

    /// Accepts a task. After Ok: the task is durable and has begun. Crash in the middle: it is there whole or
    /// not at all.
    async fn submit(&self, submission: Submission) -> Result<Submitted, StoreError>;

    /// Applies a command to a task.
    /// After Ok: the change is durable. Crash in the middle: it happened whole or not at all. Refused:
    /// nothing changed.
    async fn command(&self, id: TaskId, command: Command, audit: Option<Audit>) -> Result<(), StoreError>;

    /// Applies a command like [`Store::command`], for callers that need no answer: its outcome shows in its
    /// effects. A refused command is dropped; one that fails for want of storage is repeated until it is
    /// durable or the store closes.
    async fn post(&self, id: TaskId, command: Command);

    /// Records a worker's reports and leases attempts to it.
    /// After Ok: all of it is durable; reports that were refused changed nothing, each for itself. Crash in
    /// the middle: all of it happened or nothing.
    async fn work(&self, work: Work) -> Result<Worked, StoreError>;

    /// Recovers every task of a server which is gone ([`Command::Recover`]); called at the start of a server.
    /// Attempts begun since the store was opened are not lost if the server may serve meanwhile
    /// ([`Store::recovers_behind`]), and nothing that the earlier server still reports is accepted. After Ok:
    /// done for all. Crash in the middle: some have recovered; repeating is harmless.
    async fn recover(&self) -> Result<u64, StoreError>;

    /// Returns true if calls may be served while [`Store::recover`] runs; otherwise it must finish first.
    fn recovers_behind(&self) -> bool {
        false
    }

    /// Returns true while work of dead servers may not have been taken over by living ones, which happens all
    /// the time where several serve one store.
    fn takes_over(&self) -> bool {
        false
    }

    /// Recovers these tasks, if [`Store::recover`] has not reached them yet. After Ok: recovered, and their
    /// effects were passed on; a damaged one is left as it is.
    async fn recover_first(&self, _tasks: &[TaskId]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Returns tasks that have something due by now, oldest first: the sweep behind the timers.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<TaskId>, StoreError>;

    /// Returns one task. A point read: quick enough to be called without a thread of its own.
    fn get(&self, id: TaskId) -> Result<Stored, StoreError>;

    /// Returns one task with only the counts of its `forEach` children: the cost of reading does not depend
    /// on their number.
    fn get_short(&self, id: TaskId) -> Result<Stored, StoreError> {
        Ok(match self.get(id)? {
            Stored::Own(record) => Stored::Own(Box::new(record.without_children())),
            imported => imported,
        })
    }

    /// Returns a page of tasks and the exact total, both of one moment. May take milliseconds: not for an
    /// event loop.
    fn list(&self, query: &TaskQuery) -> Result<Page, StoreError>;

    /// Returns the end of the log of changes.
    fn change_position(&self) -> Result<Position, StoreError>;

    /// Returns the changes after a position, until there are at least so many. Every change that was answered
    /// before the call is among them or follows. `None` if the log does not have all of them (any more): it
    /// keeps a million changes of each writer, and those of another storage are not its own.
    fn changes(&self, after: &Position, limit: u32) -> Result<Option<Changes>, StoreError>;

    /// Returns tasks whose ID begins or ends with these hexadecimal digits (lower case, no hyphens), in order
    /// of ID and at most so many. An end is looked up among the newest tasks only (100,000), so that the cost
    /// does not grow with history. May take milliseconds: not for an event loop.
    fn ids_like(&self, digits: &str, limit: u32) -> Result<Vec<TaskId>, StoreError>;

    /// Returns the request for a task; `None` for an imported one.
    fn spec(&self, id: TaskId) -> Result<Option<Spec>, StoreError>;

    /// Returns the outputs of a task's sub-tasks, by index.
    fn outputs(&self, id: TaskId) -> Result<Vec<(u32, Value)>, StoreError>;

    /// Every attempt of a task, in order of their starts.
    fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>, StoreError>;

    /// Returns the locks and slots that tasks hold or wait for; page and total of one moment.
    fn locks(&self, query: &LockQuery) -> Result<LockPage, StoreError>;

    /// Returns the locks that hold up a task: those of holders first, then of those that asked before it; at
    /// most `most`.
    fn blockers(&self, id: TaskId, most: u32) -> Result<Vec<Lock>, StoreError>;

    /// Runs one step, of bounded cost, of a sweep over all waiting tasks: finds claims that could be granted
    /// although nothing triggered it, and makes the writer grant them. Only the sweep repairs lost wake-ups.
    /// After Ok: the finds are queued, and checked again before they are granted.
    async fn sweep_claims(&self) -> Result<Sweep, StoreError>;

    /// Runs one step, of bounded cost, of a sweep over running tasks: finds sub-tasks under way whose output
    /// is stored, which means that their success was lost ([`Command::OutputsStored`]), and ends them. After
    /// Ok: those found have ended, unless they could not be read.
    async fn sweep_outputs(&self) -> Result<Sweep, StoreError>;

    /// Returns the nodes that share the store, by name; none for a store of one server only.
    fn nodes(&self) -> Result<Vec<KnownNode>, StoreError> {
        Ok(Vec::new())
    }

    /// Returns the number of other nodes that are active now.
    fn peers(&self) -> usize {
        0
    }

    /// Sends an event to other nodes, soon; it may get lost.
    fn tell(&self, _to: To, _news: News) {}

    /// Returns false while no event can be sent to other nodes, nor received from them.
    fn is_in_touch(&self) -> bool {
        true
    }

    /// Returns those of these attempts that are no longer live, or are to stop. For nodes that may have
    /// missed an event.
    async fn stale(&self, _attempts: Vec<(TaskId, u32, Token)>) -> Result<Vec<Stale>, StoreError> {
        Ok(Vec::new())
    }

    /// Appends lines to the log of an attempt; those beyond [`crate::LARGEST_LOG`] are left out, and the log
    /// says so. After Ok: they are durable. Crash in the middle: all are there or none. Sent before a
    /// command, they are durable no later than it, also if nobody waits for the answer.
    async fn write_log(
        &self,
        id: TaskId,
        sub_task: u32,
        attempt: u32,
        lines: Vec<LogLine>,
    ) -> Result<(), StoreError>;

    /// Returns the chunks of a task's log with the requested lines; the first may begin before them.
    fn log(&self, id: TaskId, query: &LogQuery) -> Result<Vec<LogChunk>, StoreError>;

    /// Stores a checked definition as a new version, unless the newest is the same.
    async fn put_workflow(
        &self,
        definition: Definition,
        audit: Option<Audit>,
    ) -> Result<WorkflowPut, StoreError>;

    /// Removes a workflow's name from the list; its versions stay for the tasks that ran them.
    async fn delete_workflow(&self, name: &str, audit: Option<Audit>) -> Result<(), StoreError>;

    /// Returns a workflow by name, in the newest version unless one is given.
    fn workflow(&self, name: &str, version: Option<WorkflowVersion>) -> Result<Arc<Workflow>, StoreError>;

    /// Returns every workflow, by name.
    fn workflows(&self) -> Result<Vec<WorkflowSummary>, StoreError>;

    /// Imports tasks. After Ok: all are durable. After an error or a crash: the first ones may be; importing
    /// the same tasks again replaces them.
    async fn import(
        &self,
        tasks: Vec<ImportedTask>,
        audit: Option<Audit>,
    ) -> Result<ImportOutcome, StoreError>;

    /// Deletes tasks that cannot change any more ([`longhaul_model::Record::is_deletable`]), each for itself.
    /// After Ok: those are gone for good. Crash in the middle: none is.
    async fn delete_history(
        &self,
        tasks: Vec<TaskId>,
        audit: Option<Audit>,
    ) -> Result<Vec<(TaskId, Deletion)>, StoreError>;

    /// Deletes tasks that ended before an instant, oldest first, looking at no more than `limit`; tasks that
    /// hold resources or wait for a decision stay. For retention, a batch at a time.
    async fn purge(
        &self,
        before: Timestamp,
        from: Option<(Timestamp, TaskId)>,
        limit: u32,
    ) -> Result<Purged, StoreError>;

    /// Identity of the storage that holds the data, which a copy of the data does not have: of the database's
    /// file (inode and time of creation), or of the database (identifier of its system and OID). `None` if it
    /// is not known.
    fn storage_id(&self) -> Option<String>;

    /// A setting that is kept with the tasks.
    fn setting(&self, name: &str) -> Result<Option<Value>, StoreError>;

    /// Keeps a setting.
    async fn put_setting(&self, name: &str, value: Value, audit: Option<Audit>) -> Result<(), StoreError>;

    /// Changes the members of a setting that the patch names (JSON Merge Patch, RFC 7396; an object that is
    /// left empty is removed, too) and returns all of it. No change at the same time is lost, nor one at
    /// another node.
    async fn merge_setting(
        &self,
        name: &str,
        patch: Value,
        audit: Option<Audit>,
    ) -> Result<Value, StoreError>;

    /// Adds an audit entry for an action that changed nothing, such as a refused login.
    async fn note(&self, audit: Audit) -> Result<(), StoreError>;

    /// Returns a page of the audit log, newest first.
    fn audit(&self, query: &AuditQuery) -> Result<AuditPage, StoreError>;

    /// Deletes the audit entries older than an instant, at most `limit`; returns their count.
    async fn prune_audit(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;

    /// Waits for all earlier requests. After Ok: posted commands are durable or were refused, and their
    /// effects were announced.
    async fn flush(&self) -> Result<(), StoreError>;

    /// Counts and sizes.
    fn stats(&self) -> Result<Stats, StoreError>;

    /// Returns false once the storage failed so that nothing can be written any more, or is closed.
    fn is_writable(&self) -> bool;

    /// Returns the health of the writing side. In memory: neither waits nor reads.
    fn health(&self) -> Health {
        let trouble =
            (!self.is_writable()).then(|| Trouble::Failing("the storage does not answer".to_owned()));
        Health { trouble, ..Health::default() }
    }

    /// Returns counters of the writing side since the start, as metrics. In memory: neither waits nor reads.
    fn families(&self) -> Vec<Family> {
        Vec::new()
    }

    /// Finishes accepted requests and closes. Further calls are refused.
    async fn close(&self);
}
