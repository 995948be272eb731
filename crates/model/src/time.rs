//! Instants and durations: milliseconds inside, RFC 3339 with milliseconds and `Z` outside (wire contract,
//! section 1.1), durations as `250ms`, `30s`, `5m`, `2h`, `7d`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

/// Instant in UTC: milliseconds since 1970, may be negative. Stored and compared as this number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A text that is no instant of RFC 3339.
#[derive(Debug, Error, PartialEq, Eq)]
// Without the text: it may be a secret in the wrong place.
pub enum BadTimestamp {
    /// The text has another form.
    #[error("this is not an RFC 3339 instant such as 2026-01-31T12:00:00.000Z")]
    Form,
    /// The month has no such day.
    #[error("there is no such day: its month has fewer days")]
    Day,
}

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

impl Timestamp {
    /// Instants that RFC 3339 can represent: the years 0000 to 9999.
    const WRITABLE: std::ops::RangeInclusive<i64> = -719_528 * DAY..=2_932_897 * DAY - 1;

    /// Returns the instant that is a duration later; saturates at the end of time.
    pub fn after(self, span: Span) -> Timestamp {
        Timestamp(self.0.saturating_add(span.0 as i64))
    }

    /// Writes `2019-12-03T11:29:06.133Z` without going through a formatting machine: a page of tasks has
    /// thousands of these.
    pub fn text(self) -> TimestampText {
        let days = self.0.div_euclid(86_400_000);
        let ms = self.0.rem_euclid(86_400_000);
        let (year, month, day) = civil(days);
        let mut out = *b"0000-00-00T00:00:00.000Z";
        digits(&mut out[0..4], year.clamp(0, 9999) as u32);
        digits(&mut out[5..7], month);
        digits(&mut out[8..10], day);
        digits(&mut out[11..13], (ms / 3_600_000) as u32);
        digits(&mut out[14..16], (ms / 60_000 % 60) as u32);
        digits(&mut out[17..19], (ms / 1000 % 60) as u32);
        digits(&mut out[20..23], (ms % 1000) as u32);
        TimestampText(out)
    }
}

/// The text of an instant, on the stack.
pub struct TimestampText([u8; 24]);

impl TimestampText {
    /// Returns the time as text; always ASCII.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("1970-01-01T00:00:00.000Z")
    }
}

/// Returns the number of days since 1970 of a year, month and day: the reverse of [`civil`].
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (shifted_year, shifted_month) = (year - i64::from(month <= 2), (month + 9) % 12);
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Returns year, month and day of a number of days since 1970 (the proleptic Gregorian calendar in 400-year
/// eras).
fn civil(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn digits(out: &mut [u8], mut number: u32) {
    for slot in out.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        read(text).ok_or_else(|| if names_no_day(text) { BadTimestamp::Day } else { BadTimestamp::Form })
    }
}

/// Returns true if a text is an instant but for its day, which its month does not have.
fn names_no_day(text: &str) -> bool {
    if jiff::fmt::temporal::Pieces::parse(text).is_ok() {
        return false;
    }
    let day = text.get(8..10).is_some_and(|day| day.bytes().all(|byte| byte.is_ascii_digit()));
    let parts = || Some((text.get(..8)?, text.get(10..)?));
    day && parts().is_some_and(|(before, after)| read(&format!("{before}01{after}")).is_some())
}

/// Reads an instant in parts, as the library's own instants end a day before the last year that RFC 3339 can
/// write.
fn read(text: &str) -> Option<Timestamp> {
    let parts = jiff::fmt::temporal::Pieces::parse(text).ok()?;
    let (date, time) = (parts.date(), parts.time()?);
    let offset = parts.to_numeric_offset()?;
    let days = days(date.year().into(), date.month().into(), date.day().into());
    let minutes = i64::from(time.hour()) * 60 + i64::from(time.minute());
    let seconds = minutes * 60 + i64::from(time.second()) - i64::from(offset.seconds());
    let at = days * DAY + seconds * 1000 + i64::from(time.millisecond());
    Timestamp::WRITABLE.contains(&at).then_some(Timestamp(at))
}

/// Length of time in milliseconds. In files and bodies: a whole number and `ms`, `s`, `m`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub u64);

/// A text that is no duration.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("this is not a duration: write a whole number and a unit, such as 250ms, 30s, 5m, 2h or 7d")]
pub struct BadSpan;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Maximum duration, a hundred years: longer is a mistake, and shorter than what overflows an instant.
const LONGEST: u64 = 36_525 * 86_400_000;

impl FromStr for Span {
    type Err = BadSpan;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || BadSpan;
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(split);
        let number: u64 = number.parse().map_err(|_| bad())?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        number.checked_mul(*factor).filter(|ms| *ms <= LONGEST).map(Span).ok_or_else(bad)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, factor) = UNITS
            .iter()
            .rev()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(&UNITS[0]);
        write!(f, "{}{name}", self.0 / factor)
    }
}

