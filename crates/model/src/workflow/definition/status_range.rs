//! Status codes that count as a success, alone or as a range.

use serde::{Deserialize, Serialize};

/// `200`, or `200-299`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// First code.
    pub from: u16,
    /// Last, included.
    pub to: u16,
}

impl Serialize for StatusRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.from == self.to {
            serializer.serialize_u16(self.from)
        } else {
            serializer.collect_str(&format_args!("{}-{}", self.from, self.to))
        }
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = StatusRange;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a status code such as 204 or a range such as 200-299")
            }
            fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<StatusRange, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_i64<E: serde::de::Error>(self, code: i64) -> Result<StatusRange, E> {
                self.visit_str(&code.to_string())
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<StatusRange, E> {
                let (from, to) = text.split_once('-').unwrap_or((text, text));
                let code =
                    |part: &str| part.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
                match (code(from), code(to)) {
                    (Some(from), Some(to)) if from <= to => Ok(StatusRange { from, to }),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
