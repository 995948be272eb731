//! Filters of lists that no column answers: whether a failure is open, and labels. Both are read from
//! documents, leniently: a document that cannot be read hides no task that may need somebody.

use std::borrow::Cow;
use std::collections::HashMap;

use longhaul_model::Resolution;
use serde::Deserialize;

/// A label to be found: its name and, if it counts, its value.
pub(crate) type Label = (String, Option<String>);

/// The part of a task's document that says what became of its failure.
#[derive(Deserialize)]
struct Own {
    t: OwnState,
}

#[derive(Deserialize)]
struct OwnState {
    #[serde(default)]
    x: Resolution,
}

/// Members of an imported task's document that the filters of a list read.
#[derive(Deserialize)]
struct Foreign<'a> {
    #[serde(default, rename = "resolutionStatus", borrow)]
    resolution: Option<Cow<'a, str>>,
}

/// True unless the document of a failed task says that somebody dealt with it.
pub(crate) fn is_open(document: &str, is_imported: bool) -> bool {
    if is_imported {
        let read = serde_json::from_str::<Foreign<'_>>(document).ok();
        return read
            .and_then(|task| task.resolution)
            .is_none_or(|said| said != Resolution::Resolved.constant());
    }
    serde_json::from_str::<Own>(document).map_or(true, |task| task.t.x.is_unresolved())
}

#[derive(Deserialize)]
struct Labelled<'a> {
    #[serde(default, alias = "labels", borrow)]
    l: HashMap<Cow<'a, str>, Cow<'a, str>>,
}

/// True if a task's specification, or the document of an imported task, has all these labels.
pub(crate) fn has_labels(document: &str, wanted: &[Label]) -> bool {
    let has = |found: &Labelled<'_>| {
        wanted.iter().all(|(name, value)| {
            found.l.get(name.as_str()).is_some_and(|is| value.as_ref().is_none_or(|value| value == is))
        })
    };
    serde_json::from_str::<Labelled<'_>>(document).is_ok_and(|found| has(&found))
}

/// Texts that the specification of each task with these labels contains: specifications are written by one
/// function, whose spelling is known.
pub(crate) fn marks(wanted: &[Label]) -> Vec<String> {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mark = |(name, value): &Label| {
        let value = value.as_deref().map(quoted).unwrap_or_default();
        format!("{}:{value}", quoted(name))
    };
    wanted.iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use longhaul_model::Spec;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_failure_is_open_until_its_document_says_otherwise() {
        for (document, is_imported, open) in [
            (r#"{"w":1,"t":{"v":1,"e":[{"x":"R"}]},"u":[{"x":"R"}]}"#, false, true),
            (r#"{"w":1,"t":{"v":1,"x":"R"},"u":[]}"#, false, false),
            (r#"{"w":1,"t":{"v":1,"x":"U"}}"#, false, true),
            (r#"{"w":1,"t":{"v":1,"x":"R"}"#, false, true),
            ("", false, true),
            (r#"{ "resolutionStatus": "RESOLVED" }"#, true, false),
            (r#"{ "resolutionStatus": "UNRESOLVED" }"#, true, true),
            (r#"{ "resolutionStatus": null }"#, true, true),
            ("{}", true, true),
        ] {
            assert_eq!(is_open(document, is_imported), open, "{document}");
        }
    }

    /// A specification with the labels has their marks, for all names and values.
    #[test]
    fn labels_are_found_by_name_and_value() {
        let odd = ["a", "A", "a=b", "\"", "\\", "\u{1}", "ä", "a\":\"b", "", "\u{2028}", "/"];
        for name in odd.into_iter().filter(|name| !name.is_empty()) {
            for value in odd {
                let labels = [(name.to_owned(), value.to_owned()), ("other".to_owned(), "x".to_owned())];
                let spec = Spec {
                    input: json!({ "l": { "no": "label" } }),
                    labels: labels.into(),
                    requested_by: None,
                    caller: None,
                };
                let document = crate::doc::json(&spec).unwrap();
                let one = |value: Option<&str>| vec![(name.to_owned(), value.map(str::to_owned))];
                for wanted in [one(None), one(Some(value))] {
                    assert!(has_labels(&document, &wanted), "{document} {wanted:?}");
                    assert!(
                        marks(&wanted).iter().all(|mark| document.contains(mark)),
                        "{document} {wanted:?}"
                    );
                }
                assert!(!has_labels(&document, &one(Some("another"))), "{document}");
                assert!(!has_labels(&document, &[("no".to_owned(), None)]), "{document}");
            }
        }
        assert!(has_labels(r#"{ "id": 1, "labels": { "a": "1" } }"#, &[("a".to_owned(), None)]));
        for none in ["{}", "", r#"{"l":[]}"#] {
            assert!(!has_labels(none, &[("a".to_owned(), None)]), "{none}");
        }
    }
}
