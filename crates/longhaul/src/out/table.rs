//! Tables: columns as wide as what is in them, two spaces between, no lines. The last column is cut at the edge of the
//! terminal; elsewhere nothing is cut.

use console::{measure_text_width, truncate_str};

use super::style::Palette;

/// Rows under headings.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Without rows.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Table { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; cells may be coloured.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        // A control character or line break in a name must not break the table.
        self.rows.push(cells.into_iter().map(|cell| cell.replace(['\n', '\r', '\t'], " ")).collect());
    }

    /// As text.
    pub(crate) fn render(&self, palette: Palette, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.len()).collect();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(measure_text_width(cell));
            }
        }
        let strong = palette.strong();
        let headings: Vec<String> =
            self.headings.iter().map(|heading| format!("{strong}{heading}{strong:#}")).collect();
        let mut out = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
                line.push_str(cell);
                if n + 1 < row.len() {
                    let gap = width - measure_text_width(cell) + 2;
                    line.extend(std::iter::repeat_n(' ', gap));
                }
            }
            match width {
                Some(width) => out.push_str(&truncate_str(&line, width, "…")),
                None => out.push_str(line.trim_end()),
            }
            out.push('\n');
        }
        out
    }
}
