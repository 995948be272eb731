//! `GET /v1/tasks/{id}/why`: the reasons why a task does not proceed.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use longhaul_engine::{Obstacle, QueueSummary, Reason};
use longhaul_model::{Fault, TaskId};

use crate::api::App;
use crate::error::{ApiError, UNPAUSE, task_unreadable};
use crate::request::Id;
use crate::respond;
use crate::wire::{self, Json};

/// Returns every reason, the first of them in words as `summary`.
pub(crate) async fn why(State(app): State<App>, Id(id): Id) -> Result<Response, ApiError> {
    let reasons = app.engine.why(id).await?;
    Ok(respond::json(StatusCode::OK, body(id, &reasons)))
}

fn body(id: TaskId, reasons: &[Reason]) -> Vec<u8> {
    wire::one(|json| {
        json.object(|json| {
            json.key("taskId").value(&id);
            let goes_on = || "the task goes on: it waits for nothing".to_owned();
            json.key("summary").value(&reasons.first().map_or_else(goes_on, message));
            json.key("reasons").list(reasons, reason);
        });
    })
}

fn reason(json: &mut Json, reason: &Reason) {
    json.object(|json| {
        json.key("type").plain(kind(reason));
        json.key("message").value(&message(reason));
        if let Some(text) = remedy(reason) {
            json.key("remediationMessage").value(&text);
        }
        match reason {
            Reason::Decision(sub_task) => json.key("subTask").value(sub_task),
            Reason::Stop(at) | Reason::Start(at) => json.key("until").time(*at),
            Reason::Timer(sub_task, at) => {
                json.key("subTask").value(sub_task);
                json.key("until").time(*at);
            }
            Reason::Lock(obstacles) => json.key("locks").list(obstacles, obstacle),
            Reason::Retry { sub_task, at, tries, most, error } => {
                json.key("subTask").value(sub_task);
                json.key("until").time(*at);
                json.key("attempts").value(tries);
                if let Some(most) = most {
                    json.key("maxAttempts").value(most);
                }
                self::error(json, error.as_deref());
            }
            Reason::Worker { sub_task, count, since, queue } => {
                json.key("subTask").value(sub_task);
                json.key("since").time(*since);
                json.key("waiting").value(count);
                json.key("queue");
                self::queue(json, queue);
            }
            Reason::Capacity(sub_task, since, line) => {
                json.key("subTask").value(sub_task);
                json.key("since").time(*since);
                json.key("running").value(&line.running);
                json.key("limit").value(&line.most);
            }
            Reason::Running { sub_task, since, attempt, worker } => {
                json.key("subTask").value(sub_task);
                if let Some(since) = since {
                    json.key("since").time(*since);
                }
                json.key("attempt").value(attempt);
                if let Some(worker) = worker {
                    json.key("worker").value(worker);
                }
            }
            Reason::Failed { error, .. } => self::error(json, error.as_deref()),
            Reason::Unreadable(why) => {
                self::error(json, Some(&task_unreadable(format!("the task cannot be read: {why}"))));
            }
            Reason::Ended(_, Some(at)) => json.key("since").time(*at),
            Reason::Ended(_, None) | Reason::Imported | Reason::Paused | Reason::Draining => {}
        }
    });
}

fn error(json: &mut Json, error: Option<&Fault>) {
    if let Some(error) = error {
        json.key("error").value(error);
    }
}

fn obstacle(json: &mut Json, obstacle: &Obstacle) {
    json.object(|json| {
        wire::lock(json, &obstacle.lock);
        if let Some(status) = obstacle.status {
            json.key("taskStatus").plain(status.constant());
        }
        json.key("awaitsDecision").value(&obstacle.awaits_decision);
    });
}

fn queue(json: &mut Json, queue: &QueueSummary) {
    json.object(|json| {
        json.key("name").value(&queue.name);
        json.key("waiting").value(&queue.waiting);
        json.key("running").value(&queue.running);
        json.key("workers").value(&queue.workers);
        json.key("limits").value(&queue.limits);
    });
}

fn kind(reason: &Reason) -> &'static str {
    match reason {
        Reason::Imported => "IMPORTED",
        Reason::Unreadable(_) => "UNREADABLE",
        Reason::Ended(..) => "ENDED",
        Reason::Failed { .. } => "FAILED",
        Reason::Decision(_) => "DECISION",
        Reason::Stop(_) => "STOP",
        Reason::Paused => "PAUSED",
        Reason::Draining => "DRAINING",
        Reason::Lock(_) => "LOCK",
        Reason::Start(_) => "START",
        Reason::Timer(..) => "TIMER",
        Reason::Retry { .. } => "RETRY",
        Reason::Worker { .. } => "WORKER",
        Reason::Capacity(..) => "CAPACITY",
        Reason::Running { .. } => "RUNNING",
    }
}

