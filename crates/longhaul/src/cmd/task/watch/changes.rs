//! Changes between two readings of a task, one a line, for logs and pipes. Each line has the time of the
//! change by the server's clock.

use longhaul_client::{Phase, SubTaskBody, TaskBody};
use longhaul_model::Timestamp;

use crate::out::style::Palette;
use crate::out::worked::worked;
use crate::out::{error, span, tree};

/// The latest reading, and the time of the latest line.
pub(super) struct Changes {
    palette: Palette,
    known: Option<TaskBody>,
    /// Time of the latest line.
    last: Option<Timestamp>,
}

/// Groups of lines, each with its time.
type Said = Vec<(Option<Timestamp>, Vec<String>)>;

impl Changes {
    /// Creates the state before the first reading.
    pub(super) fn new(palette: Palette) -> Self {
        Changes { palette, known: None, last: None }
    }

    /// Returns the lines about what changed since the last reading, in the order of their times.
    pub(super) fn lines(&mut self, task: &TaskBody, now: Timestamp) -> String {
        let before = self.known.replace(task.clone());
        let mut said: Said = Vec::new();
        let (created, ended) = (instant(&task.creation_timestamp), at(&task.completion_timestamp));
        if before.is_none() {
            said.push((created, vec![format!("{} {}", task.id, task.name)]));
        }
        let task_changed = before.as_ref().is_none_or(|before| before.status != task.status);
        // The task begins before its sub-tasks and ends after them.
        if task_changed && !task.phase().has_ended() {
            // A task that continues after its end, such as by a retry, does not tell when it did.
            let since = if before.is_none() { created } else { None };
            said.push((since, vec![self.line(task.phase(), &task.name, &task.status, None)]));
        }
        let none = Vec::new();
        let known = before.as_ref().map_or(&none, |before| &before.sub_tasks);
        let mut subs: Said = Vec::new();
        self.sub_tasks(&task.sub_tasks, known, "", now, &mut subs);
        subs.sort_by_key(|(at, _)| *at);
        said.extend(subs);
        let waiting = task.waiting_for.as_ref().filter(|waiting| {
            before.as_ref().is_none_or(|before| before.waiting_for.as_ref() != Some(waiting))
        });
        if let Some(text) = waiting.and_then(|waiting| tree::waits_for(waiting, now)) {
            said.push((None, vec![text]));
        }
        if task_changed && task.phase().has_ended() {
            let took = span::taken(Some(&task.creation_timestamp), task.completion_timestamp.as_deref(), now);
            let mut lines = vec![self.line(task.phase(), &task.name, &task.status, took)];
            task.errors.iter().for_each(|fault| self.fault(fault, &mut lines));
            said.push((ended, lines));
        }
        self.printed(said, now)
    }

    /// Returns the lines as text. Times never go back: a line without a time has that of the line before it.
    fn printed(&mut self, said: Said, now: Timestamp) -> String {
        let mut out = String::new();
        for (at, lines) in said {
            let time = at.max(self.last).unwrap_or(now);
            self.last = Some(time);
            lines.iter().for_each(|line| out.push_str(&format!("{time} {line}\n")));
        }
        out
    }

    fn sub_tasks(
        &self,
        sub_tasks: &[SubTaskBody],
        known: &[SubTaskBody],
        above: &str,
        now: Timestamp,
        said: &mut Said,
    ) {
        for (n, sub) in sub_tasks.iter().enumerate() {
            let before = known.get(n);
            let twins = || sub_tasks.iter().filter(|other| other.name == sub.name).count() > 1;
            // Children may have the same title; top-level names are unique.
            let number = if !above.is_empty() && twins() { format!("[{n}]") } else { String::new() };
            let name = format!("{above}{}{number}", sub.name);
            let none = Vec::new();
            let below = before.map_or(&none, |before| &before.sub_tasks);
            let has_ended = sub.phase().has_ended();
            if !has_ended {
                self.sub_task(sub, before, &name, now, said);
            }
            self.sub_tasks(&sub.sub_tasks, below, &format!("{name}/"), now, said);
            // A parent ends after its children.
            if has_ended {
                self.sub_task(sub, before, &name, now, said);
            }
        }
    }

    fn sub_task(
        &self,
        sub: &SubTaskBody,
        before: Option<&SubTaskBody>,
        name: &str,
        now: Timestamp,
        said: &mut Said,
    ) {
        let quiet = before.is_none() && sub.phase() == Phase::Pending && sub.errors.is_empty();
        let same = before.is_some_and(|before| before.status == sub.status && before.attempt == sub.attempt);
        let new =
            |fault: &&longhaul_client::ErrorBody| before.is_none_or(|before| !before.errors.contains(fault));
        let faults: Vec<_> = sub.errors.iter().filter(new).collect();
        if quiet || (same && faults.is_empty()) {
            return;
        }
        let took = (sub.phase().has_ended()).then(|| worked(sub, now)).flatten();
        let attempt = sub.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}"));
        let facts: Vec<String> = attempt.into_iter().chain(took).collect();
        let facts = (!facts.is_empty()).then(|| facts.join(" · "));
        let mut lines = vec![self.line(sub.phase(), name, &sub.status, facts)];
        faults.into_iter().for_each(|fault| self.fault(fault, &mut lines));
        let time = match sub.phase() {
            Phase::InProgress => at(&sub.start_timestamp),
            Phase::Pending => at(&sub.worked_until),
            _ => at(&sub.completion_timestamp),
        };
        said.push((time, lines));
    }

    fn fault(&self, fault: &longhaul_client::ErrorBody, lines: &mut Vec<String>) {
        lines.extend(error::carried(fault, "  ", self.palette).lines().map(str::to_owned));
    }

    fn line(&self, phase: Phase, name: &str, status: &str, facts: Option<String>) -> String {
        let (glyph, paint) = tree::glyph(phase, None, self.palette);
        let dim = self.palette.dim();
        let facts = facts.map(|facts| format!("  {dim}{facts}{dim:#}")).unwrap_or_default();
        format!("{paint}{glyph}{paint:#} {name} {paint}{status}{paint:#}{facts}")
    }
}

