//! `GET /metrics`, in the format of Prometheus. Names of queues are the only labels that grow, and each costs
//! a few lines.

use std::fmt::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::header::{self, HeaderValue};
use longhaul_engine::{Health, LineSummary, QueueSummary};

use crate::api::App;
use crate::error::ApiError;

/// Longest time to read figures from the store.
const STATS: Duration = Duration::from_secs(2);

/// A figure of a queue.
type Figure = fn(&QueueSummary) -> f64;

/// Returns all metrics.
pub(crate) async fn get(State(app): State<App>) -> Result<Response, ApiError> {
    // Figures that the store does not return in time are left out: the others are the ones to look at when
    // the store does not answer.
    let stats = tokio::time::timeout(STATS, app.engine.stats()).await.ok().and_then(Result::ok);
    let queues = app.engine.queues();
    let mut out = String::with_capacity(1024 + 256 * queues.len());
    if let Some(stats) = stats {
        family(&mut out, "longhaul_tasks", "Tasks stored, by status");
        for (status, count) in &stats.tasks {
            sample(&mut out, "longhaul_tasks", &format!("status=\"{}\"", status.constant()), *count as f64);
        }
        family(&mut out, "longhaul_store_bytes", "Bytes of the store on disk");
        sample(&mut out, "longhaul_store_bytes", "", stats.bytes as f64);
    }
    family(&mut out, "longhaul_ready", "1 while tasks are accepted and run");
    sample(&mut out, "longhaul_ready", "", f64::from(u8::from(app.engine.is_ready())));
    writing(&mut out, &app.engine.store_health());
    let name = "longhaul_clock_doubt_seconds";
    family(
        &mut out,
        name,
        "How far the clock is ahead of the time by which history is deleted; 0 while it is believed",
    );
    sample(&mut out, name, "", app.engine.clock_doubt().0 as f64 / 1000.0);
    family(&mut out, "longhaul_workers", "Workers heard of within the last minutes");
    sample(&mut out, "longhaul_workers", "", app.engine.worker_count() as f64);
    let name = "longhaul_workers_longest_hold_seconds";
    family(&mut out, name, "The longest time since the start that the calls of all workers waited for one");
    sample(&mut out, name, "", app.engine.longest_hold_of_workers().as_secs_f64());
    line(&mut out, &app.engine.line());
    counter(
        &mut out,
        "longhaul_log_lost_lines_total",
        "Lines of the log that nobody read in time",
        app.config.lost_log_lines.load(Ordering::Relaxed),
    );
    let each: [(&str, &str, Figure); 4] = [
        ("longhaul_queue_waiting", "Sub-tasks that wait for a worker", |queue| queue.waiting as f64),
        ("longhaul_queue_running", "Attempts that workers have", |queue| queue.running as f64),
        ("longhaul_queue_workers", "Workers that asked for work lately", |queue| queue.workers as f64),
        ("longhaul_queue_oldest_wait_seconds", "How long the oldest waits", |queue| {
            queue.oldest_wait.map_or(0.0, |wait| wait.as_secs_f64())
        }),
    ];
    for (name, help, value) in each {
        family(&mut out, name, help);
        for queue in &queues {
            sample(&mut out, name, &format!("queue=\"{}\"", queue.name), value(queue));
        }
    }
    let mut response = crate::respond::json(http::StatusCode::OK, out);
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Writes the figures of the store's writer.
fn writing(out: &mut String, health: &Health) {
    let writable = u8::from(health.trouble.is_none());
    let figures = [
        ("longhaul_store_writable", "1 while changes can be written", f64::from(writable)),
        (
            "longhaul_store_oldest_wait_seconds",
            "How long the oldest change waits that is not written yet",
            health.oldest_wait.as_secs_f64(),
        ),
        (
            "longhaul_store_repeated",
            "Changes that could not be written and wait to be written again",
            health.repeated as f64,
        ),
        (
            "longhaul_store_set_aside",
            "Changes that fail again and again while others are written",
            health.set_aside.len() as f64,
        ),
    ];
    for (name, help, value) in figures {
        family(out, name, help);
        sample(out, name, "", value);
    }
    if let Some(failed) = health.failed_statements {
        let name = "longhaul_store_failed_statements_total";
        counter(out, name, "Sweeps and news to other nodes that failed", failed);
    }
    if let Some(reserve) = health.reserve {
        family(out, "longhaul_store_reserve", "1 while the reserve of disk space is there");
        sample(out, "longhaul_store_reserve", "", f64::from(u8::from(reserve)));
    }
}

/// Writes the attempts of built-in actions, and those that wait for a permit.
fn line(out: &mut String, line: &LineSummary) {
    let oldest = line.oldest_wait.map_or(0.0, |wait| wait.as_secs_f64());
    let all = [
        ("longhaul_actions_running", "Attempts of built-in actions that run here", line.running as f64),
        ("longhaul_actions_limit", "How many of them may run at once", line.most as f64),
        (
            "longhaul_actions_waiting",
            "Sub-tasks with built-in actions that wait for room",
            line.waiting as f64,
        ),
        ("longhaul_actions_oldest_wait_seconds", "How long the oldest of them waits", oldest),
    ];
    for (name, help, value) in all {
        family(out, name, help);
        sample(out, name, "", value);
    }
}

fn family(out: &mut String, name: &str, help: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} gauge");
}

fn counter(out: &mut String, name: &str, help: &str, value: u64) {
    // Writing to a text cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter");
    sample(out, name, "", value as f64);
}

fn sample(out: &mut String, name: &str, labels: &str, value: f64) {
    let _ = match labels {
        "" => writeln!(out, "{name} {value}"),
        labels => writeln!(out, "{name}{{{labels}}} {value}"),
    };
}
