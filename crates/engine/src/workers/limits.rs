//! Limits of a queue, which an operator sets: attempts at once, attempts in a time, or a pause.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use longhaul_model::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::time::Instant;

/// The limits of a queue; none of them unless set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueLimits {
    /// Largest count of attempts that workers may have at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Largest count of attempts that may start in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// True if nothing is leased until the pause ends; running attempts go on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub paused: bool,
}

/// A change of a queue's limits: `None` leaves one as it is, `Some(None)` takes it away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QueueChange {
    /// Maximum number of attempts that workers have at once.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub max_running: Option<Option<u32>>,
    /// Maximum number of attempts that start in a time.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub rate: Option<Option<Rate>>,
    /// True lets nothing be leased; `null` is as good as false.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub paused: Option<Option<bool>>,
}

/// A member that is there, `null` or not.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<QueueLimits> for QueueChange {
    /// The change after which these limits hold, whatever held before.
    fn from(limits: QueueLimits) -> Self {
        QueueChange {
            max_running: Some(limits.max_running),
            rate: Some(limits.rate),
            paused: Some(limits.paused.then_some(true)),
        }
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Rate of attempts, written `100/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Count of attempts, at least one.
    pub count: u32,
    /// Period of the count, at least a millisecond.
    pub per: Span,
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "this is no rate: write a number, `/` and a duration, such as 100/1m".to_owned();
        let (count, per) = text.split_once('/').ok_or_else(wrong)?;
        let count = count.parse().map_err(|_| wrong())?;
        let per: Span = per.parse().map_err(|_| wrong())?;
        if count == 0 || per.0 == 0 {
            return Err(wrong());
        }
        Ok(Rate { count, per })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Token bucket of a rate: it fills steadily, and holds what its time brings.
pub(super) struct Bucket {
    rate: Rate,
    /// Count of nodes that share the rate.
    nodes: u32,
    left: f64,
    seen: Instant,
}

impl Bucket {
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Bucket { rate, nodes: 1, left: f64::from(rate.count), seen: now }
    }

    /// Seconds in which one attempt becomes available.
    fn interval(&self) -> f64 {
        self.rate.per.0 as f64 / 1_000.0 / f64::from(self.rate.count) * f64::from(self.nodes)
    }

    /// Largest count that the bucket holds.
    fn most(&self) -> f64 {
        (f64::from(self.rate.count) / f64::from(self.nodes)).max(1.0)
    }

    /// Divides the rate among `nodes` nodes.
    pub(super) fn share(&mut self, nodes: u32, now: Instant) {
        if self.nodes != nodes {
            self.fill(now);
            self.nodes = nodes;
            self.left = self.left.min(self.most());
        }
    }

    fn fill(&mut self, now: Instant) {
        let came = now.saturating_duration_since(self.seen).as_secs_f64() / self.interval();
        self.left = (self.left + came).min(self.most());
        self.seen = now;
    }

    pub(super) fn holds_one(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.left >= 1.0
    }

    pub(super) fn take(&mut self) {
        self.left -= 1.0;
    }

    pub(super) fn put_back(&mut self) {
        self.left += 1.0;
    }

    /// Time until there is one more; `None` if there is one.
    pub(super) fn pause(&mut self, now: Instant) -> Option<Duration> {
        self.fill(now);
        let missing = 1.0 - self.left;
        (missing > 0.0).then(|| Duration::from_secs_f64(missing * self.interval()) + Duration::from_millis(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_they_are_written() {
        let rate: Rate = "100/1m".parse().unwrap();
        assert_eq!(rate, Rate { count: 100, per: Span(60_000) });
        assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        for bad in ["", "100", "0/1s", "5/0s", "-1/1s", "5/1", "a/b"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
