//! Calls of one client. Each is recorded as answered, refused, never sent, or ambiguous.

use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use super::Shared;
use crate::clock::{self, Micros};
use crate::history::{Decision, DecisionAnswer, Submit, SubmitAnswer, Verb};
use crate::http::{Answer, Client, NoAnswer, Peer, Request};
use crate::wire::TaskStatus;

/// Pause after an answer that the server cannot serve now.
const AGAIN: Duration = Duration::from_millis(100);

/// Makes calls over one connection.
#[derive(Debug)]
pub struct Caller {
    pub(super) shared: Rc<Shared>,
    client: Client,
}

/// Content of a submission.
#[derive(Clone, Debug)]
pub struct Sending {
    /// The workflow.
    pub workflow: String,
    /// Input, `mark` included.
    pub input: Value,
    /// Mark, as in the input.
    pub mark: u64,
    /// `Idempotency-Key`.
    pub key: Option<String>,
    /// `wait`, as the query has it.
    pub wait: Option<&'static str>,
}

impl Caller {
    /// A client without a connection yet.
    pub fn new(shared: Rc<Shared>) -> Self {
        Caller { shared, client: Client::default() }
    }

    /// A number that no other submission has.
    pub fn new_mark(&self) -> u64 {
        self.shared.new_mark()
    }

    /// Makes a call; gives the answer with the times around it.
    pub(super) async fn call(&mut self, request: &Request<'_>) -> (Micros, Result<Answer, NoAnswer>, Micros) {
        self.call_as(request, Peer::clone).await
    }

    /// Calls with another credential than the load's own.
    pub(super) async fn call_as(
        &mut self,
        request: &Request<'_>,
        who: impl FnOnce(&Peer) -> Peer,
    ) -> (Micros, Result<Answer, NoAnswer>, Micros) {
        let shared = self.shared.clone();
        let call = clock::now();
        let Some(own) = shared.peer() else { return (call, Err(NoAnswer::Unsent), call) };
        let peer = who(&own);
        shared.in_flight.set(shared.in_flight.get() + 1);
        let answer = self.client.ask(&peer, request).await;
        shared.in_flight.set(shared.in_flight.get() - 1);
        let ret = clock::now();
        self.count(request, &answer);
        if answer.as_ref().is_ok_and(|answer| answer.status == 503) {
            // As its `Retry-After` asks for, only sooner.
            sleep(AGAIN).await;
        }
        if matches!(answer, Err(NoAnswer::Lost)) {
            // The server may be dead and not yet known to be.
            let lives = || !shared.dying.get() && shared.is_at(&peer, call);
            if lives() {
                sleep(Duration::from_millis(300)).await;
            }
            if lives() {
                let what = format!(
                    "{} {}: no answer of a server that lives, {} after {} ms",
                    request.method,
                    request.path,
                    peer.address,
                    (ret - call) / 1000
                );
                shared.recorder.borrow_mut().odd(what);
            }
        }
        (call, answer, ret)
    }

    /// Counts what was sent and what became unknown; notes what no server may answer.
    fn count(&self, request: &Request<'_>, answer: &Result<Answer, NoAnswer>) {
        let mut recorder = self.shared.recorder.borrow_mut();
        let (sent, known) = match answer {
            Ok(answer) if answer.status >= 500 => {
                let body = String::from_utf8_lossy(&answer.body);
                recorder.odd(format!("{} {}: {} {body}", request.method, request.path, answer.status));
                (true, false)
            }
            Ok(_) => (true, true),
            Err(NoAnswer::Unsent) => (false, true),
            Err(NoAnswer::Lost) => (true, false),
            Err(NoAnswer::Garbled(what)) => {
                recorder.odd(format!("{} {}: {what}", request.method, request.path));
                (true, false)
            }
        };
        recorder.sent += u64::from(sent);
        recorder.ambiguous += u64::from(!known);
    }

    /// Submits, and records it. Gives the task.
    pub async fn submit(&mut self, sending: Sending) -> Option<Uuid> {
        let body = json!({ "workflow": sending.workflow, "input": sending.input }).to_string();
        let path = sending.wait.map_or("/v1/tasks".to_owned(), |wait| format!("/v1/tasks?wait={wait}"));
        let mut headers = Vec::new();
        if let Some(key) = &sending.key {
            headers.push(("idempotency-key", key.as_str()));
        }
        let request = Request { method: "POST", path: &path, headers: &headers, body: Some(body.as_bytes()) };
        let (call, answered, ret) = self.call(&request).await;
        let shared = self.shared.clone();
        let answer = match answered {
            Ok(answer) if answer.status == 202 => {
                let replayed = answer.header("idempotency-replayed") == Some("true");
                let task = answer.json().unwrap_or_default();
                let seen = self.seen(&task, call, ret);
                shared.acked.set(shared.acked.get() + 1);
                seen.map_or(SubmitAnswer::Ambiguous, |id| SubmitAnswer::Acked { id, replayed })
            }
            Ok(answer) if answer.status == 422 && sending.key.is_some() => SubmitAnswer::KeyReused,
            // The same key at the same moment.
            Ok(answer) if answer.status == 409 && sending.key.is_some() => SubmitAnswer::Unsent,
            Ok(answer) if answer.status < 500 => {
                let body = String::from_utf8_lossy(&answer.body);
                shared
                    .recorder
                    .borrow_mut()
                    .odd(format!("a submission was answered {}: {body}", answer.status));
                SubmitAnswer::Unsent
            }
            Err(NoAnswer::Unsent) => SubmitAnswer::Unsent,
            Ok(_) | Err(_) => SubmitAnswer::Ambiguous,
        };
        let Sending { workflow, input, mark, key, .. } = sending;
        let mut recorder = shared.recorder.borrow_mut();
        if answer == SubmitAnswer::Ambiguous && key.is_some() {
            shared.owed.borrow_mut().push_back(recorder.history.submits.len());
        }
        let id = match &answer {
            SubmitAnswer::Acked { id, .. } => Some(*id),
            SubmitAnswer::KeyReused | SubmitAnswer::Unsent | SubmitAnswer::Ambiguous => None,
        };
        if answer != SubmitAnswer::Unsent {
            recorder.history.submits.push(Submit { workflow, input, mark, key, call, ret, answer });
        }
        if let Some(id) = id {
            shared.remember(id);
        }
        id
    }