/// Describes a reason in one sentence.
fn message(reason: &Reason) -> String {
    match reason {
        Reason::Imported => {
            "the task was imported: it is the history of another server, shown as it was received, and does not \
             change here"
                .to_owned()
        },
        Reason::Unreadable(why) => format!("what is stored of the task cannot be read: {why}"),
        Reason::Ended(status, _) => format!("the task has ended: {}", status.display()),
        Reason::Failed { error: Some(error), .. } => {
            format!("the task failed: {}: {}", error.error_code, error.message)
        }
        Reason::Failed { error: None, .. } => "the task failed".to_owned(),
        Reason::Decision(sub_task) => {
            format!("nobody knows whether `{sub_task}` did its work: somebody must say so")
        }
        Reason::Stop(at) => format!("the task is being stopped: what runs has until {at} to end"),
        Reason::Paused => "the server is paused: nothing starts".to_owned(),
        Reason::Draining => "the server is stopping: nothing starts until it is back".to_owned(),
        Reason::Lock(obstacles) => locked(obstacles),
        Reason::Start(at) => format!("the task does not start before {at}"),
        Reason::Timer(sub_task, at) => format!("`{sub_task}` waits until {at}"),
        Reason::Retry { sub_task, at, tries, most, error } => {
            let of = most.map(|most| format!(" of {most}")).unwrap_or_default();
            let last = error
                .as_ref()
                .map(|error| format!("; the last one failed: {}: {}", error.error_code, error.message));
            format!(
                "`{sub_task}` is tried again at {at}, after attempt {tries}{of}{}",
                last.unwrap_or_default()
            )
        }
        Reason::Worker { sub_task, count, queue, .. } => queued(sub_task, *count, queue),
        Reason::Capacity(sub_task, _, line) => {
            format!(
                "`{sub_task}` waits for room: {} attempts run, and {} is the most",
                line.running, line.most
            )
        }
        Reason::Running { sub_task, attempt, worker, .. } => {
            let by = worker.as_ref().map(|worker| format!(" at the worker {worker}")).unwrap_or_default();
            format!("`{sub_task}` runs, attempt {attempt}{by}")
        }
    }
}

fn locked(obstacles: &[Obstacle]) -> String {
    let Some(Obstacle { lock, status, awaits_decision }) = obstacles.first() else {
        return "the task waits for its locks".to_owned();
    };
    let does = if lock.held { "is held by" } else { "is waited for before it by" };
    let status = status.map(|status| format!(", which is {}", status.display())).unwrap_or_default();
    let decision = if *awaits_decision { " and keeps it until somebody decides about it" } else { "" };
    let more = match obstacles.len() {
        1 => String::new(),
        n => format!("; {} more are before it", n - 1),
    };
    format!("{} {} {does} {} ({}){status}{decision}{more}", lock.kind, lock.name, lock.task_name, lock.task)
}

fn queued(sub_task: &str, count: usize, queue: &QueueSummary) -> String {
    let who = match count {
        1 => format!("`{sub_task}` waits"),
        n => format!("`{sub_task}` and {} more wait", n - 1),
    };
    let limits = &queue.limits;
    let why = if limits.paused {
        "which is paused".to_owned()
    } else if queue.workers == 0 {
        "and no worker asks for its work".to_owned()
    } else if let Some(most) = limits.max_running.filter(|most| queue.running >= *most as usize) {
        format!("of which {} attempts run, as many as its limit of {most} allows", queue.running)
    } else if let Some(rate) = limits.rate {
        format!("whose rate is {rate}; {} workers ask for its work", queue.workers)
    } else {
        format!("and {} workers that ask for its work are busy", queue.workers)
    };
    format!("{who} for a worker of the queue `{}`, {why}", queue.name)
}

/// Returns advice for a reason that somebody can remove.
fn remedy(reason: &Reason) -> Option<String> {
    let text = match reason {
        Reason::Failed { retryable: true, .. } => {
            "Retry the task once the cause is gone, or resolve what was repaired by hand"
        }
        Reason::Failed { retryable: false, .. } => "Resolve or skip what failed, or start a new task",
        Reason::Decision(_) => {
            "Look at the real world, then resolve the sub-task as done, failed or not done"
        }
        Reason::Paused => UNPAUSE,
        Reason::Lock(obstacles) if obstacles.iter().any(|obstacle| obstacle.awaits_decision) => {
            "Decide about the task that failed, or take its locks from it"
        }
        Reason::Worker { queue, .. } if queue.limits.paused => {
            return Some(format!("Resume the queue: `longhaul queue resume {}`", queue.name));
        }
        Reason::Worker { queue, .. } if queue.workers == 0 => {
            return Some(format!(
                "Start a worker of the queue, such as `longhaul worker exec --queue {} -- COMMAND`",
                queue.name
            ));
        }
        _ => return None,
    };
    Some(text.to_owned())
}
