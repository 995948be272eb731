//! Traces of tasks: a span for each attempt and for each run, exported by the OpenTelemetry protocol (OTLP
//! over HTTP) once it has ended, with the times that are stored.
//!
//! A span is made when its end is durable, by the node that committed it, so that a task that outlives
//! servers has a whole trace all the same. Export is a courtesy: a collector that is away or slow costs
//! spans, which are counted, and never delays a task.
#![forbid(unsafe_code)]

mod exporter;
mod queue;
mod span;

use std::collections::BTreeMap;
use std::time::Duration;

use longhaul_metrics::{Family, IntCounterVec, family_of, totals};
use longhaul_model::{Measures, TaskId, TraceContext};
use thiserror::Error;

use queue::Queue;

/// Settings of traces.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSettings {
    /// URL that spans are sent to, with its path: `http://collector:4318/v1/traces`.
    pub endpoint: String,
    /// Headers of each request, such as those that authenticate it.
    pub headers: BTreeMap<String, String>,
    /// Share of the traces that are exported, from 0 to 1; every node chooses the same ones.
    pub sample: f64,
    /// Name of the service in each span (`service.name`).
    pub service: String,
    /// Name of this node (`service.instance.id`).
    pub instance: Option<String>,
    /// Version of the program (`service.version`).
    pub version: String,
}

/// Reason for which spans cannot be exported.
#[derive(Debug, Error)]
#[error("traces: {0}")]
pub struct TraceError(String);

/// Maker of spans, with the queue of those that wait for their export.
#[derive(Debug)]
pub struct Tracer {
    /// Number below which the randomness of a sampled trace is.
    threshold: u64,
    queue: Queue,
    spans: IntCounterVec,
}

impl Tracer {
    /// Starts the export.
    pub fn start(settings: &TraceSettings) -> Result<Tracer, TraceError> {
        let help = "Spans by what became of them";
        let spans = totals("longhaul_trace_spans_total", help, &["outcome"]);
        let queue = Queue::start(settings, &spans)?;
        Ok(Tracer { threshold: threshold(settings.sample), queue, spans })
    }

    /// Returns a span's context with the decision of whether its trace is exported.
    pub fn decided(&self, context: TraceContext) -> TraceContext {
        TraceContext { sampled: context.randomness() < self.threshold, ..context }
    }

    /// Exports the spans of what a durable change of a task ended.
    pub fn ended(&self, task: TaskId, measures: &Measures) {
        if self.decided(TraceContext::of_run(task, 0)).sampled {
            span::of(task, measures).for_each(|span| self.queue.add(span));
        }
    }

    /// Exports what waits, and ends the export when that is done or the time is over.
    pub fn close(&self, limit: Duration) {
        self.queue.close(limit);
    }

    /// Returns the counters.
    pub fn families(&self) -> Vec<Family> {
        family_of(&self.spans)
    }
}

/// Returns the number below which the randomness of a share of all traces is.
fn threshold(share: f64) -> u64 {
    const ALL: u64 = 1 << 56;
    // The cast saturates, and what is no number is 0.
    (share.clamp(0.0, 1.0) * ALL as f64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_traces_is_exported() {
        assert_eq!((threshold(0.0), threshold(1.0), threshold(0.5)), (0, 1 << 56, 1 << 55));
        assert_eq!((threshold(-1.0), threshold(7.0), threshold(f64::NAN)), (0, 1 << 56, 0));
        let ids = (0..10_000_u32).map(|n| {
            let mut bytes = [0x5a; 16];
            bytes[9..13].copy_from_slice(&n.wrapping_mul(0x9e37_79b9).to_be_bytes());
            TaskId::from_bytes(bytes)
        });
        let below = threshold(0.25);
        let sampled = ids.filter(|id| TraceContext::of_run(*id, 3).randomness() < below).count();
        assert!((2_300..2_700).contains(&sampled), "{sampled}");
    }
}