    /// Sends a recorded submission again, with the same key and body.
    pub async fn submit_again(&mut self, index: usize) -> Option<Uuid> {
        let sending = {
            let recorder = self.shared.recorder.borrow();
            let submit = recorder.history.submits.get(index)?;
            let (workflow, input, key) = (submit.workflow.clone(), submit.input.clone(), submit.key.clone());
            Sending { workflow, input, mark: submit.mark, key, wait: None }
        };
        self.submit(sending).await
    }

    /// Sends everything again whose answer was lost and that has a key.
    pub async fn settle_owed(&mut self) {
        loop {
            let next = self.shared.owed.borrow_mut().pop_front();
            let Some(index) = next else { return };
            self.submit_again(index).await;
        }
    }

    /// Sends one of those again.
    pub(super) async fn one_owed(&mut self) -> bool {
        let next = self.shared.owed.borrow_mut().pop_front();
        let Some(index) = next else { return false };
        self.submit_again(index).await;
        true
    }

    /// Looks at a task.
    pub async fn look(&mut self, id: Uuid, wait: Option<&str>) -> Option<TaskStatus> {
        let query = wait.map_or(String::new(), |wait| format!("?wait={wait}"));
        let path = format!("/v1/tasks/{id}{query}");
        let (call, answered, ret) = self.call(&Request::get(&path)).await;
        let answer = answered.ok()?;
        if answer.status != 200 {
            let body = String::from_utf8_lossy(&answer.body);
            self.shared.recorder.borrow_mut().odd(format!("GET {path}: {} {body}", answer.status));
            return None;
        }
        let task = answer.json().unwrap_or_default();
        self.seen(&task, call, ret)?;
        TaskStatus::parse(task["status"].as_str()?)
    }

    /// Looks at a page of the list.
    pub async fn look_at_list(&mut self, query: &str) {
        let path = format!("/v1/tasks?include=all&pageSize=20{query}");
        let (call, answered, ret) = self.call(&Request::get(&path)).await;
        let Ok(answer) = answered else { return };
        let page = answer.json().unwrap_or_default();
        match page["elements"].as_array() {
            Some(tasks) => {
                for task in tasks {
                    self.seen(task, call, ret);
                }
            }
            None => {
                let body = String::from_utf8_lossy(&answer.body);
                self.shared.recorder.borrow_mut().odd(format!("GET {path}: {} {body}", answer.status));
            }
        }
    }

    /// Asks something of a task, and records it.
    pub async fn decide(&mut self, id: Uuid, what: Verb, sub_task: Option<&str>) -> DecisionAnswer {
        let path = match what {
            Verb::Cancel | Verb::Retry => format!("/v1/tasks/{id}"),
            Verb::Done | Verb::NotDone => format!("/v1/tasks/{id}/resolve"),
        };
        let outcome = if what == Verb::Done { "done" } else { "notDone" };
        let verdict =
            json!({ "reason": "the effect counter was looked at", "subTask": sub_task, "outcome": outcome });
        let verdict = verdict.to_string();
        let (method, body) = match what {
            Verb::Cancel => ("DELETE", None),
            Verb::Retry => ("PATCH", None),
            Verb::Done | Verb::NotDone => ("POST", Some(verdict.as_bytes())),
        };
        let (call, answered, ret) = self.call(&Request { method, path: &path, headers: &[], body }).await;
        let ret_wall = clock::wall_ms();
        let answer = match answered {
            Ok(answer) if answer.status == 200 => {
                if let Some(task) = answer.json() {
                    self.seen(&task, call, ret);
                }
                DecisionAnswer::Acked
            }
            Ok(answer) if answer.status == 409 => DecisionAnswer::Refused,
            Ok(answer) if answer.status < 500 => {
                let body = String::from_utf8_lossy(&answer.body);
                self.shared.recorder.borrow_mut().odd(format!("{method} {path}: {} {body}", answer.status));
                DecisionAnswer::Refused
            }
            Err(NoAnswer::Unsent) => DecisionAnswer::Unsent,
            Ok(_) | Err(_) => DecisionAnswer::Ambiguous,
        };
        let decision = Decision { id, what, call, ret, ret_wall, answer };
        self.shared.recorder.borrow_mut().history.decisions.push(decision);
        answer
    }

    fn seen(&mut self, task: &Value, call: Micros, ret: Micros) -> Option<Uuid> {
        let (id, view) = self.shared.recorder.borrow_mut().task(task, call, ret)?;
        if view.status == TaskStatus::Failed {
            let waits = &task["waitingFor"];
            let undecided =
                (waits["type"] == "DECISION").then(|| waits["subTask"].as_str().map(str::to_owned));
            self.shared.remember_failed(id, undecided.flatten());
        }
        Some(id)
    }
}
