//! Trace contexts: the identities of a task's spans in distributed tracing, and the `traceparent` header of
//! W3C Trace Context (https://www.w3.org/TR/trace-context/).
//!
//! Identities follow from the task, so that they are the same at every node and after every restart, and
//! nothing is stored for them. The trace of a task's first run has the task's ID, without its hyphens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::id::TaskId;

/// Position in a trace: the trace, one of its spans, and whether that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// ID of the trace, not all zero.
    pub trace: [u8; 16],
    /// ID of the span, not all zero.
    pub span: [u8; 8],
    /// True if whoever made the span records it.
    pub sampled: bool,
}

/// Reason for which a text is no `traceparent`.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("expected the form of W3C Trace Context: 00-<32 hexadecimal digits>-<16>-<2>, in lower case")]
pub struct BadTraceParent;

impl TraceContext {
    /// Returns the context of one run of a task: its first, or the run that an operator's decision began.
    pub fn of_run(task: TaskId, generation: u32) -> TraceContext {
        TraceContext::new(task, generation, 0, 0)
    }

    /// Returns the context of an attempt in a run.
    pub fn of_attempt(task: TaskId, generation: u32, sub_task: u32, number: u32) -> TraceContext {
        // Attempts are counted from 1, so that none has the span of its run.
        TraceContext::new(task, generation, sub_task, number)
    }

    fn new(task: TaskId, generation: u32, sub_task: u32, number: u32) -> TraceContext {
        let mut trace = *task.as_bytes();
        // Samplers take the last seven bytes for random, and they stay so.
        for (byte, part) in trace[2..6].iter_mut().zip(generation.to_be_bytes()) {
            *byte ^= part;
        }
        let words = task.as_bytes().chunks_exact(8);
        let words = words.map(|word| word.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)));
        let place = [u64::from(generation), u64::from(sub_task) << 32 | u64::from(number)];
        let span = words.chain(place).fold(0, mixed).max(1);
        TraceContext { trace, span: span.to_be_bytes(), sampled: true }
    }

    /// Returns the number by which a trace is sampled, evenly spread below 2^56: the same at every node.
    pub fn randomness(&self) -> u64 {
        self.trace[9..].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
    }
}

/// Mixes a word into a state: the finaliser of SplitMix64, of which every bit depends on all bits of both.
fn mixed(state: u64, word: u64) -> u64 {
    let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl fmt::Display for TraceContext {
    /// Writes the context as the value of a `traceparent` header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("00-")?;
        self.trace.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.span.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = BadTraceParent;

    fn from_str(text: &str) -> Result<Self, BadTraceParent> {
        let mut parts = text.splitn(5, '-');
        let mut part = || parts.next().ok_or(BadTraceParent);
        let version: [u8; 1] = hexadecimal(part()?)?;
        let (trace, span) = (hexadecimal(part()?)?, hexadecimal(part()?)?);
        let flags: [u8; 1] = hexadecimal(part()?)?;
        // Later versions may add parts.
        let is_whole = version[0] != 0xff && (version[0] > 0 || parts.next().is_none());
        if !is_whole || trace == [0; 16] || span == [0; 8] {
            return Err(BadTraceParent);
        }
        Ok(TraceContext { trace, span, sampled: flags[0] & 1 == 1 })
    }
}

fn hexadecimal<const N: usize>(text: &str) -> Result<[u8; N], BadTraceParent> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Ok(byte - b'0'),
        b'a'..=b'f' => Ok(byte - b'a' + 10),
        _ => Err(BadTraceParent),
    };
    if text.len() != 2 * N {
        return Err(BadTraceParent);
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Ok(bytes)
}

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_standard_is_read_and_written() {
        let context: TraceContext = EXAMPLE.parse().unwrap();
        assert_eq!((context.trace[0], context.span[7], context.sampled), (0x0a, 0x31, true));
        assert_eq!(context.to_string(), EXAMPLE);
        let unsampled: TraceContext = EXAMPLE.replace("-01", "-02").parse().unwrap();
        assert!(!unsampled.sampled);
        assert_eq!(serde_json::from_str::<TraceContext>(&format!("{EXAMPLE:?}")).unwrap(), context);
    }

    #[test]
    fn a_later_version_may_have_more_parts() {
        assert!(format!("01{}-what-follows", &EXAMPLE[2..]).parse::<TraceContext>().is_ok());
        assert!(format!("{EXAMPLE}-more").parse::<TraceContext>().is_err());
    }

    #[test]
    fn what_is_no_context_is_refused() {
        let zero_trace = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
        let zero_span = format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", "0".repeat(16));
        let wrong =
            ["", "00", "00-", "-", &EXAMPLE.to_uppercase(), &EXAMPLE[1..], &EXAMPLE[..54], &zero_trace];
        let unlikely = [&zero_span, &EXAMPLE.replacen("00", "ff", 1), &EXAMPLE.replace('0', "é"), "é-é-é-é"];
        for text in wrong.into_iter().chain(unlikely) {
            assert_eq!(text.parse::<TraceContext>(), Err(BadTraceParent), "{text}");
        }
    }

    #[test]
    fn the_first_run_has_the_task_s_id_and_every_span_its_own() {
        let task: TaskId = "0193a5b0-1c2d-7e3f-8a9b-0c1d2e3f4a5b".parse().unwrap();
        let first = TraceContext::of_run(task, 0);
        assert!(first.to_string().starts_with("00-0193a5b01c2d7e3f8a9b0c1d2e3f4a5b-"), "{first}");
        assert_ne!(TraceContext::of_run(task, 1).trace, first.trace);
        assert_eq!(TraceContext::of_run(task, 1).randomness(), first.randomness());
        let places = (0..4).flat_map(|g| (0..20).flat_map(move |s| (0..20).map(move |n| (g, s, n))));
        let spans: HashSet<_> = places.map(|(g, s, n)| TraceContext::new(task, g, s, n).span).collect();
        assert_eq!(spans.len(), 4 * 20 * 20);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_again(trace in any::<[u8; 16]>(), span in any::<[u8; 8]>(), sampled in any::<bool>()) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let context = TraceContext { trace, span, sampled };
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = text.parse::<TraceContext>();
        }
    }
}
