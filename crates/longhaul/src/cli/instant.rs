//! Instants and durations of arguments.

use std::time::Duration;

use longhaul_model::{Span, Timestamp};

/// Parses an instant in the past: a timestamp, a duration before now, or milliseconds since 1970.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(milliseconds) = text.parse::<i64>() {
        return Ok(Timestamp(milliseconds));
    }
    if let Ok(span) = text.parse::<Span>() {
        return Ok(Timestamp(crate::now().0.saturating_sub_unsigned(span.0)));
    }
    text.parse().map_err(|e| format!("{e}, nor a time before now such as 1h, nor milliseconds since 1970"))
}

/// Parses an instant that is said outright: a timestamp, or milliseconds since 1970.
pub(super) fn point(text: &str) -> Result<Timestamp, String> {
    match text.parse::<i64>() {
        Ok(milliseconds) => Ok(Timestamp(milliseconds)),
        Err(_) => text.parse().map_err(|e| format!("{e}, nor milliseconds since 1970")),
    }
}

/// Parses an instant in the future: a timestamp, or a duration from now.
pub(super) fn later(text: &str) -> Result<Timestamp, String> {
    if let Ok(span) = text.parse::<Span>() {
        return Ok(crate::now().after(span));
    }
    text.parse().map_err(|e| format!("{e}, nor a time from now such as 2h"))
}

/// Parses a duration such as 90s.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    text.parse::<Span>().map(|span| Duration::from_millis(span.0)).map_err(|e| e.to_string())
}
