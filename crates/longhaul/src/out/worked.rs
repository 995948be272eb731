//! Working time of sub-tasks. Waiting for locks, workers, timers between attempts and people does not count.

use longhaul_client::{Phase, SubTaskBody};
use longhaul_model::Timestamp;

use super::span;

/// Start and end of work of a sub-task, in milliseconds.
type Stretch = (i64, i64);

/// Returns how long a sub-task has worked: in its latest attempt or, for a parent, while any of its children
/// worked; `None` if it has not begun.
pub(crate) fn worked(sub: &SubTaskBody, now: Timestamp) -> Option<String> {
    let mut all = Vec::new();
    stretches(sub, now, &mut all);
    all.sort_unstable();
    let (mut total, mut reached) = (None, i64::MIN);
    for (begin, end) in all {
        let begin = begin.max(reached);
        *total.get_or_insert(0) += (end - begin).max(0);
        reached = reached.max(end);
    }
    total.map(span::duration)
}

fn stretches(sub: &SubTaskBody, now: Timestamp, all: &mut Vec<Stretch>) {
    if !sub.sub_tasks.is_empty() {
        sub.sub_tasks.iter().for_each(|child| stretches(child, now, all));
        return;
    }
    let instant = |text: &Option<String>| text.as_deref().and_then(span::parse).map(|at| at.0);
    let Some(begin) = instant(&sub.start_timestamp) else { return };
    let end = match sub.phase() {
        Phase::InProgress => Some(now.0),
        // Nothing is worked between two attempts; the end of the latest one comes from the list of attempts.
        Phase::Pending => instant(&sub.worked_until),
        _ => instant(&sub.worked_until).or(instant(&sub.completion_timestamp)),
    };
    all.extend(end.map(|end| (begin, end.max(begin))));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sub(status: &str, begin: i64, end: Option<i64>, until: Option<i64>) -> SubTaskBody {
        let text = |at: i64| Timestamp(at).to_string();
        SubTaskBody {
            status: status.to_owned(),
            start_timestamp: Some(text(begin)),
            completion_timestamp: end.map(text),
            worked_until: until.map(text),
            ..SubTaskBody::default()
        }
    }

    #[test]
    fn a_decision_is_not_work() {
        let now = Timestamp(100_000_000);
        let took = |sub: &SubTaskBody| worked(sub, now);
        assert_eq!(took(&sub("SUCCESSFUL", 0, Some(7_000), None)).as_deref(), Some("7.0s"));
        let hours = 3 * 3_600_000;
        assert_eq!(took(&sub("SUCCESSFUL", 0, Some(hours), Some(7_000))).as_deref(), Some("7.0s"));
        assert_eq!(took(&sub("SKIPPED", 0, Some(hours), Some(7_000))).as_deref(), Some("7.0s"));
        assert_eq!(took(&SubTaskBody::default()), None);
    }

    proptest! {
        /// Work of several children at the same time counts once, and time without work does not count.
        #[test]
        fn parents_worked_when_a_child_did(spans in prop::collection::vec((0..50_i64, 0..20_i64), 1..8)) {
            let child = |(begin, length): &(i64, i64)| {
                let (begin, end) = (begin * 1000, (begin + length) * 1000);
                sub("SUCCESSFUL", begin, Some(end), None)
            };
            let parent = SubTaskBody { sub_tasks: spans.iter().map(child).collect(), ..sub("FAILED", 0, Some(9_000_000), None) };
            let busy = (0..80_i64).filter(|second| {
                spans.iter().any(|(begin, length)| (*begin..begin + length).contains(second))
            });
            prop_assert_eq!(worked(&parent, Timestamp(0)), Some(span::duration(busy.count() as i64 * 1000)));
        }
    }
}
