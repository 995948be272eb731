//! Tables: columns as wide as their contents, two spaces between, no lines. On a terminal one column may be
//! cut in favour of the others, and the last one is cut at the edge; elsewhere nothing is cut.

use console::{measure_text_width, truncate_str};

use super::style::Palette;

/// A table of rows under headings.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
    gives_way: Option<usize>,
}

/// Smallest width of a column that is cut in favour of others.
const LEAST: usize = 16;

impl Table {
    /// Creates a table without rows.
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Table { headings: headings.to_vec(), rows: Vec::new(), gives_way: None }
    }

    /// Selects the column that is cut where a line would not fit.
    pub(crate) fn giving_way(self, column: usize) -> Self {
        Table { gives_way: Some(column), ..self }
    }

    /// Adds a row; cells may be coloured.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        // A control character or line break in a name must not break the table.
        self.rows.push(cells.into_iter().map(|cell| cell.replace(['\n', '\r', '\t'], " ")).collect());
    }

    /// Renders the table as text, cut to the width if one is given.
    pub(crate) fn render(&self, palette: Palette, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.len()).collect();
        for row in &self.rows {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(measure_text_width(cell));
            }
        }
        let line: usize = widths.iter().map(|width| width + 2).sum::<usize>().saturating_sub(2);
        if let (Some(column), Some(room)) = (self.gives_way, width)
            && line > room
            && let Some(width) = widths.get_mut(column)
        {
            *width = width.saturating_sub(line - room).max(LEAST.min(*width));
        }
        let strong = palette.strong();
        let headings: Vec<String> =
            self.headings.iter().map(|heading| format!("{strong}{heading}{strong:#}")).collect();
        let mut out = String::new();
        for row in std::iter::once(&headings).chain(&self.rows) {
            let mut line = String::new();
            for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let cell =
                    if self.gives_way == Some(n) { truncate_str(cell, *width, "…") } else { cell.into() };
                line.push_str(&cell);
                if n + 1 < row.len() {
                    let gap = width.saturating_sub(measure_text_width(&cell)) + 2;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_column_gives_way_to_the_others() {
        let row = |name: &str| vec![name.to_owned(), "4b7070aa".to_owned(), "Failed".to_owned()];
        let mut table = Table::new(&["NAME", "ID", "STATUS"]).giving_way(0);
        table.row(row("short"));
        table.row(row(&"long ".repeat(20)));
        for width in 36..120 {
            let text = table.render(Palette::plain(), Some(width));
            for line in text.lines() {
                assert!(measure_text_width(line) <= width, "{width}: {line}");
                assert!(line.contains("4b7070aa") && line.ends_with("Failed") || line.starts_with("NAME"));
            }
        }
        assert!(table.render(Palette::plain(), None).contains(&"long ".repeat(20)), "nobody looks");
    }
}
