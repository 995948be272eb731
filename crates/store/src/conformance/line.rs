//! Checks claims against their reference model ([`longhaul_model::Line`]): after any sequence of requests and
//! releases, the same tasks hold and wait. Also checks the sweep, which repairs lost wake-ups.

use std::collections::{BTreeSet, HashMap};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use longhaul_model::workflow::Workflow;
use longhaul_model::{Command, Env, Failure, Line, Span, Spec, Task, TaskId, TaskStatus};
use serde_json::{Value, json};

use super::support::*;
use crate::{LockQuery, Store, Submission};

/// Maximum wait for claims to settle; only work left by one transaction to the next needs it.
const LATE: Duration = Duration::from_secs(60);
/// Number of concurrent submissions.
const AT_ONCE: usize = 250;

/// Deterministic random numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Claims of a task: hosts, each exclusive or shared, and optionally a concurrency key and its limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wish {
    hosts: Vec<(usize, bool)>,
    place: Option<(usize, u32)>,
}

impl Wish {
    fn of(hosts: &[(usize, bool)], place: Option<(usize, u32)>) -> Wish {
        Wish { hosts: hosts.to_vec(), place }
    }

    /// Returns random claims: a few of the hosts, and one of two concurrency keys with varying limits.
    fn random(dice: &mut Dice, hosts: usize) -> Wish {
        let count = dice.below(4);
        let hosts = (0..count).map(|_| (dice.below(hosts), dice.below(3) == 0)).collect();
        let limit = [1, 2, 3, 7][dice.below(4)];
        let place = (count == 0 || dice.below(2) == 0).then(|| (dice.below(2), limit));
        Wish { hosts, place }
    }
}

/// Store with its reference model.
struct Both {
    store: Arc<dyn Store>,
    env: Env,
    /// Versions of one workflow by shape: the workflow's name identifies the slots, the version sets their
    /// limit.
    versions: HashMap<(Vec<bool>, Option<u32>), Arc<Workflow>>,
    line: Line,
}

impl Both {
    fn new(store: Arc<dyn Store>, env: Env) -> Both {
        Both { store, env, versions: HashMap::new(), line: Line::default() }
    }

    async fn task(&mut self, wish: &Wish) -> Box<Task> {
        let shape =
            (wish.hosts.iter().map(|(_, alone)| *alone).collect(), wish.place.map(|(_, limit)| limit));
        let workflow = match self.versions.get(&shape) {
            Some(workflow) => workflow.clone(),
            None => {
                let resource = |(n, (_, alone)): (usize, &(usize, bool))| {
                    let lock = if *alone { "exclusive" } else { "shared" };
                    json!({ "type": "HOST", "resourceId": format!("{{{{ input.h{n} }}}}"), "lock": lock })
                };
                let resources: Vec<Value> = wish.hosts.iter().enumerate().map(resource).collect();
                let mut definition = json!({
                    "name": "w", "type": "T", "title": "t", "input": { "type": "object" }, "resources": resources,
                    "subTasks": [{ "name": "Work", "description": "…", "action": { "simulate": {} } }]
                });
                if let Some((_, limit)) = wish.place {
                    definition["concurrency"] = json!({ "key": "{{ input.place }}", "limit": limit });
                }
                let definition = serde_json::from_value(definition).expect("a definition");
                let workflow = put(&*self.store, definition).await;
                self.versions.insert(shape, workflow.clone());
                workflow
            }
        };
        let mut input = json!({ "place": format!("p{}", wish.place.map_or(0, |(key, _)| key)) });
        for (n, (host, _)) in wish.hosts.iter().enumerate() {
            input[format!("h{n}")] = json!(format!("host-{host}"));
        }
        let spec = Spec { input, labels: Default::default(), requested_by: None, caller: None };
        let id = self.env.new_task_id();
        Box::new(Task::new(id, workflow, spec, None, None, self.env.now()).expect("a task"))
    }

    /// Submits tasks that arrive in the given order.
    async fn request(&mut self, wishes: &[Wish]) {
        for wishes in wishes.chunks(AT_ONCE) {
            let mut submissions = Vec::new();
            for wish in wishes {
                let task = self.task(wish).await;
                self.line.request(task.id(), &task.record().claims());
                submissions.push(Submission { task, key: None, audit: None, newest: false });
            }
            let store = self.store.clone();
            let mut under_way: Vec<Pin<Box<dyn Future<Output = _> + Send>>> =
                submissions.into_iter().map(|submission| store.submit(submission)).collect();
            // Every submission is queued before the next one: the queue has room for all of them.
            let mut answers = Vec::new();
            for submission in &mut under_way {
                answers.push(poll_fn(|context| Poll::Ready(submission.as_mut().poll(context))).await);
            }
            for (submission, answer) in under_way.into_iter().zip(answers) {
                let answer = match answer {
                    Poll::Ready(answer) => answer,
                    Poll::Pending => submission.await,
                };
                answer.expect("accepted");
            }
        }
        self.line.grant();
    }

