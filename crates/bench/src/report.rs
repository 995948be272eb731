//! The table at the end: what was aimed at, what was reached.

/// Target of a figure: large or small.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// Met from here up.
    AtLeast(f64),
    /// Met up to here.
    AtMost(f64),
    /// No target: for information.
    None,
}

impl Target {
    fn is_met(self, figure: f64) -> Option<bool> {
        match self {
            Target::AtLeast(least) => Some(figure >= least),
            Target::AtMost(most) => Some(figure <= most),
            Target::None => None,
        }
    }
}

/// Row of the table.
pub(crate) struct Row {
    /// Goal, such as `P1`.
    pub(crate) goal: &'static str,
    /// Measurement.
    pub(crate) what: String,
    /// Longhaul's figure with its unit.
    pub(crate) ours: String,
    /// Figure for comparison: the spike's, or that of a small store.
    pub(crate) other: String,
    /// Measure that the target is about: a ratio, or the figure itself.
    pub(crate) measure: f64,
    /// Target of the measure.
    pub(crate) target: Target,
}

impl Row {
    /// The line as text.
    fn line(&self) -> [String; 7] {
        let (target, verdict) = match (self.target, self.target.is_met(self.measure)) {
            (Target::AtLeast(x), Some(met)) => (format!(">= {}", short(x)), met_or_missed(met)),
            (Target::AtMost(x), Some(met)) => (format!("<= {}", short(x)), met_or_missed(met)),
            _ => (String::new(), ""),
        };
        [
            self.goal.to_owned(),
            self.what.clone(),
            self.ours.clone(),
            self.other.clone(),
            short(self.measure),
            target,
            verdict.to_owned(),
        ]
    }
}

fn met_or_missed(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Three digits or so.
pub(crate) fn short(x: f64) -> String {
    match x.abs() {
        size if size >= 100.0 => format!("{x:.0}"),
        size if size >= 10.0 => format!("{x:.1}"),
        _ => format!("{x:.2}"),
    }
}

/// Returns all rows in Markdown, with aligned columns.
pub(crate) fn table(rows: &[Row]) -> String {
    let head = ["goal", "what", "Longhaul", "compared with", "measure", "target", ""].map(str::to_owned);
    let lines: Vec<[String; 7]> = std::iter::once(head).chain(rows.iter().map(Row::line)).collect();
    let widths: [usize; 7] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default().max(3)
    });
    let mut text = String::new();
    for (i, line) in lines.iter().enumerate() {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(&format!("| {} |\n", cells.join(" | ")));
        if i == 0 {
            text.push_str(&format!("|{}|\n", widths.map(|width| "-".repeat(width + 2)).join("|")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_says_what_was_met() {
        let row = |measure, target| Row {
            goal: "P1",
            what: "submissions".into(),
            ours: "8/s".into(),
            other: "spike 10/s".into(),
            measure,
            target,
        };
        let text =
            table(&[row(0.8, Target::AtLeast(0.8)), row(2.5, Target::AtMost(2.0)), row(1.0, Target::None)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains(">= 0.80") && lines[2].contains(" met"));
        assert!(lines[3].contains("<= 2.00") && lines[3].contains("MISSED"));
        assert!(!lines[4].contains("met"));
    }
}
