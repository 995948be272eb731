//! Findings in a file, and their form: that of compilers, so that editors can jump to them.

use std::fmt::Write as _;

use longhaul_model::workflow::Severity;

use crate::out::style::Palette;

/// Position in a text. Lines and columns count from 1, columns and lengths in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Line.
    pub(crate) line: usize,
    /// Column.
    pub(crate) column: usize,
    /// Length in characters; a part beyond the line's end is not shown.
    pub(crate) length: usize,
}

impl Place {
    /// The beginning of a text.
    pub(crate) const START: Place = Place { line: 1, column: 1, length: 1 };
}

/// Mistake or warning with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Severity; an error makes the server refuse the file.
    pub(crate) severity: Severity,
    /// Place in the file.
    pub(crate) place: Place,
    /// Description of the mistake.
    pub(crate) message: String,
    /// Proposal of a correction.
    pub(crate) hint: Option<String>,
}

impl Finding {
    /// A mistake.
    pub(crate) fn error(place: Place, message: impl Into<String>, hint: Option<String>) -> Self {
        Finding { severity: Severity::Error, place, message: message.into(), hint }
    }

    /// Returns true if the server would refuse the file.
    pub(crate) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Renders the finding as text: `file:line:column: error: message`, the line with a caret below, and the
    /// hint.
    pub(crate) fn render(&self, file: &str, text: &str, palette: Palette) -> String {
        let Place { line, column, length } = self.place;
        let (word, paint) = match self.severity {
            Severity::Error => ("error", palette.bad()),
            Severity::Warning => ("warning", palette.warn()),
        };
        let bold = palette.strong();
        let dim = palette.dim();
        let mut out =
            format!("{bold}{file}:{line}:{column}:{bold:#} {paint}{word}:{paint:#} {}\n", self.message);
        if let Some(source) = text.lines().nth(line - 1) {
            // Tabs would move the caret; each is shown as one space.
            let source: String = source.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
            let margin = line.to_string().len();
            let room = source.chars().count().saturating_sub(column - 1);
            let carets = "^".repeat(length.clamp(1, room.max(1)));
            let _ = writeln!(out, "{dim}{line} |{dim:#} {source}");
            let _ = writeln!(
                out,
                "{dim}{:margin$} |{dim:#} {:indent$}{paint}{carets}{paint:#}",
                "",
                "",
                indent = column - 1
            );
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "  {bold}hint:{bold:#} {hint}");
        }
        out
    }
}
