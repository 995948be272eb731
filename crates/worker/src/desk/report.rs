//! Reporting what ended, all of it in one call, which asks for the next, too.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use super::Desk;
use super::ask::ANSWER;
use super::attempt::{Ending, Report};
use super::flight::Flight;
use crate::action_error::ActionError;
use crate::error::WorkerError;
use crate::handler::too_large;
use crate::http::{LONGEST_PAUSE, Unanswered, Verb};
use crate::wire::{LARGEST_BODY, Leases, MOST_RESULTS, Refusal, ReportBody, ResultBody};

/// Time for which a result waits for others, while other attempts run.
const GATHER: Duration = Duration::from_millis(3);
/// Wait of a call that reports and leases: short, so that results are answered at once, and positive, so that
/// the next call may follow at once.
const NEXT_WAIT: Duration = Duration::from_millis(1);
/// The code of a failure in place of a report that the server does not take.
const REFUSED: &str = "REPORT_REFUSED";

/// Reports, and what the server said of them.
type Reported = (Vec<Report>, Result<Leases, Unanswered>);

/// The call that is under way.
pub(super) struct Reporting {
    pub(super) flight: Flight<Reported>,
    /// Number of attempts that the call asks for.
    asked: usize,
    /// Number of reports in the call.
    under_way: usize,
    /// The server did not take a call as a whole: each report goes alone, until all are told.
    careful: bool,
}

impl Reporting {
    pub(super) fn new() -> Self {
        Reporting { flight: Flight::none(), asked: 0, under_way: 0, careful: false }
    }

    pub(super) fn asked(&self) -> usize {
        self.asked
    }

    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }
}

impl Desk {
    /// Returns true while a report is in flight or about to be.
    pub(super) fn is_reporting(&self) -> bool {
        !self.reporting.flight.is_idle() || !self.ended.is_empty()
    }

    fn is_ready(&self, report: &Report) -> bool {
        let waits = report.context.as_ref().is_some_and(|context| context.must_tell_first());
        !waits && !self.posting.tells(&report.lease)
    }

    pub(super) fn report_due(&self) -> Option<Instant> {
        if !self.reporting.flight.is_idle() {
            return None;
        }
        let oldest =
            self.ended.iter().filter(|report| self.is_ready(report)).map(|report| report.since).min()?;
        let alone = self.running.is_empty();
        Some(if alone { oldest } else { oldest + GATHER })
    }

    pub(super) fn begin_report(&mut self, now: Instant) {
        if self.report_due().is_none_or(|at| at > now) {
            return;
        }
        let (batch, bodies) = self.batch();
        if batch.is_empty() {
            return;
        }
        let next = self.next(now, NEXT_WAIT).filter(|_| !self.reporting.careful);
        self.reporting.asked = next.as_ref().map_or(0, |(max, _)| *max);
        self.reporting.under_way = batch.len();
        let [completed, failed, released] = bodies;
        let next = next.map(|(_, next)| next);
        let body = ReportBody { worker: &self.orders.worker, completed, failed, released, next };
        let Ok(body) = serde_json::to_vec(&body) else { return };
        let (transport, given_up) = (self.orders.transport.clone(), self.given_up.clone());
        let reported: HashSet<String> = batch.iter().map(|report| (*report.lease).to_owned()).collect();
        self.reporting.flight.begin(async move {
            let judges_all = |answer: &Leases| {
                let judged: HashSet<&str> = answer.results.iter().map(|result| &*result.lease).collect();
                match reported.iter().all(|lease| judged.contains(&**lease)) {
                    true => Ok(()),
                    false => Err("it does not say what became of every result".to_owned()),
                }
            };
            let call = transport.call_until(
                Verb::Complete,
                body.into(),
                ANSWER,
                LONGEST_PAUSE,
                &given_up,
                judges_all,
            );
            let answer = call.await;
            (batch, answer)
        });
    }

