//! Progress: a bar on a terminal, nothing elsewhere.

use std::fmt::Write;

use indicatif::{HumanCount, ProgressBar, ProgressState, ProgressStyle};

/// Creates a bar by a template of its library, which may have `{rate}`: steps in a second.
pub(crate) fn bar(template: &str, length: u64) -> anyhow::Result<ProgressBar> {
    let rate = |state: &ProgressState, text: &mut dyn Write| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{}/s", HumanCount(state.per_sec().round() as u64));
    };
    let style = ProgressStyle::with_template(template)?.with_key("rate", rate).progress_chars("█▉ ");
    Ok(ProgressBar::new(length).with_style(style))
}
