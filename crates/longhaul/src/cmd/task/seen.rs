//! Facts that a single reading of a task lacks: how its latest attempts ended, and its progress in earlier
//! readings.

use std::collections::HashMap;

use longhaul_client::{AttemptBody, PageBody, SubTaskBody, TaskBody};

use super::Context;

/// Facts about a task from earlier readings.
#[derive(Default)]
pub(super) struct Seen {
    /// State of the task for which the attempts were read.
    read_at: Option<(Option<u64>, Option<String>)>,
    /// Attempts by sub-task and start: a fan has thousands of both.
    attempts: HashMap<(String, String), Vec<AttemptBody>>,
    progress: f64,
    /// Attempt and its progress, by path.
    each: HashMap<String, (u64, f64)>,
}

impl Seen {
    /// Completes a reading. Attempts that cannot be read, such as those of imported tasks, are left out.
    pub(super) async fn complete(&mut self, context: &Context, task: &mut TaskBody) {
        let backoff = task.waiting_for.as_ref().filter(|waiting| waiting.kind == "RETRY");
        let again = task.attempt.is_some_and(|attempt| attempt > 1);
        let at = (task.attempt, backoff.and_then(|waiting| waiting.until.clone()));
        if (backoff.is_some() || again) && self.read_at.as_ref() != Some(&at) {
            let answer = context.client.task_attempts(&task.id).await.ok();
            let page: Option<PageBody<AttemptBody>> = answer.and_then(|page| crate::cmd::plain(page).ok());
            if let Some(page) = page {
                self.learn(page.elements);
                self.read_at = Some(at);
            }
        }
        self.told(&mut task.sub_tasks);
        self.raise(task);
    }

    fn learn(&mut self, attempts: Vec<AttemptBody>) {
        self.attempts.clear();
        for one in attempts {
            let key = (one.sub_task.clone(), one.creation_timestamp.clone());
            self.attempts.entry(key).or_default().push(one);
        }
    }

    /// Sets the ends and errors of latest attempts, each found by its sub-task and its start.
    fn told(&self, sub_tasks: &mut [SubTaskBody]) {
        for sub in sub_tasks {
            self.told(&mut sub.sub_tasks);
            let Some(start) = sub.start_timestamp.clone() else { continue };
            let Some(found) = self.attempts.get(&(sub.name.clone(), start)) else { continue };
            let own = |one: &&AttemptBody| sub.attempt.is_none_or(|number| number == one.number);
            // For an attempt that was decided about: its end as it was known before the decision.
            let ended =
                |one: &&AttemptBody| (one.completion_timestamp.is_none(), one.completion_timestamp.clone());
            let Some(one) = found.iter().filter(own).min_by_key(ended) else { continue };
            sub.worked_until = one.completion_timestamp.clone();
            if sub.errors.is_empty() && sub.phase() == longhaul_client::Phase::Pending {
                sub.errors.extend(one.error.clone());
            }
        }
    }

    /// Keeps the progress of the task and of each attempt from decreasing.
    fn raise(&mut self, task: &mut TaskBody) {
        if let Some(progress) = &mut task.progress {
            self.progress = self.progress.max(*progress);
            *progress = self.progress;
        }
        self.raise_each(&mut task.sub_tasks, "");
    }

    fn raise_each(&mut self, sub_tasks: &mut [SubTaskBody], above: &str) {
        for (n, sub) in sub_tasks.iter_mut().enumerate() {
            let path = format!("{above}/{n}");
            if let Some(progress) = &mut sub.progress {
                let attempt = sub.attempt.unwrap_or(0);
                let known = self.each.entry(path.clone()).or_insert((attempt, *progress));
                *known =
                    if known.0 == attempt { (attempt, known.1.max(*progress)) } else { (attempt, *progress) };
                *progress = known.1;
            }
            self.raise_each(&mut sub.sub_tasks, &path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading() -> impl Strategy<Value = TaskBody> {
        let sub = (1..4_u64, prop::option::of(0..100_u8)).prop_map(|(attempt, progress)| SubTaskBody {
            attempt: Some(attempt),
            progress: progress.map(f64::from),
            ..SubTaskBody::default()
        });
        let subs = prop::collection::vec(sub, 3);
        (subs.clone(), subs, 0..101_u8).prop_map(|(mut sub_tasks, children, progress)| {
            sub_tasks[0].sub_tasks = children;
            TaskBody { sub_tasks, progress: Some(f64::from(progress)), ..TaskBody::default() }
        })
    }

    fn all(sub_tasks: &[SubTaskBody]) -> Vec<(u64, Option<f64>)> {
        let one = |sub: &SubTaskBody| (sub.attempt.unwrap_or(0), sub.progress);
        sub_tasks.iter().flat_map(|sub| [vec![one(sub)], all(&sub.sub_tasks)].concat()).collect()
    }

    proptest! {
        #[test]
        fn progress_never_falls(readings in prop::collection::vec(reading(), 1..12)) {
            let (mut seen, mut before) = (Seen::default(), None::<TaskBody>);
            for mut task in readings {
                let given = task.clone();
                seen.raise(&mut task);
                prop_assert!(task.progress >= given.progress);
                if let Some(before) = &before {
                    prop_assert!(task.progress >= before.progress);
                    for (now, then) in all(&task.sub_tasks).iter().zip(all(&before.sub_tasks)) {
                        let fell = now.0 == then.0 && now.1.is_some() && now.1 < then.1;
                        prop_assert!(!fell, "{:?} after {:?}", now, then);
                    }
                }
                before = Some(task);
            }
        }
    }

    #[test]
    fn attempts_tell_ends_and_errors() {
        let attempt = |number: u64, start: &str, end: &str| AttemptBody {
            sub_task: "Update".into(),
            number,
            creation_timestamp: start.into(),
            completion_timestamp: Some(end.into()),
            error: Some(longhaul_client::ErrorBody { error_code: "BUSY".into(), ..Default::default() }),
            ..AttemptBody::default()
        };
        let mut seen = Seen::default();
        seen.learn(vec![attempt(1, "t1", "t2"), attempt(2, "t3", "t4")]);
        let sub = |status: &str, number: u64, start: &str| SubTaskBody {
            name: "Update".into(),
            status: status.into(),
            attempt: Some(number),
            start_timestamp: Some(start.into()),
            ..SubTaskBody::default()
        };
        let mut subs = [sub("PENDING", 2, "t3"), sub("SUCCESSFUL", 1, "t1"), sub("PENDING", 3, "t9")];
        seen.told(&mut subs);
        assert_eq!(subs[0].errors[0].error_code, "BUSY", "a pause between attempts says why");
        assert_eq!(subs[0].worked_until.as_deref(), Some("t4"));
        assert_eq!((subs[1].worked_until.as_deref(), subs[1].errors.len()), (Some("t2"), 0));
        assert_eq!((subs[2].worked_until.as_deref(), subs[2].errors.len()), (None, 0));
    }
}
