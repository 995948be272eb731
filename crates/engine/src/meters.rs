//! Counters of the engine. What a change means to them is decided by the model ([`Measure`]); here it is only
//! added up, once the change is durable, at the node that committed it.

use std::sync::OnceLock;
use std::time::Duration;

use longhaul_metrics::{
    Family, Histogram, HistogramVec, IntCounter, IntCounterVec, LONG, Names, SHORT, family_of, histogram,
    histograms, total, totals,
};
use longhaul_model::{ActionKind, AttemptEnd, Measure, Measures, Span, SubTaskStatus, TaskStatus, Wait};

/// Counters of what was committed at this node since its start.
pub(crate) struct Meters {
    accepted: IntCounterVec,
    started: IntCounterVec,
    ended: IntCounterVec,
    ran: HistogramVec,
    by_workflow: Names<OfWorkflow>,
    sub_tasks: IntCounterVec,
    by_status: [IntCounter; SubTaskStatus::ALL.len()],
    attempts: IntCounterVec,
    by_action: [IntCounter; ActionKind::ALL.len()],
    took: HistogramVec,
    /// Created at first use: most actions do not end in most ways.
    by_end: [[OnceLock<Histogram>; AttemptEnd::ALL.len()]; ActionKind::ALL.len()],
    waited: HistogramVec,
    by_wait: [Histogram; Wait::ALL.len()],
    leases_lost: IntCounter,
    feed_lag: Histogram,
}

/// Counters of the tasks of one workflow.
struct OfWorkflow {
    accepted: IntCounter,
    started: IntCounter,
    /// By the number of the status; `None` for those with which no task ends.
    ended: [Option<IntCounter>; TaskStatus::ALL.len()],
    ran: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        let of_workflow = |name, help| totals(name, help, &["workflow"]);
        let accepted = of_workflow("longhaul_tasks_accepted_total", "Tasks accepted");
        let started = of_workflow("longhaul_tasks_started_total", "Tasks that started for the first time");
        let ended = totals(
            "longhaul_tasks_ended_total",
            "Ends of tasks; a task that is retried ends again",
            &["workflow", "status"],
        );
        let ran = histograms(
            "longhaul_task_duration_seconds",
            "Time from the first start of a task to its end",
            &LONG,
            &["workflow"],
        );
        let sub_tasks = totals("longhaul_sub_tasks_ended_total", "Ends of sub-tasks", &["status"]);
        let attempts = totals("longhaul_attempts_started_total", "Attempts that began", &["action"]);
        let took = histograms(
            "longhaul_attempt_duration_seconds",
            "Duration of attempts that ended",
            &LONG,
            &["action", "outcome"],
        );
        let waited = histograms("longhaul_wait_seconds", "Duration of waits that ended", &LONG, &["reason"]);
        let make = {
            let (accepted, started, ended, ran) =
                (accepted.clone(), started.clone(), ended.clone(), ran.clone());
            move |name: &str| OfWorkflow {
                accepted: accepted.with_label_values(&[name]),
                started: started.with_label_values(&[name]),
                ended: TaskStatus::ALL.map(|status| {
                    status.is_ended().then(|| ended.with_label_values(&[name, status.constant()]))
                }),
                ran: ran.with_label_values(&[name]),
            }
        };
        Meters {
            by_workflow: Names::new(make),
            by_status: SubTaskStatus::ALL.map(|status| sub_tasks.with_label_values(&[status.constant()])),
            by_action: ActionKind::ALL.map(|kind| attempts.with_label_values(&[kind.name()])),
            by_end: Default::default(),
            by_wait: Wait::ALL.map(|kind| waited.with_label_values(&[kind.name()])),
            leases_lost: total(
                "longhaul_leases_lost_total",
                "Leases that expired, as the worker was not heard of in time",
            ),
            feed_lag: histogram(
                "longhaul_feed_lag_seconds",
                "Time from a commit until the feed had read its changes",
                &SHORT,
            ),
            accepted,
            started,
            ended,
            ran,
            sub_tasks,
            attempts,
            took,
            waited,
        }
    }
}

impl Meters {
    /// Counts a durable change.
    pub(crate) fn count(&self, measures: &Measures) {
        let workflow = match &measures.workflow {
            Some(workflow) => self.by_workflow.get(&workflow.definition.name),
            None => self.by_workflow.other(),
        };
        for measure in &measures.all {
            match measure {
                Measure::TaskAccepted => workflow.accepted.inc(),
                Measure::TaskStarted => workflow.started.inc(),
                Measure::TaskEnded { status, ran, .. } => {
                    if let Some(ended) = &workflow.ended[usize::from(status.code())] {
                        ended.inc();
                    }
                    if let Some(ran) = ran {
                        workflow.ran.observe(seconds(*ran));
                    }
                }
                Measure::SubTaskEnded(status) => self.by_status[*status as usize].inc(),
                Measure::AttemptStarted(action) => self.by_action[*action as usize].inc(),
                Measure::AttemptEnded { action, end, took, .. } => {
                    let histogram = self.by_end[*action as usize][*end as usize]
                        .get_or_init(|| self.took.with_label_values(&[action.name(), end.name()]));
                    histogram.observe(seconds(*took));
                }
                Measure::Waited(reason, span) => self.by_wait[*reason as usize].observe(seconds(*span)),
                Measure::LeaseLost => self.leases_lost.inc(),
            }
        }
    }

    /// Notes that the feed read changes so long after their commit.
    pub(crate) fn feed_read(&self, lag: Duration) {
        self.feed_lag.observe(lag.as_secs_f64());
    }

    /// Returns all counters as they are now.
    pub(crate) fn families(&self) -> Vec<Family> {
        let counters = [&self.accepted, &self.started, &self.ended, &self.sub_tasks, &self.attempts];
        let mut all: Vec<Family> = counters.into_iter().flat_map(family_of).collect();
        all.extend([&self.ran, &self.took, &self.waited].into_iter().flat_map(family_of));
        all.extend(family_of(&self.leases_lost));
        all.extend(family_of(&self.feed_lag));
        all
    }
}

fn seconds(span: Span) -> f64 {
    span.0 as f64 / 1000.0
}
