//! Lines that attempts wrote.

use serde::Serialize;

/// The longest line of a log, in bytes.
pub(crate) const LONGEST_LINE: usize = 8 << 10;
/// Largest log of an attempt, in bytes.
pub(crate) const LARGEST_LOG: usize = 4 << 20;

/// A line that an attempt wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct LineBody {
    pub(crate) text: String,
    pub(crate) stream: Stream,
    pub(crate) at: String,
}

/// Stream that a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}