    /// Takes what is ready, as much as one call may have; completed, failed and released.
    fn batch(&mut self) -> (Vec<Report>, [Vec<Box<RawValue>>; 3]) {
        let most = if self.reporting.careful { 1 } else { MOST_RESULTS };
        let (mut batch, mut bodies, mut size) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new()], 0);
        let mut left = VecDeque::new();
        while let Some(mut report) = self.ended.pop_front() {
            if batch.len() == most || !self.is_ready(&report) {
                left.push_back(report);
                continue;
            }
            if let Some(context) = &report.context {
                report.lines.extend(context.take_lines());
            }
            // What was made of JSON can be written as JSON.
            let Ok(body) = report.body() else { continue };
            size += body.get().len();
            if size > LARGEST_BODY && !batch.is_empty() {
                left.push_back(report);
                break;
            }
            let place = match report.ending {
                Ending::Completed(_) => 0,
                Ending::Failed(_) | Ending::Abandoned(_) => 1,
                Ending::Released => 2,
            };
            bodies[place].push(body);
            batch.push(report);
        }
        left.append(&mut self.ended);
        self.ended = left;
        (batch, bodies)
    }

    pub(super) fn reported(
        &mut self,
        batch: Vec<Report>,
        answer: Result<Leases, Unanswered>,
    ) -> Result<(), WorkerError> {
        let asked = std::mem::take(&mut self.reporting.asked) > 0;
        self.reporting.under_way = 0;
        match answer {
            Ok(mut answer) => {
                let results = std::mem::take(&mut answer.results);
                self.settle(batch, results);
                self.take(answer, asked);
            }
            Err(Unanswered::GivenUp) => self.ended.extend(batch),
            Err(Unanswered::Ended(e)) => return Err(e),
            // All of them are refused.
            Err(Unanswered::Refused { status: 409, .. }) => batch.iter().for_each(lost),
            Err(Unanswered::Refused { refusal, .. }) => self.refused(batch, &refusal),
        }
        self.reporting.careful &= !self.ended.is_empty();
        Ok(())
    }

    /// Settles each report by its result.
    fn settle(&mut self, batch: Vec<Report>, results: Vec<ResultBody>) {
        let mut results: HashMap<String, ResultBody> =
            results.into_iter().map(|result| (result.lease.clone(), result)).collect();
        for report in batch {
            match results.remove(&*report.lease) {
                Some(ResultBody { status: 200, .. }) => {}
                Some(ResultBody { status: 413, .. }) => {
                    let size = match &report.ending {
                        Ending::Completed(Some(output)) => output.get().len(),
                        Ending::Completed(None)
                        | Ending::Failed(_)
                        | Ending::Abandoned(_)
                        | Ending::Released => 0,
                    };
                    self.fail_instead(report, too_large(size));
                }
                Some(ResultBody { status: 409, .. }) => lost(&report),
                // One result of two reports of one lease judges both.
                None => {}
                Some(ResultBody { error, .. }) => self.refused(vec![report], &error),
            }
        }
    }

    /// The server does not take these as they are: each is tried alone, and then as a failure.
    fn refused(&mut self, batch: Vec<Report>, refusal: &Refusal) {
        let alone = self.reporting.careful && batch.len() == 1;
        self.reporting.careful = true;
        for report in batch {
            if alone {
                let message = format!("the server does not take the result: {}", refusal.message);
                self.fail_instead(report, ActionError::new(REFUSED, message).permanent());
            } else {
                self.ended.push_back(report);
            }
        }
    }

    fn fail_instead(&mut self, report: Report, error: ActionError) {
        if matches!(&report.ending, Ending::Failed(known) if known.code == REFUSED) {
            tracing::error!(lease = &*report.lease, %error, "a result cannot be reported; its lease expires");
            return;
        }
        tracing::warn!(lease = &*report.lease, %error, "a result is not taken; a failure is reported in its place");
        let lines = if error.code == REFUSED { Vec::new() } else { report.lines };
        self.ended.push_back(Report { ending: Ending::Failed(error), lines, ..report });
    }
}

fn lost(report: &Report) {
    tracing::warn!(lease = &*report.lease, "a result came too late: the lease was lost");
}
