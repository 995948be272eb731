//! Counters and histograms, and the text that Prometheus reads. A crate that counts keeps a struct of
//! counters, adds to them with atomic operations, and returns them as families to be written.
#![forbid(unsafe_code)]

mod family;
mod names;

pub use family::{Family, Labels, counter, family_of, gauge, text};
pub use names::{LIMIT, Names, OTHER};
pub use prometheus::core::Collector;
pub use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec};

use prometheus::{HistogramOpts, Opts};

/// Upper bounds in seconds of the buckets for tasks, attempts and waits: from milliseconds to a week.
pub const LONG: [f64; 14] =
    [0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0];
/// Upper bounds in seconds of the buckets for commits, requests and other short work.
pub const SHORT: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds of the buckets for numbers of changes.
pub const COUNTS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Reason for which making a counter cannot fail: names, labels and buckets are constants, which each start
/// of the server makes all of.
const CONSTANT: &str = "names, labels and buckets are valid";

/// Creates a counter without labels. `name` ends in `_total`.
pub fn total(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect(CONSTANT)
}

/// Creates a counter with labels. `name` ends in `_total`.
pub fn totals(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    IntCounterVec::new(Opts::new(name, help), labels).expect(CONSTANT)
}

/// Creates a histogram without labels. `name` ends in the unit.
pub fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())).expect(CONSTANT)
}

/// Creates a histogram with labels. `name` ends in the unit.
pub fn histograms(name: &str, help: &str, buckets: &[f64], labels: &[&str]) -> HistogramVec {
    HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), labels).expect(CONSTANT)
}