impl From<Span> for std::time::Duration {
    fn from(span: Span) -> Self {
        std::time::Duration::from_millis(span.0)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_agrees_with_the_calendar_library() {
        for ms in
            [0, 1_695_989_526, -1, 951_782_400_000, 1_561_032_198_890, 4_102_444_800_123, -62_135_596_800_000]
        {
            let expected = jiff::Timestamp::from_millisecond(ms).expect("in range");
            let text = Timestamp(ms).text().as_str().to_owned();
            assert_eq!(text.parse::<jiff::Timestamp>().expect("parses"), expected, "{ms}");
            assert_eq!(text.len(), 24);
            assert_eq!(text.parse::<Timestamp>(), Ok(Timestamp(ms)));
        }
        assert_eq!(Timestamp(1_561_032_198_890).to_string(), "2019-06-20T12:03:18.890Z");
    }

    proptest::proptest! {
        #[test]
        fn every_writable_instant_is_read_as_it_was_written(
            ms in Timestamp::WRITABLE,
            offset in -1439_i64..=1439,
        ) {
            proptest::prop_assert_eq!(Timestamp(ms).to_string().parse(), Ok(Timestamp(ms)));
            // The same instant by a clock elsewhere, where that can be written.
            let local = Timestamp(ms + offset * 60_000);
            if Timestamp::WRITABLE.contains(&local.0) {
                let (sign, ahead) = (if offset < 0 { '-' } else { '+' }, offset.abs());
                let text = format!("{}{sign}{:02}:{:02}", &local.to_string()[..23], ahead / 60, ahead % 60);
                proptest::prop_assert_eq!(text.parse(), Ok(Timestamp(ms)), "{}", text);
            }
        }
    }

    #[test]
    fn first_and_last_instants_are_read_and_what_is_beyond_is_refused() {
        for (text, wanted) in [
            ("0000-01-01T00:00:00Z", "0000-01-01T00:00:00.000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999Z"),
            ("9999-12-31T23:59:59+01:00", "9999-12-31T22:59:59.000Z"),
            ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.000Z"),
            ("2024-02-29t01:02:03.5-00:30", "2024-02-29T01:32:03.500Z"),
            ("2024-02-29 01:02:03+05:30", "2024-02-28T19:32:03.000Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().map(|at| at.to_string()).as_deref(), Ok(wanted), "{text}");
        }
        for text in [
            "9999-12-31T23:59:59-00:01",
            "0000-01-01T00:00:00+00:01",
            "10000-01-01T00:00:00Z",
            "-000001-01-01T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:61Z",
            "2024-01-01T00:00:00",
            "2024-01-01",
            "2024-01-01T00:00:00+99:00",
            "",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(BadTimestamp::Form), "{text}");
        }
        for text in ["2024-02-30T00:00:00Z", "2023-02-29T12:00:00.5+02:00", "2024-04-31T00:00:00Z"] {
            assert_eq!(text.parse::<Timestamp>(), Err(BadTimestamp::Day), "{text}");
        }
    }

    #[test]
    fn spans_are_read_and_written() {
        for (text, ms) in
            [("250ms", 250), ("30s", 30_000), ("5m", 300_000), ("2h", 7_200_000), ("7d", 604_800_000)]
        {
            assert_eq!(text.parse(), Ok(Span(ms)));
            assert_eq!(Span(ms).to_string(), text);
        }
        for bad in ["", "5", "m", "-5m", "1.5h", "5 m", "5min", "99999999999999999999s", "40000d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}
