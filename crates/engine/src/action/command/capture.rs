//! Captures a program's output up to a limit. Output is read as fast as its log is stored; anything beyond
//! the limits of both is read and dropped, so that the program does not block for ever. The output held for
//! all programs together is bounded, too.

use std::time::Duration;

use longhaul_store::{Budget, LONGEST_LINE, Room};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use crate::logs::{Log, LogStream};

/// Largest part of one stream that is kept, in bytes.
pub(super) const LARGEST_STREAM: usize = 1024 * 1024;

/// Maximum bytes of a stream's tail, before the excess over [`LARGEST_STREAM`] is dropped in one go.
const LONGEST_TAIL: usize = LARGEST_STREAM + LARGEST_STREAM / 4;
/// Bytes of a stream that are kept without a share of the budget: most programs print no more.
const SMALL: usize = 64 * 1024;
/// Maximum bytes of a single read.
const READ: usize = 8 * 1024;
/// Bytes of a line read beyond the longest that is kept: a secret that crosses the cut is recognized.
const MARGIN: usize = 8 * 1024;
/// Longest silence of a stream once the program is gone. A process that left its group may hold the pipes for
/// ever.
const DRAIN: Duration = Duration::from_secs(1);
/// Longest wait for a larger share of the budget; after that, no more is kept.
const PATIENCE: Duration = Duration::from_secs(10);

/// End of a long stream that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// The beginning: output that is to be read.
    First,
    /// The end: there errors say why.
    Last,
}

/// A stream being read.
pub(super) struct Capture<'a> {
    keep: Keep,
    bytes: Vec<u8>,
    truncated: bool,
    lines: Lines<'a>,
    /// Share of this stream in the budget for all programs.
    room: Room,
    /// Limit in bytes, set once the budget had no more.
    most: Option<usize>,
    patience: Duration,
}

/// Sink that passes whole lines on to the log as they arrive.
pub(super) struct Lines<'a> {
    log: &'a Log,
    stream: LogStream,
    /// Line that is not complete yet.
    begun: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(log: &'a Log, stream: LogStream) -> Self {
        Lines { log, stream, begun: Vec::new() }
    }

    async fn take(&mut self, chunk: &[u8]) {
        if self.log.is_over() {
            self.begun = Vec::new();
            return;
        }
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            // The rest of a line that is too long to be kept is dropped.
            let room = (LONGEST_LINE + MARGIN).saturating_sub(self.begun.len());
            let (text, ended) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            self.begun.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.log.room().await;
                self.end();
            }
        }
    }

    fn end(&mut self) {
        let line = std::mem::take(&mut self.begun);
        self.log.write(self.stream, String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)));
    }
}

/// Kept part of a stream.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) text: String,
    pub(super) truncated: bool,
    /// Share of the budget that the text takes.
    pub(super) room: Room,
}

impl<'a> Capture<'a> {
    pub(super) fn new(keep: Keep, lines: Lines<'a>, budget: &Budget) -> Self {
        let room = budget.room();
        Capture { keep, bytes: Vec::new(), truncated: false, lines, room, most: None, patience: PATIENCE }
    }

