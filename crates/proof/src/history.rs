//! History as the outside saw it: every call with the time of its request and of its answer, the calls that
//! the effect counter received, and the lives of the server. Answered and ambiguous calls are kept apart.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::clock::Micros;
use crate::followers::Told;
use crate::grants::Grants;
use crate::wire::View;

/// Record of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every submission.
    pub submits: Vec<Submit>,
    /// Views of tasks, in the order of the answers. A view equal to the task's last one is left out.
    pub polls: Vec<Poll>,
    /// Cancels, retries and verdicts.
    pub decisions: Vec<Decision>,
    /// Credentials.
    pub grants: Grants,
    /// Calls that the effect counter received.
    pub effects: Vec<Effect>,
    /// The server's lives.
    pub lives: Vec<Life>,
    /// A server was stopped in order: what it had not begun it handed back.
    pub stopped: bool,
    /// Last word that each reader of the feed had of each task.
    pub told: Vec<Told>,
    /// Answers that no server may give: 5xx while it was not being killed, malformed bodies.
    pub oddities: Vec<String>,
}

/// Call of `POST /v1/tasks`.
#[derive(Clone, Debug)]
pub struct Submit {
    /// The workflow.
    pub workflow: String,
    /// The input as sent. Its `mark` is unique among first sendings; repetitions with a key carry it again.
    pub input: Value,
    /// Number that the input has, too.
    pub mark: u64,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// Time of the request.
    pub call: Micros,
    /// Time of the answer, or of giving it up.
    pub ret: Micros,
    /// Answer.
    pub answer: SubmitAnswer,
}

/// Outcome of a submission, as far as the client knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitAnswer {
    /// 202, read to the end.
    Acked {
        /// The task.
        id: Uuid,
        /// The answer said that it was a repetition.
        replayed: bool,
    },
    /// 422: the key was used for something else.
    KeyReused,
    /// The request was never sent.
    Unsent,
    /// The request was sent, and no whole answer came.
    Ambiguous,
}

/// Poll of a task.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The task.
    pub id: Uuid,
    /// Time of the request.
    pub call: Micros,
    /// Time of the answer.
    pub ret: Micros,
    /// View of the task.
    pub view: Arc<View>,
}

/// Decision that an operator asked for.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The task.
    pub id: Uuid,
    /// Kind of decision.
    pub what: Verb,
    /// Time of the request.
    pub call: Micros,
    /// Time of the answer, or of giving it up.
    pub ret: Micros,
    /// Time of the answer in milliseconds since 1970.
    pub ret_wall: i64,
    /// Answer.
    pub answer: DecisionAnswer,
}

/// The decisions of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `DELETE`.
    Cancel,
    /// `PATCH`.
    Retry,
    /// `resolve` with outcome `done`.
    Done,
    /// `resolve` with outcome `notDone`.
    NotDone,
}

/// Outcome of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionAnswer {
    /// 200, read to the end.
    Acked,
    /// 409 and the like: nothing changed.
    Refused,
    /// The request was never sent.
    Unsent,
    /// The request was sent, and no whole answer came.
    Ambiguous,
}

/// Call that the effect counter received.
#[derive(Clone, Debug)]
pub struct Effect {
    /// Time of the call.
    pub at: Micros,
    /// Index of the server's life in which the call came.
    pub life: usize,
    /// The task.
    pub task: Uuid,
    /// The sub-task's name.
    pub sub: String,
    /// The `Idempotency-Key` that it carried.
    pub key: String,
    /// The fencing token that it carried.
    pub token: Option<u64>,
    /// Kind of worker, as the call says.
    pub by: Option<String>,
}

/// Life of a server.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Time of the start.
    pub spawned: Micros,
    /// Time at which the server said that it was ready; `None` if it was killed before.
    pub ready: Option<Micros>,
    /// Time at which the process was seen dead.
    pub dead: Option<Micros>,
    /// Time of the SIGKILL that ended it, where other nodes live on and may take over at once.
    pub struck: Option<Micros>,
    /// SIGKILL ended it.
    pub killed: bool,
    /// Submissions answered in this life.
    pub acked: u64,
    /// Requests under way when it was killed.
    pub in_flight: u64,
    /// True if other nodes lived on, so that what they had begun went on.
    pub shared: bool,
    /// In it a node came back from which others had taken over: what it was about to do it may do still.
    pub returned: bool,
}

impl History {
    /// Acknowledged tasks with the submission that was acknowledged first.
    pub fn acked(&self) -> HashMap<Uuid, &Submit> {
        let mut acked = HashMap::new();
        for submit in &self.submits {
            if let SubmitAnswer::Acked { id, .. } = submit.answer {
                acked.entry(id).or_insert(submit);
            }
        }
        acked
    }

    /// Returns how many decisions on each task were answered, and how many were ambiguous.
    pub fn decided(&self, what: &[Verb]) -> HashMap<Uuid, Decided> {
        let mut decided: HashMap<Uuid, Decided> = HashMap::new();
        for decision in self.decisions.iter().filter(|decision| what.contains(&decision.what)) {
            let count = decided.entry(decision.id).or_default();
            match decision.answer {
                DecisionAnswer::Acked => count.acked += 1,
                DecisionAnswer::Ambiguous => count.ambiguous += 1,
                DecisionAnswer::Refused | DecisionAnswer::Unsent => {}
            }
        }
        decided
    }
}

/// Counts of decisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Answered.
    pub acked: u32,
    /// Sent, not answered.
    pub ambiguous: u32,
}
