//! Queue of the spans that wait for their export, and the thread that exports them in batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use longhaul_metrics::{IntCounter, IntCounterVec};
use opentelemetry_sdk::trace::SpanData;

use crate::exporter::Exporter;
use crate::{TraceError, TraceSettings};

/// Number of spans that may wait: at about a kilobyte each, no more memory than a cache.
const LENGTH: usize = 8_192;
/// Largest number of spans in a request.
const BATCH: usize = 512;
/// Time for which spans are gathered into one request.
const GATHERED: Duration = Duration::from_secs(1);
/// Pauses before a request is sent again: a collector that restarts costs nothing.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4), Duration::from_secs(8)];

/// Spans on their way to the collector.
#[derive(Debug)]
pub(crate) struct Queue {
    spans: SyncSender<Message>,
    closing: Arc<AtomicBool>,
    /// Hears of the end of the thread, as its other end is dropped.
    ended: std::sync::Mutex<Receiver<()>>,
    dropped: IntCounter,
}

#[derive(Debug)]
enum Message {
    Span(Box<SpanData>),
    /// The queue is closing: nothing is waited for any more.
    Close,
}

impl Queue {
    pub(crate) fn start(settings: &TraceSettings, counts: &IntCounterVec) -> Result<Queue, TraceError> {
        let (sender, receiver) = sync_channel(LENGTH);
        let (made, answer) = sync_channel(1);
        let (alive, ended) = sync_channel(1);
        let closing = Arc::new(AtomicBool::new(false));
        let count = |outcome: &str| counts.with_label_values(&[outcome]);
        let (dropped, exported, failed) = (count("dropped"), count("exported"), count("failed"));
        let (settings, flag) = (settings.clone(), closing.clone());
        let run = move || {
            // Dropped with the thread, which tells whoever waits for its end.
            let _alive: SyncSender<()> = alive;
            match Exporter::new(&settings) {
                Ok(exporter) => {
                    let _ = made.send(Ok(()));
                    let endpoint = settings.endpoint;
                    let down = false;
                    Exports { receiver, closing: flag, exporter, endpoint, exported, failed, down }.run();
                }
                Err(e) => drop(made.send(Err(e))),
            }
        };
        let thread = std::thread::Builder::new().name("traces".to_owned()).spawn(run);
        thread.map_err(|e| TraceError(e.to_string()))?;
        answer.recv().map_err(|_| TraceError("the export could not be started".to_owned()))??;
        Ok(Queue { spans: sender, closing, ended: std::sync::Mutex::new(ended), dropped })
    }

    /// Adds a span; drops it if too many wait.
    pub(crate) fn add(&self, span: SpanData) {
        if self.spans.try_send(Message::Span(Box::new(span))).is_err() {
            self.dropped.inc();
        }
    }

    /// Exports what waits; returns once that is done or the time is over.
    pub(crate) fn close(&self, limit: Duration) {
        self.closing.store(true, Ordering::Release);
        // A thread that waits for a span is woken; one with a full queue is awake.
        let _ = self.spans.try_send(Message::Close);
        if let Ok(ended) = self.ended.lock() {
            let _ = ended.recv_timeout(limit);
        }
    }
}

/// State of the thread.
struct Exports {
    receiver: Receiver<Message>,
    closing: Arc<AtomicBool>,
    exporter: Exporter,
    endpoint: String,
    exported: IntCounter,
    failed: IntCounter,
    /// True if the last request failed for good.
    down: bool,
}

impl Exports {
    fn run(mut self) {
        while let Some(batch) = self.batch() {
            self.export(batch);
        }
    }

    /// Returns the next spans; `None` once the queue is closed and empty.
    fn batch(&self) -> Option<Vec<SpanData>> {
        let mut batch = Vec::new();
        let mut until: Option<Instant> = None;
        while batch.len() < BATCH {
            let wait = match until {
                _ if self.is_closing() => Duration::ZERO,
                Some(until) => until.saturating_duration_since(Instant::now()),
                None => GATHERED,
            };
            match self.receiver.recv_timeout(wait) {
                Ok(Message::Span(span)) => {
                    batch.push(*span);
                    until.get_or_insert_with(|| Instant::now() + GATHERED);
                }
                Ok(Message::Close) => {}
                Err(RecvTimeoutError::Timeout) if batch.is_empty() && !self.is_closing() => {}
                Err(_) => break,
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    fn export(&mut self, batch: Vec<SpanData>) {
        let count = batch.len() as u64;
        match self.tried(batch) {
            Ok(()) => {
                self.exported.inc_by(count);
                if std::mem::take(&mut self.down) {
                    tracing::info!(endpoint = self.endpoint, "traces are exported again");
                }
            }
            Err(error) => {
                self.failed.inc_by(count);
                if !std::mem::replace(&mut self.down, true) {
                    let endpoint = &self.endpoint;
                    tracing::warn!(
                        endpoint,
                        error,
                        spans = count,
                        "traces cannot be exported; spans are lost"
                    );
                }
            }
        }
    }

    fn tried(&self, batch: Vec<SpanData>) -> Result<(), String> {
        // A collector that was away a moment ago is asked once, until it answers.
        for pause in PAUSES.iter().filter(|_| !self.down) {
            if self.is_closing() {
                break;
            }
            if self.exporter.export(batch.clone()).is_ok() {
                return Ok(());
            }
            self.pause(*pause);
        }
        self.exporter.export(batch)
    }

    fn pause(&self, span: Duration) {
        let until = Instant::now() + span;
        while !self.is_closing() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }
}
