//! Forms of an answer: as the server sent it, as a table, as a tree.

pub(crate) mod advice;
pub(crate) mod bar;
pub(crate) mod clean;
pub(crate) mod error;
pub(crate) mod fit;
pub(crate) mod span;
pub(crate) mod speak;
pub(crate) mod style;
pub(crate) mod table;
pub(crate) mod tree;
pub(crate) mod worked;

use std::io::{self, IsTerminal, Write};

use console::Term;
use serde_json::Value;

use crate::cli::{Global, OutputFormat};
use style::Palette;

/// Destination and form of a command's output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// The format asked for.
    pub(crate) format: OutputFormat,
    /// Colours of standard output.
    pub(crate) palette: Palette,
    /// Colours of standard error.
    pub(crate) error_palette: Palette,
    /// True if standard output is a terminal.
    pub(crate) terminal: bool,
}

impl Out {
    /// Creates the output from the options and the environment.
    pub(crate) fn new(global: &Global) -> Self {
        let no_color = crate::environment::text("NO_COLOR").is_some_and(|value| !value.is_empty());
        let (out, err) = (io::stdout(), io::stderr());
        Out {
            format: global.format,
            palette: Palette::choose(global.color, no_color, &out),
            error_palette: Palette::choose(global.color, no_color, &err),
            terminal: out.is_terminal(),
        }
    }

    /// Characters that fit on a line; `None` without a terminal.
    pub(crate) fn width(&self) -> Option<usize> {
        self.terminal.then(|| usize::from(Term::stdout().size().1)).filter(|width| *width > 0)
    }

    /// Writes to standard output.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(clean::printable(text, self.palette.is_on()).as_bytes())?;
        out.flush()
    }

    /// Writes a remark to standard error: it is not part of the answer.
    pub(crate) fn remark(&self, text: &str) -> io::Result<()> {
        let mut err = io::stderr().lock();
        writeln!(err, "{}", clean::printable(text, self.error_palette.is_on()))
    }

    /// Writes an answer as the server sent it, if that format was asked for.
    pub(crate) fn verbatim(&self, answer: &Value) -> io::Result<bool> {
        match self.format {
            OutputFormat::Json => self.text(&clean::json(format!("{answer:#}\n"))).map(|()| true),
            OutputFormat::Yaml => {
                let text = serde_saphyr::to_string(answer).map_err(io::Error::other)?;
                let end = if text.ends_with('\n') { "" } else { "\n" };
                self.text(&format!("{text}{end}")).map(|()| true)
            }
            OutputFormat::Table | OutputFormat::Wide => Ok(false),
        }
    }

    /// Writes a value as a line of JSON.
    pub(crate) fn json_line(&self, value: &Value) -> io::Result<()> {
        self.text(&clean::json(format!("{value}\n")))
    }

    /// Returns true if there is room for more columns.
    pub(crate) fn is_wide(&self) -> bool {
        self.format == OutputFormat::Wide
    }
}

/// Returns height and width of a terminal; one without a known size is assumed to have a usual one.
pub(crate) fn size_of(terminal: &console::Term) -> (usize, usize) {
    match terminal.size() {
        (0, _) | (_, 0) => (24, 80),
        (height, width) => (usize::from(height), usize::from(width)),
    }
}
