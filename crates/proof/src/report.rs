//! Report of a run, as a table for people and one line for scripts.

use std::io::Write;

use crate::check::Verdict;
use crate::check::plant::{Outcome, Plant};

/// Violations that are printed of each kind.
const SHOWN: usize = 5;

/// The findings of a run.
#[derive(Debug, Default)]
pub struct Report {
    lines: Vec<Line>,
    /// Number of lines that were told.
    told: usize,
}

#[derive(Debug)]
struct Line {
    part: &'static str,
    name: String,
    what: String,
    figure: String,
    ok: bool,
    notes: Vec<String>,
}

impl Report {
    /// Adds an expectation and its figure.
    pub fn add(&mut self, part: &'static str, name: &str, what: &str, figure: String, ok: bool) {
        let (name, what) = (name.to_owned(), what.to_owned());
        self.lines.push(Line { part, name, what, figure, ok, notes: Vec::new() });
    }

    /// Adds an expectation, with words on how it was not met.
    pub fn add_noted(
        &mut self,
        part: &'static str,
        name: &str,
        what: &str,
        figure: String,
        notes: Vec<String>,
    ) {
        let ok = notes.is_empty();
        let (name, what) = (name.to_owned(), what.to_owned());
        self.lines.push(Line { part, name, what, figure, ok, notes });
    }

    /// An invariant.
    pub fn verdicts(&mut self, part: &'static str, verdicts: Vec<Verdict>) {
        for verdict in verdicts {
            let figure = format!("{} looked at, {} broken", verdict.looked, verdict.broken.len());
            self.add_noted(part, verdict.name, verdict.what, figure, verdict.broken);
        }
    }

    /// Planted bugs.
    pub fn planted(&mut self, part: &'static str, planted: Vec<(&'static Plant, Outcome)>) {
        for (plant, outcome) in planted {
            let (figure, ok) = match outcome {
                Outcome::Caught => ("caught", true),
                Outcome::Missed => ("MISSED", false),
                Outcome::NoPlace => ("nothing to put it into", false),
            };
            self.add(part, plant.invariant, &format!("planted: {}", plant.name), figure.to_owned(), ok);
        }
    }

    /// Says how many of the checks since the last time have passed, and which have not.
    pub fn tell(&mut self) {
        let new = &self.lines[self.told..];
        let failed: Vec<&Line> = new.iter().filter(|line| !line.ok).collect();
        say(&format!("{} passed, {} failed", new.len() - failed.len(), failed.len()));
        for Line { part, name, what, figure, .. } in failed {
            say(&format!("FAILED  {part:4}  {name}  {what}  {figure}"));
        }
        self.told = self.lines.len();
    }

    /// True if all checks have passed so far.
    pub fn all_ok(&self) -> bool {
        self.lines.iter().all(|line| line.ok)
    }

    /// Prints the table and its last line; true if all passed.
    pub fn print(&self) -> bool {
        let width = |of: fn(&Line) -> usize| self.lines.iter().map(of).max().unwrap_or(0);
        let (name, what) = (width(|line| line.name.chars().count()), width(|line| line.what.chars().count()));
        say("");
        for line in &self.lines {
            let mark = if line.ok { "ok    " } else { "FAILED" };
            say(&format!(
                "{mark}  {:4}  {:name$}  {:what$}  {}",
                line.part, line.name, line.what, line.figure
            ));
            for note in line.notes.iter().take(SHOWN) {
                say(&format!("        {note}"));
            }
            if line.notes.len() > SHOWN {
                say(&format!("        and {} more", line.notes.len() - SHOWN));
            }
        }
        let passed = self.lines.iter().filter(|line| line.ok).count();
        let failed = self.lines.len() - passed;
        say("");
        say(&format!("{passed} passed, {failed} failed"));
        failed == 0
    }
}

/// Prints a line for people.
pub fn say(line: &str) {
    // Nobody to tell it to is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{line}");
}
