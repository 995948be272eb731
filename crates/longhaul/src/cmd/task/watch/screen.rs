//! A picture redrawn in place, on a terminal.

use std::io;

use console::{Term, truncate_str};
use longhaul_client::TaskBody;

use crate::out::fit::{Line, Rank, fit};
use crate::out::size_of;
use crate::out::style::Palette;
use crate::out::tree::{self, Folds, Moment};

/// Screen on which each picture replaces the one before.
pub(super) struct Screen {
    term: Term,
    palette: Palette,
    task: Option<TaskBody>,
    is_imported: bool,
    note: Option<String>,
    frame: usize,
    drawn: usize,
}

impl Screen {
    /// Starts with an empty screen.
    pub(super) fn new(palette: Palette) -> Self {
        Screen {
            term: Term::buffered_stdout(),
            palette,
            task: None,
            is_imported: false,
            note: None,
            frame: 0,
            drawn: 0,
        }
    }

    /// Shows this reading of the task from now on.
    pub(super) fn show(&mut self, task: TaskBody, is_imported: bool) -> io::Result<()> {
        self.task = Some(task);
        self.is_imported = is_imported;
        self.draw()
    }

    /// A remark below the picture.
    pub(super) fn note(&mut self, note: Option<String>) -> io::Result<()> {
        self.note = note;
        self.draw()
    }

    /// The next picture.
    pub(super) fn draw(&mut self) -> io::Result<()> {
        let (height, width) = size_of(&self.term);
        let room = height.saturating_sub(1).max(1);
        let mut lines = self.lines(Some(self.frame), Folds::DoneChildren);
        if lines.len() > room {
            lines = self.lines(Some(self.frame), Folds::All);
        }
        let lines = fit(lines, room);
        self.frame += 1;
        if self.drawn == 0 {
            self.term.hide_cursor()?;
        }
        self.put(lines.iter().map(|line| truncate_str(line, width, "…").into_owned()).collect())
    }

    /// Draws the last picture, whole, and leaves the terminal as it was.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.note = None;
        let lines = self.lines(None, Folds::DoneChildren);
        self.put(lines.into_iter().map(|line| line.text).collect())?;
        self.term.show_cursor()?;
        self.term.flush()
    }

    fn lines(&self, frame: Option<usize>, folds: Folds) -> Vec<Line> {
        // The id stands above the picture.
        let moment = Moment { now: crate::now(), frame, folds, id: false, is_imported: self.is_imported };
        let mut lines =
            self.task.as_ref().map(|task| tree::render(task, moment, self.palette)).unwrap_or_default();
        if let Some(note) = &self.note {
            let warn = self.palette.warn();
            lines.push(Line::new(Rank::Rest, ""));
            lines.push(Line::new(Rank::Head, format!("{warn}{note}{warn:#}")));
        }
        lines
    }

    fn put(&mut self, lines: Vec<String>) -> io::Result<()> {
        if self.drawn > 0 {
            self.term.move_cursor_up(self.drawn)?;
        }
        for line in &lines {
            // Clearing behind each line instead of before all of them does not flicker.
            self.term.write_str(&format!("\r{line}\x1b[K\n"))?;
        }
        self.term.clear_to_end_of_screen()?;
        self.drawn = lines.len();
        self.term.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal must get its cursor back, however the watching ended.
        let _ = self.term.show_cursor();
        let _ = self.term.flush();
    }
}
