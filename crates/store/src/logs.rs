//! What sub-tasks write while they run: lines, kept in chunks.

use longhaul_model::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest line, in bytes; a longer one is cut.
pub const LONGEST_LINE: usize = 8 * 1024;

/// What one attempt may write, in bytes of text.
pub const LARGEST_LOG: u64 = 4 * 1024 * 1024;

/// Where a line was written to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// The usual one.
    #[default]
    #[serde(rename = "stdout")]
    Out,
    /// The one for errors.
    #[serde(rename = "stderr")]
    Err,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When it was written.
    #[serde(rename = "a")]
    pub at: Timestamp,
    /// Where to.
    #[serde(rename = "s", default, skip_serializing_if = "is_out")]
    pub stream: LogStream,
    /// What it says, without its line break.
    #[serde(rename = "t")]
    pub text: String,
}

fn is_out(stream: &LogStream) -> bool {
    *stream == LogStream::Out
}

impl LogLine {
    /// A line, cut to its longest.
    pub fn new(at: Timestamp, stream: LogStream, text: String) -> Self {
        LogLine { at, stream, text }.cut()
    }

    /// The line, cut to its longest.
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
    /// The number of its first line within the task, from 1.
    pub number: u64,
    /// The sub-task.
    pub sub_task: u32,
    /// The attempt's number.
    pub attempt: u32,
    /// At least one.
    pub lines: Vec<LogLine>,
}

/// Which lines of a task to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// Only those behind this number.
    pub after: u64,
    /// Only this sub-task's.
    pub sub_task: Option<u32>,
    /// At the most so many, rounded up to a whole chunk.
    pub limit: usize,
}

/// Lines of one chunk, at the most.
const CHUNK: usize = 1_000;

/// The chunks of lines that an attempt which wrote so many bytes may still write, each with how many it wrote by its end. Of
/// lines that are left out the last chunk tells.
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
