//! Instants and durations for people.

use longhaul_model::Timestamp;

/// `0.3s`, `12s`, `3m 12s`, `5h 03m`, `12d 4h`.
pub(crate) fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let s = ms / 1000;
    match s {
        0..10 => format!("{}.{}s", s, ms % 1000 / 100),
        10..60 => format!("{s}s"),
        60..3600 => format!("{}m {:02}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {:02}m", s / 3600, s % 3600 / 60),
        _ => format!("{}d {}h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Age in one unit: `12s`, `3m`, `5h`, `12d`, `7y`.
pub(crate) fn age(ms: i64) -> String {
    let s = ms.max(0) / 1000;
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m", s / 60),
        3600..86_400 => format!("{}h", s / 3600),
        86_400..63_072_000 => format!("{}d", s / 86_400),
        _ => format!("{}y", s / 31_536_000),
    }
}

/// Parses an instant as servers write it.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// Duration between two instants, or up to now; `None` if the first is unknown.
pub(crate) fn taken(from: Option<&str>, to: Option<&str>, now: Timestamp) -> Option<String> {
    let from = parse(from?)?;
    let to = match to {
        Some(text) => parse(text)?,
        None => now,
    };
    Some(duration(to.0 - from.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_unit_that_fits() {
        let spans =
            [(0, "0.0s"), (1250, "1.2s"), (59_999, "59s"), (192_000, "3m 12s"), (18_180_000, "5h 03m")];
        for (ms, text) in spans {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(age(90_000), "1m");
        assert_eq!(age(3 * 86_400_000), "3d");
        assert_eq!(age(-5), "0s");
    }
}
