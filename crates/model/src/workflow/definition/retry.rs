//! Automatic retries, as a file writes them.

use serde::{Deserialize, Serialize};

use super::yes;
use crate::time::Span;

/// Automatic retries of one sub-task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// The pause before the second attempt.
    #[serde(default = "one_second")]
    pub backoff: Span,
    /// Factor by which the pause grows each time.
    #[serde(default = "two")]
    pub factor: f64,
    /// The longest pause.
    #[serde(default = "one_minute")]
    pub max: Span,
    /// Lengthens each pause by up to a half, so that many that failed at once do not come back at once.
    #[serde(default = "yes")]
    pub jitter: bool,
}

fn one_second() -> Span {
    Span(1000)
}

fn two() -> f64 {
    2.0
}

fn one_minute() -> Span {
    Span(60_000)
}
