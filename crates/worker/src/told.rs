//! Updates of an attempt that the server does not know yet: progress, stages, log lines.

use std::collections::VecDeque;
use std::mem;

use jiff::{Timestamp, Unit};

use crate::line::{LARGEST_LOG, LONGEST_LINE, LineBody, Stream};
use crate::stage::Stage;

/// Stages that an attempt may have.
const MOST_STAGES: usize = 100;
/// Bytes that a line costs in a body, beside its text.
const LINE_OVERHEAD: usize = 80;

/// News of an attempt.
#[derive(Default)]
pub(crate) struct Told {
    progress: Option<u8>,
    stages: Vec<Stage>,
    /// True if the progress was not sent.
    new_progress: bool,
    new_stages: bool,
    lines: VecDeque<LineBody>,
    /// Bytes of the lines that wait.
    waiting: usize,
    /// Bytes of all lines since the beginning.
    written: usize,
    /// The attempt is over: nothing more is taken.
    closed: bool,
}

/// A part of it, to be sent.
#[derive(Default)]
pub(crate) struct News {
    pub(crate) progress: Option<u8>,
    pub(crate) stages: Option<Vec<Stage>>,
    pub(crate) lines: Vec<LineBody>,
}

impl Told {
    /// Sets the progress; returns true if it changed.
    pub(crate) fn progress(&mut self, percent: u8) -> bool {
        let percent = percent.min(100);
        if self.closed || self.progress == Some(percent) {
            return false;
        }
        self.progress = Some(percent);
        self.new_progress = true;
        true
    }

    /// Sets a stage; returns true if it changed.
    pub(crate) fn stage(&mut self, stage: Stage) -> bool {
        if self.closed {
            return false;
        }
        let place = self.stages.iter().position(|known| known.name == stage.name);
        match place {
            Some(n) if self.stages[n] == stage => return false,
            Some(n) => self.stages[n] = stage,
            None if self.stages.len() < MOST_STAGES => self.stages.push(stage),
            None => return false,
        }
        self.new_stages = true;
        true
    }

    /// Appends text of one line or several; returns true if any of it is kept.
    pub(crate) fn log(&mut self, stream: Stream, text: &str, at: Timestamp) -> bool {
        if self.closed || self.written > LARGEST_LOG {
            return false;
        }
        let at = written(at);
        for line in text.trim_end_matches(['\n', '\r']).split('\n') {
            let line = cut(line.trim_end_matches('\r'));
            self.written += line.len();
            let (text, stream) = match self.written > LARGEST_LOG {
                true => ("(more was written than is kept)", Stream::Stderr),
                false => (line, stream),
            };
            self.waiting += size_of(text);
            self.lines.push_back(LineBody { text: text.to_owned(), stream, at: at.clone() });
            if self.written > LARGEST_LOG {
                break;
            }
        }
        true
    }

    /// Returns true if there are updates to send.
    pub(crate) fn has_news(&self) -> bool {
        self.new_progress || self.new_stages || !self.lines.is_empty()
    }

    /// Returns true if there are stages to send.
    pub(crate) fn has_new_stages(&self) -> bool {
        self.new_stages
    }

    /// Bytes of lines that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes what is new, and of the lines so many bytes.
    pub(crate) fn take(&mut self, room: usize) -> News {
        News {
            progress: self.progress.filter(|_| mem::take(&mut self.new_progress)),
            stages: mem::take(&mut self.new_stages).then(|| self.stages.clone()),
            lines: self.lines(room),
        }
    }

    /// Takes lines, so many bytes of them, but one at least.
    pub(crate) fn lines(&mut self, room: usize) -> Vec<LineBody> {
        let (mut lines, mut size) = (Vec::new(), 0);
        while let Some(line) = self.lines.front() {
            let one = size_of(&line.text);
            size += one;
            if size > room && !lines.is_empty() {
                break;
            }
            self.waiting -= one;
            lines.extend(self.lines.pop_front());
        }
        lines
    }

    /// Takes nothing more from now on.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Forgets what was not told: nobody wants to know.
    pub(crate) fn forget(&mut self) {
        *self = Told { closed: true, ..Told::default() };
    }
}

/// Returns the bytes of a line in a body, where quotes and control characters are longer.
fn size_of(text: &str) -> usize {
    let longer = |byte: u8| match byte {
        b'"' | b'\\' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + text.bytes().map(longer).sum::<usize>() + LINE_OVERHEAD
}

/// An instant as the protocol writes it.
fn written(at: Timestamp) -> String {
    at.round(Unit::Millisecond).unwrap_or(at).to_string()
}

/// The beginning of a line that is too long.
fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(LONGEST_LINE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_new_is_told() {
        let mut told = Told::default();
        assert!(told.progress(40) && !told.progress(40) && told.progress(200));
        assert!(told.stage(Stage::running("Evacuate", "Evacuate the host")));
        assert!(!told.stage(Stage::running("Evacuate", "Evacuate the host")));
        let news = told.take(usize::MAX);
        assert_eq!((news.progress, news.stages.map(|stages| stages.len())), (Some(100), Some(1)));
        assert!(!told.has_news());
        told.close();
        assert!(!told.progress(1) && !told.log(Stream::Stdout, "late", Timestamp::now()));
    }

    #[test]
    fn lines_are_split_cut_and_limited() {
        let mut told = Told::default();
        assert!(told.log(Stream::Stdout, "one\r\ntwo\n", Timestamp::UNIX_EPOCH));
        let lines = told.take(usize::MAX).lines;
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "two"]);
        assert_eq!(lines[0].at, "1970-01-01T00:00:00Z");
        let long = "é".repeat(LONGEST_LINE);
        while told.log(Stream::Stdout, &long, Timestamp::UNIX_EPOCH) {}
        assert_eq!(told.lines(1).len(), 1);
        let rest = told.take(usize::MAX).lines;
        let kept: usize = rest.iter().map(|line| line.text.len()).sum();
        assert!(kept <= LARGEST_LOG + 100 && rest.iter().all(|line| line.text.len() <= LONGEST_LINE));
        assert_eq!(rest.last().map(|line| line.text.as_str()), Some("(more was written than is kept)"));
        assert_eq!(told.waiting(), 0);
    }

    #[test]
    fn lines_count_as_long_as_json_writes_them() {
        let text = "\u{1b}[31m\"red\"\\\u{1b}[0m é";
        assert_eq!(size_of(text), serde_json::to_string(text).unwrap().len() - 2 + LINE_OVERHEAD);
    }
}
