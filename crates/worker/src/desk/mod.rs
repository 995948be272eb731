//! The desk: all that a worker says to the server and hears from it. One loop owns everything that changes;
//! calls and handlers run beside it and come back as values.
//!
//! Four calls may be under way, one of a kind: asking for work, reporting what ended (which asks for the
//! next, too), watching leases, and telling news of attempts.

mod ask;
mod attempt;
mod flight;
mod lease;
mod post;
mod report;
mod stop;
mod watch;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::WorkerError;
use crate::handler::{Handler, Outcome};
use crate::http::Transport;
use crate::wire::LeaseName;
use ask::Asking;
use attempt::{Report, Running};
use post::Posting;
use report::Reporting;
use stop::Phase;
use watch::Watching;

/// Configuration of a worker's runtime.
pub(crate) struct Orders {
    pub(crate) transport: Arc<Transport>,
    /// Name of the worker on the wire.
    pub(crate) worker: String,
    /// The machine that we run on, for those who look at the list of workers.
    pub(crate) host: Option<String>,
    pub(crate) handlers: HashMap<String, Handler>,
    pub(crate) slots: usize,
    /// Duration of a lease without a heartbeat.
    pub(crate) lease: Duration,
    /// Longest time that running attempts may go on once the worker stops.
    pub(crate) grace: Duration,
    /// Longest time that a handler may take to return when it is asked to stop.
    pub(crate) cleanup: Duration,
}

/// A worker at work.
pub(crate) struct Desk {
    orders: Orders,
    queues: Vec<String>,
    /// Runtime of the handlers: one that blocks must not keep heartbeats from being sent.
    runtime: Handle,
    attempts: JoinSet<(LeaseName, Outcome)>,
    running: HashMap<LeaseName, Running>,
    ended: VecDeque<Report>,
    /// Notified when an attempt has an update.
    news: Arc<Notify>,
    asking: Asking,
    reporting: Reporting,
    watching: Watching,
    posting: Posting,
    phase: Phase,
    stop: CancellationToken,
    /// Ends calls that are being repeated.
    given_up: CancellationToken,
}

impl Desk {
    /// Handlers run in `runtime`; `stop` asks for an end in order.
    pub(crate) fn new(orders: Orders, runtime: Handle, stop: CancellationToken) -> Self {
        let mut queues: Vec<String> = orders.handlers.keys().cloned().collect();
        queues.sort();
        Desk {
            queues,
            runtime,
            attempts: JoinSet::new(),
            running: HashMap::new(),
            ended: VecDeque::new(),
            news: Arc::new(Notify::new()),
            asking: Asking::new(),
            reporting: Reporting::new(),
            watching: Watching::new(),
            posting: Posting::new(),
            phase: Phase::Working,
            stop,
            given_up: CancellationToken::new(),
            orders,
        }
    }

    /// Works until told to stop and all is said, or until the server does not want this worker.
    pub(crate) async fn run(mut self) -> Result<(), WorkerError> {
        tracing::info!(
            server = self.orders.transport.server(),
            worker = self.orders.worker,
            queues = self.queues.join(","),
            slots = self.orders.slots,
            "the worker asks for work"
        );
        loop {
            let now = Instant::now();
            self.advance(now);
            if self.is_over() {
                return self.leave();
            }
            self.begin_calls(now);
            let wake = self.wake();
            tokio::select! {
                answer = self.asking.flight.landed() => self.answered(answer)?,
                (batch, answer) = self.reporting.flight.landed() => self.reported(batch, answer)?,
                answer = self.watching.flight.landed() => self.watched(answer)?,
                answer = self.posting.flight.landed() => self.posted(answer)?,
                Some(joined) = self.attempts.join_next() => self.joined(joined),
                () = self.news.notified() => self.posting.noticed(),
                () = self.stop.cancelled(), if self.is_working() => self.begin_to_stop(),
                () = at(wake) => {}
            }
        }
    }

    fn begin_calls(&mut self, now: Instant) {
        self.begin_post(now);
        self.begin_report(now);
        self.begin_ask(now);
        self.begin_watch(now);
    }

    /// Returns the time of the next step that no event triggers.
    fn wake(&self) -> Option<Instant> {
        let due = [self.post_due(), self.report_due(), self.ask_due(), self.watch_due(), self.phase_due()];
        let stops = self.running.values().filter_map(|running| running.stop_by);
        due.into_iter().flatten().chain(stops).min()
    }

    /// Slots that nothing runs in and nothing was asked for.
    fn free(&self) -> usize {
        self.orders.slots.saturating_sub(self.running.len() + self.asking.asked() + self.reporting.asked())
    }
}

/// Never, without an instant.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
