//! What a program prints, up to a limit. What is beyond it is read and dropped, so that the program never waits.

use longhaul_store::LONGEST_LINE;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::logs::{Log, LogStream};

/// The most that is kept of one stream, in bytes.
pub(super) const LARGEST_STREAM: usize = 1024 * 1024;

/// Which end of a long stream is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// Its beginning: output that is to be read.
    First,
    /// Its end: where errors say why.
    Last,
}

/// A stream being read.
pub(super) struct Capture<'a> {
    keep: Keep,
    bytes: Vec<u8>,
    truncated: bool,
    lines: Lines<'a>,
}

/// Passes whole lines on to the log as they come.
pub(super) struct Lines<'a> {
    log: &'a Log,
    stream: LogStream,
    /// The line under way.
    begun: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(log: &'a Log, stream: LogStream) -> Self {
        Lines { log, stream, begun: Vec::new() }
    }

    fn take(&mut self, chunk: &[u8]) {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            // Of a line too long to be kept the rest is dropped.
            let room = (LONGEST_LINE + 1).saturating_sub(self.begun.len());
            let (text, ended) = match part.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (part, false),
            };
            self.begun.extend_from_slice(&text[..text.len().min(room)]);
            if ended {
                self.end();
            }
        }
    }

    fn end(&mut self) {
        let line = std::mem::take(&mut self.begun);
        self.log.write(self.stream, String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)));
    }
}

/// What was kept of a stream.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) text: String,
    pub(super) truncated: bool,
}

impl<'a> Capture<'a> {
    pub(super) fn new(keep: Keep, lines: Lines<'a>) -> Self {
        Capture { keep, bytes: Vec::new(), truncated: false, lines }
    }

    /// Reads to the end of the stream. May be dropped at any time: what was read is kept.
    pub(super) async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut chunk = vec![0; 32 * 1024];
        while let Ok(length @ 1..) = stream.read(&mut chunk).await {
            self.lines.take(&chunk[..length]);
            self.take(&chunk[..length]);
        }
    }

    fn take(&mut self, chunk: &[u8]) {
        match self.keep {
            Keep::First => {
                let room = LARGEST_STREAM - self.bytes.len();
                self.truncated |= chunk.len() > room;
                self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            }
            Keep::Last => {
                self.bytes.extend_from_slice(chunk);
                // Moved now and then, not with every chunk.
                if self.bytes.len() > 2 * LARGEST_STREAM {
                    self.trim();
                }
            }
        }
    }

    fn trim(&mut self) {
        let surplus = self.bytes.len().saturating_sub(LARGEST_STREAM);
        self.truncated |= surplus > 0;
        self.bytes.drain(..surplus);
    }

    pub(super) fn finish(mut self) -> Captured {
        self.trim();
        if !self.lines.begun.is_empty() {
            self.lines.end();
        }
        let text = String::from_utf8(self.bytes);
        let text = text.unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
        Captured { text, truncated: self.truncated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(keep: Keep, chunks: usize) -> Captured {
        let log = Log::new(longhaul_model::Env::real());
        let mut capture = Capture::new(keep, Lines::new(&log, LogStream::Out));
        for n in 0..chunks {
            capture.take(&[b'a' + (n % 26) as u8; 1000]);
        }
        capture.finish()
    }

    #[test]
    fn take_beyond_the_limit_keeps_the_wanted_end() {
        let all = captured(Keep::First, 26);
        assert_eq!((all.text.len(), all.truncated), (26_000, false));
        let first = captured(Keep::First, 26_000);
        assert_eq!((first.text.len(), first.truncated), (LARGEST_STREAM, true));
        assert!(first.text.starts_with('a'));
        let last = captured(Keep::Last, 26_000);
        assert_eq!((last.text.len(), last.truncated), (LARGEST_STREAM, true));
        assert!(last.text.ends_with('z'));
    }
}
