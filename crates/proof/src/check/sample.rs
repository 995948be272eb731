//! A small sound history for the tests of the checks: one task of two sub-tasks, the second with an effect.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Check, Evidence};
use crate::catalog::{Catalog, Kind, Retry, Sub};
use crate::dump::{Dump, Final};
use crate::grants::{Grant, Grants, Means, Use};
use crate::history::{Decision, DecisionAnswer, Effect, History, Life, Poll, Submit, SubmitAnswer, Verb};
use crate::wire::{AttemptView, SubStatus, SubView, TaskStatus, View};

pub(super) struct Sample {
    pub(super) history: History,
    pub(super) dump: Dump,
    pub(super) catalog: Catalog,
}

impl Sample {
    pub(super) const FIRST: Uuid = Uuid::from_u128(1);

    pub(super) fn good() -> Sample {
        let sub = |name: &str, needs: &[usize], effect| Sub {
            name: name.to_owned(),
            needs: needs.to_vec(),
            effect,
            once: false,
            goes_on: false,
            retry: None,
        };
        let subs = vec![sub("Plain", &[], false), sub("Effect", &[0], true)];
        let kind = Kind { name: "sample".to_owned(), definition: Value::Null, subs, locks: false, weight: 1 };
        let input = json!({ "mark": 1, "note": "n" });
        let seen =
            |status, started, completed| SubView { status, started, completed, attempt: 1, error: None };
        let ended = View {
            status: TaskStatus::Successful,
            generation: 1,
            revision: 3,
            created: 1_000,
            completed: Some(1_005),
            subs: vec![
                seen(SubStatus::Successful, Some(1_001), Some(1_002)),
                seen(SubStatus::Successful, Some(1_002), Some(1_005)),
            ],
        };
        let mut running =
            View { status: TaskStatus::InProgress, revision: 2, completed: None, ..ended.clone() };
        running.subs[1] = seen(SubStatus::InProgress, Some(1_002), None);
        let attempt = |sub, started, ended| AttemptView {
            sub,
            number: 1,
            generation: 1,
            status: "SUCCESSFUL".to_owned(),
            started,
            ended: Some(ended),
        };
        let submit = Submit {
            workflow: "sample".to_owned(),
            input: input.clone(),
            mark: 1,
            key: Some("k".to_owned()),
            call: 10,
            ret: 20,
            answer: SubmitAnswer::Acked { id: Self::FIRST, replayed: false },
        };
        let poll =
            |call, view: &View| Poll { id: Self::FIRST, call, ret: call + 10, view: Arc::new(view.clone()) };
        let effect = Effect {
            at: 60,
            life: 0,
            task: Self::FIRST,
            sub: "Effect".to_owned(),
            key: "e".to_owned(),
            token: None,
            by: None,
        };
        let grant =
            Grant { account: "somebody".to_owned(), means: Means::RefreshToken, secret: "secret".to_owned() };
        let came_in = Use { grant: 0, call: 70, ret: 80, let_in: true };
        let life = Life {
            spawned: 0,
            ready: Some(5),
            dead: None,
            killed: false,
            acked: 1,
            in_flight: 0,
            ..Life::default()
        };
        let task = Final {
            workflow: "sample".to_owned(),
            input,
            view: ended.clone(),
            names: vec!["Plain".to_owned(), "Effect".to_owned()],
            attempts: vec![attempt(0, 1_001, 1_002), attempt(1, 1_002, 1_005)],
        };
        let count = |(status, _): (TaskStatus, &str)| (status, u64::from(status == TaskStatus::Successful));
        Sample {
            history: History {
                submits: vec![submit],
                polls: vec![poll(30, &running), poll(100, &ended)],
                effects: vec![effect],
                grants: Grants { given: vec![grant], uses: vec![came_in], withdrawals: Vec::new() },
                lives: vec![life],
                ..History::default()
            },
            dump: Dump {
                at: 200,
                walked: vec![Self::FIRST],
                totals: vec![1],
                by_status: TaskStatus::ALL.into_iter().map(count).collect(),
                locks: Vec::new(),
                tasks: [(Self::FIRST, task)].into(),
            },
            catalog: Catalog { kinds: vec![kind] },
        }
    }

    pub(super) fn broken(&self, check: Check) -> Vec<String> {
        check(&Evidence::new(&self.history, &self.dump, &self.catalog)).broken
    }

    /// The task in the end.
    pub(super) fn first(&mut self) -> &mut Final {
        self.dump.tasks.get_mut(&Self::FIRST).unwrap()
    }

    /// Adds a poll of a changed view, before the end.
    pub(super) fn poll_after(&mut self, change: impl FnOnce(&mut View)) {
        let mut view = self.first().view.clone();
        change(&mut view);
        self.history.polls.push(Poll { id: Self::FIRST, call: 120, ret: 130, view: Arc::new(view) });
    }

    /// The effect's first attempt was lost in a kill; the one seen to succeed is the second.
    pub(super) fn lost_effect_attempt(&mut self) {
        let task = self.first();
        task.view.subs[1].attempt = 2;
        task.view.subs[1].started = Some(1_003);
        let second = &mut task.attempts[1];
        (second.number, second.started) = (2, 1_003);
        let lost = AttemptView {
            number: 1,
            started: 1_002,
            ended: Some(1_003),
            status: "LOST".into(),
            ..second.clone()
        };
        task.attempts.push(lost);
        let view = Arc::new(task.view.clone());
        self.history.polls[1].view = view;
    }

    /// The plain sub-task failed once and succeeded after a pause; its backoff is 20 ms.
    pub(super) fn retried(&mut self, pause: i64) {
        self.catalog.kinds[0].subs[0].retry = Some(Retry { attempts: 3, backoff: 20, factor: 2.0, max: 100 });
        let task = self.first();
        task.view.subs[0].attempt = 2;
        let second = &mut task.attempts[0];
        let failed = AttemptView { ended: Some(1_001), status: "FAILED".to_owned(), ..second.clone() };
        (second.number, second.started, second.ended) = (2, 1_001 + pause, Some(1_002 + pause));
        task.attempts.push(failed);
    }

    /// The effect must not be repeated.
    pub(super) fn make_once(&mut self) {
        self.catalog.kinds[0].subs[1].once = true;
    }

    /// An operator said that it was not done.
    pub(super) fn told_not_done(&mut self) {
        self.decided(Verb::NotDone);
    }

    /// Makes the task end cancelled.
    pub(super) fn cancelled(&mut self) {
        self.decided(Verb::Cancel);
        self.first().view.status = TaskStatus::Cancelled;
    }

    fn decided(&mut self, what: Verb) {
        let answer = DecisionAnswer::Acked;
        self.history.decisions.push(Decision {
            id: Self::FIRST,
            what,
            call: 140,
            ret: 150,
            ret_wall: 2_000,
            answer,
        });
    }
}