    /// Reads to the end of the stream, or until nothing more arrives once the program is gone. May be dropped
    /// at any time: anything read is kept.
    pub(super) async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>, gone: &CancellationToken) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0; READ];
        loop {
            let silent = async {
                gone.cancelled().await;
                tokio::time::sleep(DRAIN).await;
            };
            let length = tokio::select! {
                biased;
                read = stream.read(&mut chunk) => read.unwrap_or(0),
                () = silent => 0,
            };
            if length == 0 {
                return;
            }
            self.take(&chunk[..length]).await;
            self.lines.take(&chunk[..length]).await;
        }
    }

    /// Returns the maximum bytes held of the stream.
    fn longest(&self) -> usize {
        let longest = match self.keep {
            Keep::First => LARGEST_STREAM,
            Keep::Last => LONGEST_TAIL,
        };
        self.most.unwrap_or(longest)
    }

    async fn take(&mut self, chunk: &[u8]) {
        let wanted = (self.bytes.len() + chunk.len()).min(self.longest());
        if wanted > self.bytes.capacity() {
            self.enlarge(wanted).await;
        }
        let longest = self.longest();
        match self.keep {
            Keep::First => {
                let room = longest.saturating_sub(self.bytes.len());
                self.truncated |= chunk.len() > room;
                self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Keep::Last => {
                // Bytes are moved now and then, not with every chunk.
                if self.bytes.len() + chunk.len() > longest {
                    self.trim((longest - longest / 5).saturating_sub(chunk.len()));
                }
                self.bytes.extend_from_slice(chunk);
            }
        }
    }

    /// Reserves space for `wanted` bytes and some more, if the budget for all programs has it.
    async fn enlarge(&mut self, wanted: usize) {
        let capacity = wanted.next_power_of_two().max(READ).min(self.longest());
        if capacity > SMALL && tokio::time::timeout(self.patience, self.room.reach(capacity)).await.is_err() {
            self.most = Some(self.bytes.capacity().max(SMALL));
            return;
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
    }

    /// Keeps at most the last `most` bytes.
    fn trim(&mut self, most: usize) {
        let surplus = self.bytes.len().saturating_sub(most);
        self.truncated |= surplus > 0;
        self.bytes.drain(..surplus);
    }

    pub(super) fn finish(mut self) -> Captured {
        self.trim(LARGEST_STREAM);
        if !self.lines.begun.is_empty() {
            self.lines.end();
        }
        let text = String::from_utf8(self.bytes);
        let text = text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Captured { text, truncated: self.truncated, room: self.room }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log::new(longhaul_model::Env::real())
    }

    async fn captured(keep: Keep, chunks: usize, budget: &Budget) -> Captured {
        let log = log();
        let mut capture = Capture::new(keep, Lines::new(&log, LogStream::Out), budget);
        capture.patience = Duration::from_millis(20);
        for n in 0..chunks {
            capture.take(&[b'a' + (n % 26) as u8; 1000]).await;
        }
        capture.finish()
    }

    #[tokio::test]
    async fn take_beyond_the_limit_keeps_the_wanted_end() {
        let budget = Budget::new(4 * LARGEST_STREAM);
        let all = captured(Keep::First, 26, &budget).await;
        assert_eq!((all.text.len(), all.truncated), (26_000, false));
        let first = captured(Keep::First, 26_000, &budget).await;
        assert_eq!((first.text.len(), first.truncated), (LARGEST_STREAM, true));
        assert!(first.text.starts_with('a'));
        let last = captured(Keep::Last, 26_000, &budget).await;
        assert_eq!((last.text.len(), last.truncated), (LARGEST_STREAM, true));
        assert!(last.text.ends_with('z'));
        drop((first, last));
        assert_eq!(budget.free(), 4 * LARGEST_STREAM, "the room is given back");
    }

    #[tokio::test]
    async fn without_room_among_all_programs_less_is_kept() {
        let budget = Budget::new(LARGEST_STREAM);
        let _others = budget.take(LARGEST_STREAM).await;
        for keep in [Keep::First, Keep::Last] {
            let some = captured(keep, 26_000, &budget).await;
            assert!(some.truncated && some.text.len() <= SMALL && some.text.len() > SMALL / 2, "{keep:?}");
        }
    }

    /// Few lines wait to be stored, whatever a program prints and however fast.
    #[tokio::test]
    async fn what_waits_to_be_stored_is_bounded_whatever_is_printed() {
        let megabytes = |pattern: &[u8]| pattern.repeat((8 << 20) / pattern.len());
        let cases = [
            megabytes(b"\n"),
            megabytes(b"a line like others\n"),
            megabytes(b"\r\n"),
            megabytes(b"no line break ever "),
            megabytes(&[0, 255, 10, 200]),
            megabytes(&[vec![b'x'; 100_000], vec![b'\n']].concat()),
        ];
        for printed in cases {
            let (log, budget) = (log(), Budget::new(4 * LARGEST_STREAM));
            let mut capture = Capture::new(Keep::First, Lines::new(&log, LogStream::Out), &budget);
            let (mut stored, mut most) = (0, 0);
            let reading = async {
                capture.fill(Some(printed.as_slice()), &CancellationToken::new()).await;
                log.close();
            };
            let storing = async {
                while log.wait(Duration::from_secs(1)).await {
                    let lines = log.take();
                    most = most.max(lines.iter().map(|line| line.text.capacity() + 56).sum::<usize>());
                    stored += lines.iter().map(|line| line.text.len() as u64 + 1).sum::<u64>();
                }
            };
            tokio::join!(reading, storing);
            assert!(most <= 192 * 1024, "{most} bytes waited");
            assert!(stored <= longhaul_store::LARGEST_LOG + 16 * 1024, "{stored} bytes were stored");
        }
    }

    /// A program goes on although nothing can be stored, and the log says how much is missing.
    #[tokio::test]
    async fn lines_that_cannot_be_stored_are_left_out_and_counted() {
        let (mut log, budget) = (log(), Budget::new(LARGEST_STREAM));
        log.patience = Duration::from_millis(20);
        let mut capture = Capture::new(Keep::First, Lines::new(&log, LogStream::Out), &budget);
        let printed = b"0123456789\n".repeat(100_000);
        capture.fill(Some(printed.as_slice()), &CancellationToken::new()).await;
        let lines = log.take();
        let said = lines.last().map(|line| line.text.clone()).unwrap_or_default();
        let missing = 100_000 - (lines.len() - 1);
        assert!(said.starts_with(&format!("[{missing} lines were left out")), "{said}");
    }
}