    /// Ends a task that holds its claims: successfully, or by cancellation.
    async fn end(&mut self, id: TaskId, well: bool) {
        let token = record(&*self.store, id).sub_tasks[0].token();
        let done = if well {
            Command::Complete { sub_task: 0, token, output: None, by: None, next: None }
        } else {
            let cancel = Command::Cancel { by: "ada".into(), grace: Span(1_000) };
            self.store.command(id, cancel, None).await.expect("cancelled");
            // A running attempt is stopped first.
            Command::Fail { sub_task: 0, token, failure: Failure::Stopped, by: None }
        };
        self.store.command(id, done, None).await.expect("ended");
        self.line.release(id);
        self.line.grant();
    }

    /// Cancels a waiting task.
    async fn give_up(&mut self, id: TaskId) {
        let cancel = Command::Cancel { by: "ada".into(), grace: Span(1_000) };
        self.store.command(id, cancel, None).await.expect("cancelled");
        self.line.release(id);
        self.line.grant();
    }

    /// Returns the holding and the waiting tasks according to the store.
    fn stored(&self) -> (BTreeSet<TaskId>, BTreeSet<TaskId>) {
        let page = self.store.locks(&LockQuery { limit: u32::MAX, ..LockQuery::default() }).expect("read");
        assert_eq!(page.total, page.locks.len() as u64);
        let with = |held| page.locks.iter().filter(|lock| lock.held == held).map(|lock| lock.task).collect();
        (with(true), with(false))
    }

