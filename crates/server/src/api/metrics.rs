//! `GET /metrics`, in the format of Prometheus. Names of queues, workflows and routes are the only labels
//! that grow: each queue costs a few lines, and the others are bounded.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::header::{self, HeaderValue};
use longhaul_engine::{Health, LineSummary, QueueSummary};
use longhaul_metrics::{Family, counter, gauge, text};
use longhaul_store::Stats;

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
    let mut all = stats.as_ref().map(of_stats).unwrap_or_default();
    all.push(single("longhaul_ready", "1 while tasks are accepted and run", flag(app.engine.is_ready())));
    all.extend(of_writing(&app.engine.store_health()));
    all.extend(of_node(&app));
    all.extend(of_line(&app.engine.line()));
    all.extend(of_queues(&app.engine.queues()));
    all.extend(app.engine.families());
    all.extend(app.meters.families());
    let mut response = crate::respond::json(http::StatusCode::OK, text(&all));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// Figures that are read from the store.
fn of_stats(stats: &Stats) -> Vec<Family> {
    let labels: Vec<_> = stats.tasks.iter().map(|(status, _)| [("status", status.constant())]).collect();
    let samples = labels.iter().zip(&stats.tasks).map(|(labels, (_, count))| (&labels[..], *count as f64));
    let mut all = vec![
        gauge("longhaul_tasks", "Tasks stored, by status", samples),
        single("longhaul_store_bytes", "Bytes of the store on disk", stats.bytes as f64),
    ];
    let help = "Bytes of the write-ahead log";
    all.extend(stats.wal_bytes.map(|bytes| single("longhaul_store_wal_bytes", help, bytes as f64)));
    all
}

/// Figures of the store's writer.
fn of_writing(health: &Health) -> Vec<Family> {
    let mut all = vec![
        single("longhaul_store_writable", "1 while changes can be written", flag(health.trouble.is_none())),
        single(
            "longhaul_store_oldest_wait_seconds",
            "Age of the oldest change that is not written yet",
            health.oldest_wait.as_secs_f64(),
        ),
        single(
            "longhaul_store_repeated",
            "Changes that could not be written and wait for a retry",
            health.repeated as f64,
        ),
        single(
            "longhaul_store_set_aside",
            "Changes that fail again and again while others are written",
            health.set_aside.len() as f64,
        ),
    ];
    let (name, help) = ("longhaul_store_failed_statements_total", "Failed sweeps and events to other nodes");
    all.extend(health.failed_statements.map(|failed| counter(name, help, failed)));
    let (name, help) = ("longhaul_store_reserve", "1 while the reserve of disk space is there");
    all.extend(health.reserve.map(|reserve| single(name, help, flag(reserve))));
    all
}

/// Figures of the node as a whole.
fn of_node(app: &App) -> Vec<Family> {
    let engine = &app.engine;
    vec![
        single(
            "longhaul_clock_doubt_seconds",
            "Time by which the clock is ahead of the time by which history is deleted; 0 while it is believed",
            engine.clock_doubt().0 as f64 / 1000.0,
        ),
        single("longhaul_workers", "Workers heard of within the last minutes", engine.worker_count() as f64),
        single(
            "longhaul_workers_longest_hold_seconds",
            "Longest time since the start that the calls of all workers waited for one",
            engine.longest_hold_of_workers().as_secs_f64(),
        ),
        single("longhaul_feed_readers", "Readers of the feed of changes", engine.feed_readers() as f64),
        counter(
            "longhaul_log_lost_lines_total",
            "Lines of the log that were dropped because the reader had stalled",
            app.config.lost_log_lines.load(Ordering::Relaxed),
        ),
    ]
}

/// Attempts of built-in actions, and sub-tasks that wait for a permit.
fn of_line(line: &LineSummary) -> Vec<Family> {
    let oldest = line.oldest_wait.map_or(0.0, |wait| wait.as_secs_f64());
    vec![
        single(
            "longhaul_actions_running",
            "Attempts of built-in actions that run at this node",
            line.running as f64,
        ),
        single("longhaul_actions_limit", "Maximum number of them at once", line.most as f64),
        single(
            "longhaul_actions_waiting",
            "Sub-tasks with built-in actions that wait for a permit",
            line.waiting as f64,
        ),
        single("longhaul_actions_oldest_wait_seconds", "Longest current wait among them", oldest),
    ]
}

fn of_queues(queues: &[QueueSummary]) -> Vec<Family> {
    let each: [(&str, &str, Figure); 4] = [
        ("longhaul_queue_waiting", "Sub-tasks that wait for a worker", |queue| queue.waiting as f64),
        ("longhaul_queue_running", "Attempts that workers have", |queue| queue.running as f64),
        ("longhaul_queue_workers", "Workers that asked for work lately", |queue| queue.workers as f64),
        ("longhaul_queue_oldest_wait_seconds", "Longest current wait", |queue| {
            queue.oldest_wait.map_or(0.0, |wait| wait.as_secs_f64())
        }),
    ];
    let labels: Vec<_> = queues.iter().map(|queue| [("queue", &*queue.name)]).collect();
    let of = |(name, help, value): (&str, &str, Figure)| {
        gauge(name, help, labels.iter().zip(queues).map(|(labels, queue)| (&labels[..], value(queue))))
    };
    each.map(of).into()
}

fn single(name: &str, help: &str, value: f64) -> Family {
    gauge(name, help, [(&[][..], value)])
}

fn flag(on: bool) -> f64 {
    f64::from(u8::from(on))
}
