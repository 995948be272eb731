//! What changed between two readings of a task, a line each: for logs and pipes.

use longhaul_client::{Phase, SubTaskBody, TaskBody};
use longhaul_model::Timestamp;

use crate::out::style::Palette;
use crate::out::{error, span, tree};

/// Remembers what was said.
pub(super) struct Changes {
    palette: Palette,
    known: Option<TaskBody>,
}

impl Changes {
    /// Nothing known yet.
    pub(super) fn new(palette: Palette) -> Self {
        Changes { palette, known: None }
    }

    /// The lines that bring a reader up to date.
    pub(super) fn lines(&mut self, task: &TaskBody, now: Timestamp) -> String {
        let before = self.known.replace(task.clone());
        let mut out = String::new();
        let mut say = |text: String| out.push_str(&format!("{now} {text}\n"));
        if before.is_none() {
            say(format!("{} {}", task.id, task.name));
        }
        let task_changed = before.as_ref().is_none_or(|before| before.status != task.status);
        // The task begins before its sub-tasks and ends behind them.
        if task_changed && !task.phase().has_ended() {
            say(self.line(task.phase(), &task.name, &task.status, None));
        }
        let none = Vec::new();
        let known = before.as_ref().map_or(&none, |before| &before.sub_tasks);
        for (n, sub) in task.sub_tasks.iter().enumerate() {
            let before = known.get(n);
            let quiet = before.is_none() && sub.phase() == Phase::Pending;
            let same =
                before.is_some_and(|before| before.status == sub.status && before.attempt == sub.attempt);
            if !quiet && !same {
                say(self.sub_task(sub, now));
                for fault in sub
                    .errors
                    .iter()
                    .filter(|fault| before.is_none_or(|before| !before.errors.contains(fault)))
                {
                    error::carried(fault, "  ", self.palette).lines().for_each(|line| say(line.to_owned()));
                }
            }
        }
        let waiting = task.waiting_for.as_ref().filter(|waiting| {
            before.as_ref().is_none_or(|before| before.waiting_for.as_ref() != Some(waiting))
        });
        if let Some(text) = waiting.and_then(|waiting| tree::waits_for(waiting, now)) {
            say(text);
        }
        if task_changed && task.phase().has_ended() {
            let took = span::taken(Some(&task.creation_timestamp), task.completion_timestamp.as_deref(), now);
            say(self.line(task.phase(), &task.name, &task.status, took));
            for fault in &task.errors {
                error::carried(fault, "  ", self.palette).lines().for_each(|line| say(line.to_owned()));
            }
        }
        out
    }

    fn sub_task(&self, sub: &SubTaskBody, now: Timestamp) -> String {
        let took = sub
            .phase()
            .has_ended()
            .then(|| span::taken(sub.start_timestamp.as_deref(), sub.completion_timestamp.as_deref(), now))
            .flatten();
        let attempt = sub.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}"));
        let facts: Vec<String> = attempt.into_iter().chain(took).collect();
        let facts = (!facts.is_empty()).then(|| facts.join(" · "));
        self.line(sub.phase(), &sub.name, &sub.status, facts)
    }

    fn line(&self, phase: Phase, name: &str, status: &str, facts: Option<String>) -> String {
        let (glyph, paint) = tree::glyph(phase, None, self.palette);
        let dim = self.palette.dim();
        let facts = facts.map(|facts| format!("  {dim}{facts}{dim:#}")).unwrap_or_default();
        format!("{paint}{glyph}{paint:#} {name} {paint}{status}{paint:#}{facts}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_changes_are_told() {
        let task = |status: &str, first: &str, second: &str| -> TaskBody {
            serde_json::from_value(json!({"id": "x", "name": "T", "status": status, "subTasks": [
                {"name": "A", "status": first}, {"name": "B", "status": second,
                 "errors": if second == "FAILED" { json!([{"errorCode": "E", "message": "no"}]) } else { json!([]) }}]}))
            .unwrap()
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
}