    /// Waits until the store agrees with the model and every holder runs.
    async fn agree(&self, when: &str) {
        let holders: BTreeSet<TaskId> = self.line.holders().into_iter().collect();
        let waiting: BTreeSet<TaskId> = self.line.waiting().into_iter().collect();
        let begun = Instant::now();
        loop {
            let stored = self.stored();
            let run = |id: &TaskId| record(&*self.store, *id).state.status == TaskStatus::InProgress;
            if stored.0 == holders && stored.1 == waiting && holders.iter().all(run) {
                return;
            }
            if begun.elapsed() > LATE {
                let lost: Vec<_> = holders.difference(&stored.0).collect();
                let early: Vec<_> = stored.0.difference(&holders).collect();
                panic!("{when}: {lost:?} should hold, {early:?} should not; of {} that wait", waiting.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes one random step: a request, an end or a cancellation.
    async fn step(&mut self, dice: &mut Dice, hosts: usize) {
        let (holders, waiting) = (self.line.holders(), self.line.waiting());
        match dice.below(10) {
            0..=4 => {
                let wishes: Vec<Wish> = (0..=dice.below(3)).map(|_| Wish::random(dice, hosts)).collect();
                self.request(&wishes).await;
            }
            5..=7 if !holders.is_empty() => {
                self.end(holders[dice.below(holders.len())], dice.below(4) > 0).await;
            }
            8 if !waiting.is_empty() => self.give_up(waiting[dice.below(waiting.len())]).await,
            _ => {}
        }
    }
}

/// Compares store and model after each of many random steps on a few keys; the store is reopened in between.
pub async fn claims_follow_the_plain_rules(fixture: &mut impl Fixture) {
    let env = fixture.env();
    let mut both = Both::new(fixture.open().await, env);
    for seed in 1..=3_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        for step in 0..60 {
            both.step(&mut dice, 1 + seed as usize * 2).await;
            both.agree(&format!("seed {seed}, step {step}")).await;
        }
        both.store.close().await;
        both.store = fixture.open().await;
        both.store.recover().await.expect("recovered");
        both.agree(&format!("opened anew after seed {seed}")).await;
    }
    both.store.close().await;
}

/// Compares store and model while `waiting` tasks queue behind each other in different ways. Too slow to be
/// part of the suite for every fixture.
pub async fn long_lines_follow_the_plain_rules(fixture: &mut impl Fixture, waiting: usize) {
    let env = fixture.env();
    let mut both = Both::new(fixture.open().await, env);
    let mut dice = Dice(0x5eed);
    let (shared, alone, other) = (100, 101, 102);
    let gate = both_ends(&mut both, &[(shared, true)]).await;
    let block = both_ends(&mut both, &[(alone, true)]).await;
    let wishes: Vec<Wish> = (0..waiting)
        .map(|n| match n % 20 {
            // Behind the gate, and after that behind the block, waiting for a place, or free.
            0..=9 => Wish::of(&[(shared, false), (alone, true)], None),
            10..=13 => Wish::of(&[(shared, false), (other, true)], Some((0, 2))),
            14..=16 => Wish::of(&[(alone, false)], Some((0, 3))),
            _ => Wish::random(&mut dice, 8),
        })
        .collect();
    both.request(&wishes).await;
    // The last in line, behind thousands of blocked tasks.
    both.request(&[Wish::of(&[(shared, false)], None)]).await;
    both.agree("all of them wait").await;
    both.end(gate, true).await;
    both.agree("the gate is open").await;
    for step in 0..20 {
        both.step(&mut dice, 8).await;
        both.agree(&format!("step {step}")).await;
    }
    both.end(block, true).await;
    both.agree("the block is gone").await;
    for step in 20..40 {
        both.step(&mut dice, 8).await;
        both.agree(&format!("step {step}")).await;
    }
    both.store.close().await;
}

/// Submits a task that gets its hosts at once.
async fn both_ends(both: &mut Both, hosts: &[(usize, bool)]) -> TaskId {
    both.request(&[Wish::of(hosts, None)]).await;
    *both.line.holders().last().expect("it has them")
}

/// Statements that lose wake-ups: holders vanish silently, and the `clear` marks are wrong in either
/// direction.
const LOST: [&str; 3] = [
    "DELETE FROM claims WHERE held",
    "DELETE FROM claims WHERE held; UPDATE claims SET clear = (1 = 0)",
    "DELETE FROM claims WHERE held; UPDATE claims SET clear = (mode < 2)",
];

/// Checks that the sweep repairs lost wake-ups. `operator` runs statements on the database while the store is
/// open.
pub async fn lost_wake_ups_are_made_good(fixture: &mut impl Fixture, operator: impl Fn(&str)) {
    let env = fixture.env();
    let wishes = [
        Wish::of(&[(0, true)], None),
        Wish::of(&[], Some((0, 1))),
        Wish::of(&[(0, true), (1, false)], Some((0, 1))),
        Wish::of(&[(0, false), (1, true)], None),
    ];
    let store = fixture.open().await;
    for lost in LOST {
        for wish in &wishes {
            let mut both = Both::new(store.clone(), env.clone());
            both.request(&[wish.clone(), wish.clone(), wish.clone()]).await;
            both.agree("one holds").await;
            let ids = [both.line.holders(), both.line.waiting()].concat();
            operator(lost);
            // By the model, the first task is gone, the second is granted its claims, and the third keeps
            // waiting.
            both.line.release(ids[0]);
            both.line.grant();
            let begun = Instant::now();
            let mut found = 0;
            while both.stored().0 != BTreeSet::from([ids[1]]) {
                assert!(begun.elapsed() < LATE, "{lost}: {wish:?} is not woken up");
                found += store.sweep_claims().await.expect("swept").found;
                store.flush().await.expect("flushed");
            }
            assert!(found > 0, "the sweep found it");
            both.agree(lost).await;
            for id in [ids[1], ids[2]] {
                both.end(id, true).await;
            }
            // The first task continued without its claims.
            complete(&*store, ids[0], 0, None).await;
            both.agree("nobody is left").await;
            // The sweep finds nothing where nothing was lost.
            assert_eq!(store.sweep_claims().await.expect("swept").found, 0);
        }
    }
    store.close().await;
}

/// Checks that claims recorded by an earlier version are carried on. `before` downgrades the schema of a
/// closed store to that version.
pub async fn claims_of_before_go_on(fixture: &mut impl Fixture, before: impl Fn()) {
    let env = fixture.env();
    let mut both = Both::new(fixture.open().await, env);
    let mut dice = Dice(0xbef0);
    let wishes: Vec<Wish> = (0..60).map(|_| Wish::random(&mut dice, 4)).collect();
    both.request(&wishes).await;
    both.agree("before").await;
    both.store.close().await;
    before();
    both.store = fixture.open().await;
    both.store.recover().await.expect("recovered");
    both.agree("after").await;
    while let Some(id) = both.line.holders().first().copied() {
        both.end(id, true).await;
        both.agree("one ended").await;
    }
    assert_eq!(both.line.waiting(), []);
    both.store.close().await;
}
