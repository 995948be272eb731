//! What happened, as the outside saw it: every call with the time it was made and the time its answer was there,
//! what the effect counter received, and when the server lived. What is answered and what is unknown are apart.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::clock::Micros;
use crate::grants::Grants;
use crate::wire::View;

/// One run's record.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Every submission.
    pub submits: Vec<Submit>,
    /// What was seen of tasks, in the order of the answers. A view equal to the task's last one is left out.
    pub polls: Vec<Poll>,
    /// Cancels, retries and verdicts.
    pub decisions: Vec<Decision>,
    /// What lets people in.
    pub grants: Grants,
    /// What the effect counter received.
    pub effects: Vec<Effect>,
    /// The server's lives.
    pub lives: Vec<Life>,
    /// A server was stopped in order: what it had not begun it handed back.
    pub stopped: bool,
    /// Answers that no server may give: 5xx while it was not being killed, malformed bodies.
    pub oddities: Vec<String>,
}

/// One `POST /v1/tasks`.
#[derive(Clone, Debug)]
pub struct Submit {
    /// The workflow.
    pub workflow: String,
    /// The input as sent. Its `mark` is unique among first sendings; repetitions with a key carry it again.
    pub input: Value,
    /// The same number as in the input.
    pub mark: u64,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// When it was sent.
    pub call: Micros,
    /// When its answer was there, or was given up.
    pub ret: Micros,
    /// What came.
    pub answer: SubmitAnswer,
}

/// What became of a submission, as far as the client knows.
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
    /// It was never sent.
    Unsent,
    /// It was sent, and no whole answer came.
    Ambiguous,
}

/// One look at one task.
#[derive(Clone, Debug)]
pub struct Poll {
    /// The task.
    pub id: Uuid,
    /// When it was asked for.
    pub call: Micros,
    /// When the answer was there.
    pub ret: Micros,
    /// What was seen.
    pub view: Arc<View>,
}

/// Something an operator asked of a task.
#[derive(Clone, Debug)]
pub struct Decision {
    /// The task.
    pub id: Uuid,
    /// What.
    pub what: Verb,
    /// When it was sent.
    pub call: Micros,
    /// When its answer was there, or was given up.
    pub ret: Micros,
    /// The same moment in milliseconds since 1970.
    pub ret_wall: i64,
    /// What came.
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

/// What became of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionAnswer {
    /// 200, read to the end.
    Acked,
    /// 409 and the like: nothing changed.
    Refused,
    /// It was never sent.
    Unsent,
    /// It was sent, and no whole answer came.
    Ambiguous,
}

/// One call that the effect counter received.
#[derive(Clone, Debug)]
pub struct Effect {
    /// When.
    pub at: Micros,
    /// In which of the server's lives, counted from 0.
    pub life: usize,
    /// The task.
    pub task: Uuid,
    /// The sub-task's name.
    pub sub: String,
    /// The `Idempotency-Key` that it carried.
    pub key: String,
    /// The fencing token that it carried.
    pub token: Option<u64>,
    /// What kind of worker it says it is.
    pub by: Option<String>,
}

/// One life of the server.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// When it was started.
    pub spawned: Micros,
    /// When it said that it was ready; `None` if it was killed before.
    pub ready: Option<Micros>,
    /// When it was seen dead.
    pub dead: Option<Micros>,
    /// When the SIGKILL was sent that ended it, where others live on and may take over at once.
    pub struck: Option<Micros>,
    /// SIGKILL ended it.
    pub killed: bool,
    /// Submissions answered in this life.
    pub acked: u64,
    /// Requests under way when it was killed.
    pub in_flight: u64,
    /// Other nodes lived on, and what they had begun went on.
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

    /// How many decisions on a task were answered, and how many may have been heard.
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

/// How many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decided {
    /// Answered.
    pub acked: u32,
    /// Sent, not answered.
    pub ambiguous: u32,
}
