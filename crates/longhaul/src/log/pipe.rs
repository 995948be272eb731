//! Pipe of log lines to standard error: a bounded queue and a thread that writes. A writer of the log never
//! waits for its reader; lines for which there is no space are counted and left out.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Maximum size of the lines that wait, in bytes.
const ROOM: usize = 1 << 20;
/// Pause before the next attempt on an output that is full and does not block.
const FULL: Duration = Duration::from_millis(20);

/// Queue of lines, and the number of those that were lost.
pub(super) struct Pipe {
    state: Mutex<State>,
    /// Signalled when a line is added, and when all lines are written.
    changed: Condvar,
    lost: Arc<AtomicU64>,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// Bytes of the lines that wait.
    bytes: usize,
    /// True while the thread writes a line that it has taken.
    at_work: bool,
}

impl Pipe {
    /// Creates a queue that counts lost lines in `lost`.
    fn new(lost: Arc<AtomicU64>) -> Arc<Pipe> {
        Arc::new(Pipe { state: Mutex::default(), changed: Condvar::new(), lost })
    }

    /// Starts the thread that writes lines to `out`. `notice` makes the line that tells how many lines were
    /// lost.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        lost: Arc<AtomicU64>,
        notice: impl Fn(u64) -> String + Send + 'static,
    ) -> io::Result<Arc<Pipe>> {
        let pipe = Pipe::new(lost);
        let own = pipe.clone();
        std::thread::Builder::new().name("log".into()).spawn(move || own.run(out, notice))?;
        Ok(pipe)
    }

    /// Adds a line, or counts it as lost if there is no space.
    fn add(&self, line: &[u8]) {
        let mut state = self.state.lock();
        if state.bytes + line.len() > ROOM {
            drop(state);
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        drop(state);
        self.changed.notify_all();
    }

    fn run(&self, mut out: impl Write, notice: impl Fn(u64) -> String) {
        let mut told = 0;
        loop {
            let line = self.next();
            if !write(&mut out, &line) {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
            // After a line that found a reader, so that the notice finds one, too.
            let lost = self.lost.load(Ordering::Relaxed);
            if lost > told && write(&mut out, notice(lost - told).as_bytes()) {
                told = lost;
            }
            let mut state = self.state.lock();
            state.at_work = false;
            if state.lines.is_empty() {
                self.changed.notify_all();
            }
        }
    }

    fn next(&self) -> Vec<u8> {
        let mut state = self.state.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                state.at_work = true;
                return line;
            }
            self.changed.wait(&mut state);
        }
    }

    /// Waits until all lines are written, or `limit` is over.
    pub(super) fn flush(&self, limit: Duration) {
        let end = Instant::now() + limit;
        let mut state = self.state.lock();
        while state.at_work || !state.lines.is_empty() {
            if self.changed.wait_until(&mut state, end).timed_out() {
                return;
            }
        }
    }
}

/// Writes all of a line. Returns false if nobody can read it.
fn write(out: &mut impl Write, mut line: &[u8]) -> bool {
    while !line.is_empty() {
        match out.write(line) {
            Ok(0) => return false,
            Ok(written) => line = line.get(written..).unwrap_or_default(),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            // Another process that shares the output may have made it non-blocking.
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(FULL),
            Err(_) => return false,
        }
    }
    true
}

/// End of the pipe that the log writes to: each write is one line.
#[derive(Clone)]
pub(super) struct Lines(pub(super) Arc<Pipe>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Every line is either written or counted, in order, however the reader behaves.
    #[test]
    fn lines_are_written_or_counted_and_nobody_waits() {
        let (mut reader, writer) = io::pipe().unwrap();
        let lost = Arc::new(AtomicU64::new(0));
        let notice = |count| format!("lost {count}\n");
        let pipe = Pipe::start(writer, lost.clone(), notice).unwrap();
        const LINES: u64 = 60_000;
        // More than the pipe of the system and the queue take, while nobody reads.
        for number in 0..LINES {
            Lines(pipe.clone()).write_all(format!("line {number:060}\n").as_bytes()).unwrap();
        }
        let missing = lost.load(Ordering::Relaxed);
        assert!(missing > 0 && missing < LINES, "{missing}");
        let reading = std::thread::spawn(move || {
            let (mut text, mut piece) = (String::new(), [0; 4096]);
            while !text.ends_with("the end\n") {
                let read = reader.read(&mut piece).unwrap();
                text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
            }
            text
        });
        pipe.flush(Duration::from_secs(60));
        Lines(pipe.clone()).write_all(b"the end\n").unwrap();
        let text = reading.join().unwrap();
        let numbers = |word: &'static str| {
            text.lines().filter_map(move |line| line.strip_prefix(word)).map(|n| n.parse::<u64>().unwrap())
        };
        assert_eq!(numbers("lost ").sum::<u64>(), missing);
        assert_eq!(numbers("line ").count() as u64 + missing, LINES);
        assert!(numbers("line ").is_sorted());
    }

    #[test]
    fn reader_that_is_gone_costs_lines_only() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let lost = Arc::new(AtomicU64::new(0));
        let pipe = Pipe::start(writer, lost.clone(), |_| "lost\n".to_owned()).unwrap();
        Lines(pipe.clone()).write_all(b"one\n").unwrap();
        pipe.flush(Duration::from_secs(60));
        assert_eq!(lost.load(Ordering::Relaxed), 1);
    }
}
