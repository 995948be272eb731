//! Tests of the search for secrets, which the fuzz targets, that take in its source, have no use for.

use std::collections::BTreeSet;

use proptest::prelude::*;

use serde_json::Value;

use super::needles::{Learner, Needles, SHORTEST};

/// Bytes of a text that are in a secret.
fn covered(needles: &Needles, text: &str) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    assert!(needles.find(text.as_bytes(), &mut |range| found.extend(range)));
    found
}

proptest! {
    #[test]
    fn both_ways_to_search_find_the_same(
        known in prop::collection::btree_set("[ab]{4,9}", 1..12),
        text in "[ab]{0,60}",
    ) {
        let long = || known.iter().map(|text| text.as_bytes().to_vec().into()).collect();
        let automaton = Needles::with(long(), Vec::new(), true);
        let ordered = Needles::with(long(), Vec::new(), false);
        prop_assert_eq!(covered(&automaton, &text), covered(&ordered, &text));
        let bytes = text.as_bytes();
        let cut = |at: usize, end: bool| {
            known.iter().any(|one| at < one.len() && if end {
                one.starts_with(&text[text.len() - at..])
            } else {
                one.ends_with(&text[..at])
            })
        };
        let longest = |end: bool| (SHORTEST..=text.len()).rev().find(|at| cut(*at, end));
        prop_assert_eq!(ordered.ended_by(bytes), longest(false));
        prop_assert_eq!(ordered.begun_by(bytes), longest(true).map(|length| text.len() - length));
    }
}

#[test]
fn secret_of_very_many_lines_is_learned_line_by_line() {
    let line = |n: usize| format!("line {n:06} of a key, {:08x}", n.wrapping_mul(0x9E37_79B9));
    let text: Vec<String> = (0..60_000).map(line).collect();
    let mut learner = Learner::default();
    learner.learn(&Value::from(text.join("\n")), false);
    let needles = learner.needles();
    for n in [0, 1, 30_000, 59_999] {
        let said = format!("it said {} and more", text[n]);
        assert_eq!(covered(&needles, &said).len(), text[n].len(), "{said}");
    }
    assert!(covered(&needles, "line 60000 of a key, none").is_empty());
}