fn instant(text: &str) -> Option<Timestamp> {
    span::parse(text)
}

fn at(text: &Option<String>) -> Option<Timestamp> {
    text.as_deref().and_then(instant)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn body(value: serde_json::Value) -> TaskBody {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn only_changes_are_told() {
        let task = |status: &str, first: &str, second: &str| {
            body(json!({"id": "x", "name": "T", "status": status, "subTasks": [
                {"name": "A", "status": first}, {"name": "B", "status": second,
                 "errors": if second == "FAILED" { json!([{"errorCode": "E", "message": "no"}]) } else { json!([]) }}]}))
        };
        let mut changes = Changes::new(Palette::plain());
        let now = Timestamp(0);
        let said = |text: String| text.lines().map(|line| line[25..].to_owned()).collect::<Vec<_>>();
        let first = said(changes.lines(&task("In Progress", "IN_PROGRESS", "PENDING"), now));
        assert_eq!(first, ["x T", "● T In Progress", "● A IN_PROGRESS"]);
        assert_eq!(said(changes.lines(&task("In Progress", "IN_PROGRESS", "PENDING"), now)), [""; 0]);
        let last = said(changes.lines(&task("Failed", "SUCCESSFUL", "FAILED"), now));
        assert_eq!(last, ["✔ A SUCCESSFUL", "✘ B FAILED", "  E: no", "✘ T Failed"]);
    }

    #[test]
    fn children_are_told_with_the_times_of_the_task() {
        let at = |second: u32| format!("2026-01-01T00:00:{second:02}.000Z");
        let task = body(json!({ "id": "x", "name": "T", "status": "Failed", "creationTimestamp": at(0),
            "completionTimestamp": at(9), "subTasks": [
            {"name": "Hosts", "status": "FAILED", "startTimestamp": at(1), "completionTimestamp": at(8), "subTasks": [
                {"name": "esx", "status": "SUCCESSFUL", "startTimestamp": at(1), "completionTimestamp": at(4)},
                {"name": "esx", "status": "FAILED", "startTimestamp": at(1), "completionTimestamp": at(3),
                 "errors": [{"errorCode": "E", "message": "no"}]},
                {"name": "nsx", "status": "PENDING"}]}] }));
        let text = Changes::new(Palette::plain()).lines(&task, Timestamp(9_000_000_000_000));
        let wanted = [
            format!("{} x T", at(0)),
            format!("{} ✘ Hosts/esx[1] FAILED  2.0s", at(3)),
            format!("{}   E: no", at(3)),
            format!("{} ✔ Hosts/esx[0] SUCCESSFUL  3.0s", at(4)),
            format!("{} ✘ Hosts FAILED  3.0s", at(8)),
            format!("{} ✘ T Failed  9.0s", at(9)),
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), wanted);
    }

    fn reading() -> impl Strategy<Value = TaskBody> {
        let words = ["PENDING", "IN_PROGRESS", "SUCCESSFUL", "FAILED"];
        let sub = (0..4_usize, 0..50_u32, 0..50_u32).prop_map(move |(status, begin, length)| {
            let at = |second: u32| format!("2026-01-01T00:{:02}:{:02}.000Z", second / 60, second % 60);
            json!({ "name": format!("S{}", begin % 3), "status": words[status], "startTimestamp": at(begin),
                    "completionTimestamp": at(begin + length) })
        });
        prop::collection::vec((sub.clone(), prop::collection::vec(sub, 0..3)), 0..4).prop_map(|subs| {
            let subs = subs.into_iter().map(|(mut sub, children)| {
                sub["subTasks"] = json!(children);
                sub
            });
            body(json!({ "id": "the-id", "name": "T", "status": "In Progress", "subTasks": subs.collect::<Vec<_>>(),
                         "creationTimestamp": "2026-01-01T00:00:00.000Z" }))
        })
    }

    proptest! {
        /// Lines have times that never go back, the ID comes first, and each failure of a child is reported,
        /// whatever is read.
        #[test]
        fn lines_are_in_order(readings in prop::collection::vec(reading(), 1..5)) {
            let mut changes = Changes::new(Palette::plain());
            let mut all = String::new();
            for reading in &readings {
                all.push_str(&changes.lines(reading, Timestamp(0)));
            }
            prop_assert!(all.lines().next().is_some_and(|line| line.ends_with("the-id T")));
            let times: Vec<&str> = all.lines().filter_map(|line| line.get(..24)).collect();
            prop_assert!(times.is_sorted(), "{}", all);
            for child in readings[0].sub_tasks.iter().flat_map(|sub| &sub.sub_tasks) {
                if child.phase() == Phase::Failed {
                    prop_assert!(all.contains(&format!("/{}", child.name)), "{}", all);
                }
            }
        }
    }
}
