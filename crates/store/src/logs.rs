//! Logs of sub-tasks, written while they run: lines, kept in chunks.

use longhaul_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest line, in bytes; a longer one is cut.
pub const LONGEST_LINE: usize = 8 * 1024;

/// Largest log of one attempt, in bytes of text.
pub const LARGEST_LOG: u64 = 4 * 1024 * 1024;

/// Stream that a line was written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output.
    #[default]
    #[serde(rename = "stdout")]
    Out,
    /// Standard error.
    #[serde(rename = "stderr")]
    Err,
}

/// Line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Time at which the line was written.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// Stream of the line.
    #[serde(rename = "s", default, skip_serializing_if = "is_out")]
    pub stream: LogStream,
    /// Text of the line, without its line break.
    #[serde(rename = "t")]
    pub text: String,
}

fn is_out(stream: &LogStream) -> bool {
    *stream == LogStream::Out
}

impl LogLine {
    /// Creates a line, cut to the longest.
    pub fn new(at: Timestamp, stream: LogStream, text: String) -> Self {
        LogLine { at, stream, text }.cut()
    }

    /// Cuts the line to the longest.
    #[must_use]
    pub fn cut(mut self) -> Self {
        if self.text.len() > LONGEST_LINE {
            self.text.truncate(self.text.floor_char_boundary(LONGEST_LINE - '…'.len_utf8()));
            self.text.push('…');
        }
        self
    }

    /// Returns the final line of a log whose attempt has reached its limit.
    pub fn end(at: Timestamp) -> Self {
        let text = format!("[the log ends here: an attempt may write {} MiB]", LARGEST_LOG >> 20);
        LogLine::new(at, LogStream::Err, text)
    }
}

/// Lines that one attempt wrote one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// Number of the chunk's first line within the task, from 1.
    pub number: u64,
    /// The sub-task.
    pub sub_task: u32,
    /// The attempt's number.
    pub attempt: u32,
    /// Lines, at least one.
    pub lines: Vec<LogLine>,
}

/// Selection of a task's log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Selects lines behind this number.
    pub after: u64,
    /// Selects lines of this sub-task.
    pub sub_task: Option<u32>,
    /// Maximum number of lines, rounded up to a whole chunk.
    pub limit: usize,
}

/// Maximum number of lines in one chunk.
const CHUNK: usize = 1_000;

/// Returns the chunks that fit into the log of an attempt which wrote so many bytes before, each with the
/// number of bytes by its end. The last chunk tells of lines that are left out.
pub(crate) fn fitting(lines: &[LogLine], mut total: u64) -> Vec<(Vec<LogLine>, u64)> {
    let mut chunks = Vec::new();
    for lines in lines.chunks(CHUNK) {
        if total >= LARGEST_LOG {
            break;
        }
        let fit = lines.iter().take_while(|line| {
            let fits = total < LARGEST_LOG;
            total += line.text.len() as u64 + 1;
            fits
        });
        let mut kept: Vec<LogLine> = fit.cloned().collect();
        if total >= LARGEST_LOG
            && let Some(last) = kept.last()
        {
            kept.push(LogLine::end(last.at));
        }
        chunks.push((kept, total));
    }
    chunks
}
