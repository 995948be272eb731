//! Extent of a check, while it runs and at its end.

/// Progress of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The part of the store that is looked at.
    pub part: &'static str,
    /// Rows read so far.
    pub done: u64,
    /// Rows to read; 0 while that is unknown.
    pub all: u64,
}

/// Extent of a check that ran to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Number of rows read, by table.
    pub rows: Vec<(&'static str, u64)>,
    /// Remarks on parts that were not checked, with the reasons.
    pub notes: Vec<String>,
}
