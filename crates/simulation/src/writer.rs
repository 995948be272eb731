//! The writer of a node: it gathers jobs, runs them in one transaction, and reports the effects once the
//! commit is known. Only here is the model asked.

use longhaul_model::{Change, Command, Effect, Failure, Refused, Room, Task, Unlimited};

use crate::claims::Care;
use crate::event::{Answer, Done, Grant, Job, Key, NodeEvent, Reply, Who, Work};
use crate::leases::SPAN;
use crate::oracle::Asked;
use crate::plant::Plant;
use crate::world::{World, note};

/// Pause before a failed commit is tried again, in milliseconds.
const AGAIN: u64 = 300;

impl World {
    /// Posts a command for which nobody waits; repeated until it is durable or refused.
    pub(crate) fn post(&mut self, n: usize, task: usize, command: Command) {
        self.ask(n, Job::Command { task, command: Box::new(command), client: false });
    }

    pub(crate) fn ask(&mut self, n: usize, job: Job) {
        self.nodes[n].memory.jobs.push_back(job);
        self.kick(n, 1);
    }

    fn kick(&mut self, n: usize, after: u64) {
        let memory = &mut self.nodes[n].memory;
        if !memory.committing && !memory.jobs.is_empty() {
            memory.committing = true;
            let pause = self.rng.below(5);
            self.at(n, after + pause, NodeEvent::Commit);
        }
    }

    /// Commits the batch, or fails to.
    pub(crate) fn commit(&mut self, n: usize) {
        self.nodes[n].memory.committing = false;
        if self.plan.cluster && self.nodes[n].cut {
            return self.failed(n);
        }
        let over = self.database.turns.get(&self.nodes[n].turn).is_none_or(|turn| turn.over);
        if self.plan.cluster && over && !self.is(Plant::NoFence) {
            return self.begin_anew(n);
        }
        if !self.healed && self.rng.chance(self.plan.crashes) {
            note!(self, "n{n} dies before a commit");
            self.oracle.saw("died before a commit");
            return self.crash(n);
        }
        if !self.healed && self.rng.chance(self.plan.failures) {
            self.oracle.saw("commit failed");
            return self.failed(n);
        }
        let jobs: Vec<Job> = self.nodes[n].memory.jobs.drain(..).collect();
        let mut done = Vec::new();
        for job in jobs {
            self.execute(n, job, &mut done);
        }
        if !self.healed && self.rng.chance(self.plan.crashes) {
            note!(self, "n{n} dies between a commit and its effects");
            self.oracle.saw("died behind a commit");
            return self.crash(n);
        }
        self.tell(n, done);
        self.kick(n, 1);
    }

    /// Makes a commit known after a while: late if its answer was lost and had to be looked up.
    fn tell(&mut self, n: usize, done: Vec<Done>) {
        let lost = self.plan.cluster && !self.healed && self.rng.chance(self.plan.loss);
        let after = if lost { self.rng.within(200, 2_000) } else { self.rng.within(1, 8) };
        let memory = &mut self.nodes[n].memory;
        memory.known_at = memory.known_at.max(self.now + after);
        let after = memory.known_at - self.now;
        self.at(n, after, NodeEvent::Known(done));
    }

    /// Handles a batch that failed as a whole: posted commands are repeated, other jobs are dropped.
    fn failed(&mut self, n: usize) {
        note!(self, "n{n} fails to commit");
        if self.is(Plant::EffectsBeforeCommit) {
            self.rehearse(n);
        }
        if self.is(Plant::ConfirmedBeforeCommit) {
            let submitted = self.nodes[n].memory.jobs.iter().filter_map(|job| match job {
                Job::Submit { client, .. } => Some(*client),
                _ => None,
            });
            let done: Vec<Done> = submitted.map(|client| Done::reply(Reply::Client(client))).collect();
            self.tell(n, done);
        }
        self.put_back(n);
        let dropped = self.is(Plant::ResultsDropped);
        let posted = |job: &Job| matches!(job, Job::Command { client: false, .. }) && !dropped;
        self.nodes[n].memory.jobs.retain(posted);
        self.kick(n, AGAIN);
    }

    /// Puts work that was taken out of the queues back into them, as nobody leased it.
    fn put_back(&mut self, n: usize) {
        let taken: Vec<(usize, u32)> = self.nodes[n]
            .memory
            .jobs
            .iter()
            .filter_map(|job| match job {
                Job::Work(work) => Some(&work.leases),
                _ => None,
            })
            .flatten()
            .copied()
            .collect();
        for (task, sub_task) in taken {
            self.put_into_queue(n, task, sub_task);
        }
    }

    /// Reports the effects of a batch as if it were committed; the database stays as it is.
    fn rehearse(&mut self, n: usize) {
        let (database, oracle) = (self.database.clone(), self.oracle.clone());
        let commands: Vec<(usize, Command)> = self.nodes[n]
            .memory
            .jobs
            .iter()
            .filter_map(|job| match job {
                Job::Command { task, command, .. } => Some((*task, Command::clone(command))),
                _ => None,
            })
            .collect();
        let mut done = Vec::new();
        for (task, command) in commands {
            let _ = self.change(n, task, command, &mut done);
        }
        (self.database, self.oracle) = (database, oracle);
        self.tell(n, done);
    }

    fn execute(&mut self, n: usize, job: Job, done: &mut Vec<Done>) {
        match job {
            Job::Submit { client, task } => self.accept(n, client, *task, done),
            Job::Command { task, command, client } => {
                if !client || self.is_true(task, &command) {
                    let _ = self.change(n, task, *command, done);
                }
            }
            Job::Work(work) => self.work(n, work, done),
            Job::SweepClaims => {
                let granted = self.database.claims.sweep();
                self.note_granted(&granted);
                self.granted(n, granted, done);
            }
        }
    }

    /// Accepts a task, once for each submission.
    fn accept(&mut self, n: usize, client: usize, task: Task, done: &mut Vec<Done>) {
        if !self.database.submitted.contains_key(&client) {
            let place = self.database.add(task);
            self.database.submitted.insert(client, place);
            self.oracle.accepted(place, self.database.record(place));
            if let Err(refused) = self.change(n, place, Command::Begin, done) {
                self.oracle.breaks(format!("t{place} cannot begin: {refused}"));
            }
        } else {
            self.oracle.saw("submission repeated");
        }
        done.push(Done::reply(Reply::Client(client)));
    }

    /// Applies a worker's report and its leases in one change.
    fn work(&mut self, n: usize, work: Work, done: &mut Vec<Done>) {
        let Work { who, request, report, leases, room } = work;
        let mut grants = Vec::new();
        let reported = report.map(|(key, command)| {
            if let Ok(granted) = self.change(n, key.0, *command, done) {
                grants.extend(granted);
            }
            key
        });
        let mut leases = leases;
        while !leases.is_empty() {
            self.lease_all(n, who, leases, room, &mut grants, done);
            // All of it was taken by others meanwhile: work that waits behind it is tried.
            let again = grants.is_empty() && request.is_some();
            leases = if again { self.nodes[n].memory.queues.take(room) } else { Vec::new() };
        }
        let answer = match (reported, request) {
            (Some(key), _) => Answer::Reported { key, grants },
            (None, request) => Answer::Leased { request: request.unwrap_or_default(), grants },
        };
        done.push(Done::reply(Reply::Worker(who, answer)));
    }

    /// Leases these sub-tasks as long as there is room.
    fn lease_all(
        &mut self,
        n: usize,
        who: Who,
        leases: Vec<(usize, u32)>,
        room: usize,
        grants: &mut Vec<Grant>,
        done: &mut Vec<Done>,
    ) {
        let terms = self.terms(who);
        for (task, sub_task) in leases {
            if grants.len() >= room {
                self.put_into_queue(n, task, sub_task);
                continue;
            }
            match self.change(n, task, Command::Lease { sub_task, terms: terms.clone() }, done) {
                Ok(granted) => grants.extend(granted),
                Err(_) if self.is(Plant::LeaseFromMemory) => {
                    let token = self.database.record(task).sub_tasks[sub_task as usize].token();
                    let (key, known_by) = ((task, sub_task, token), format!("{task}-{sub_task}"));
                    grants.push(Grant { key, known_by, span: SPAN });
                }
                Err(_) => {}
            }
        }
    }

    /// Applies a command to a task, and what follows from it to others.
    pub(crate) fn change(
        &mut self,
        n: usize,
        task: usize,
        command: Command,
        done: &mut Vec<Done>,
    ) -> Result<Vec<Grant>, Refused> {
        let mut freed = Vec::new();
        let grants = self.apply(n, task, command, done, &mut freed)?;
        while let Some(key) = freed.pop() {
            if self.is(Plant::LostWakeUp) && self.rng.chance(200) {
                continue;
            }
            let granted = self.database.claims.wake(&key, self.care());
            self.note_granted(&granted);
            for granted in granted {
                if self.plan.cluster {
                    self.granted(n, vec![granted], done);
                } else if let Err(refused) = self.apply(n, granted, Command::Acquired, done, &mut freed) {
                    self.oracle.breaks(format!("t{granted} has what it claims and refuses it: {refused}"));
                }
            }
        }
        Ok(grants)
    }

    /// Tells tasks that their claims were granted: with one server at once, else each in a transaction of its
    /// own.
    fn granted(&mut self, n: usize, granted: Vec<usize>, done: &mut Vec<Done>) {
        for task in granted {
            if self.plan.cluster {
                self.database.untold.insert(task, self.now);
                self.post(n, task, Command::Acquired);
            } else {
                self.oracle.saw("granted by the sweep");
                let _ = self.change(n, task, Command::Acquired, done);
            }
        }
    }

    fn care(&self) -> Care {
        Care {
            looks_at: if self.is(Plant::WakeFirstFew) { 3 } else { usize::MAX },
            checks: if self.is(Plant::GrantByFirst) { 1 } else { usize::MAX },
        }
    }

    /// Applies a command to the model, and keeps the table of claims up to date.
    fn apply(
        &mut self,
        n: usize,
        task: usize,
        command: Command,
        done: &mut Vec<Done>,
        freed: &mut Vec<String>,
    ) -> Result<Vec<Grant>, Refused> {
        let asked = Asked::of(&command);
        let command = self.careless(task, command);
        let (node, by) = (self.nodes[n].id, (n, self.nodes[n].epoch));
        let now = self.nodes[n].clocks.now(self.now);
        let as_text = self.rng.chance(100);
        let room = self.room(n);
        let room: &dyn Room = if self.is(Plant::BeginWithoutPermit) { &Unlimited } else { &room };
        if let ("Start", Some(sub_task)) = (asked.name, asked.sub_task) {
            self.nodes[n].memory.places.started((task, sub_task));
        }
        let stored = self.database.task(task, by, as_text);
        let mut change = match stored.apply_in(node, room, command, now) {
            Ok(change) => change,
            Err(refused) => {
                note!(self, "n{n} t{task} refuses {asked:?}: {refused}");
                if asked.name == "Acquired" {
                    self.database.untold.remove(&task);
                }
                self.oracle.saw(asked.name);
                return Err(refused);
            }
        };
        if change.claims && self.request(task) {
            let next = self.database.tasks[task].task.apply_in(node, room, Command::Acquired, now)?;
            change.and(next);
        }
        if asked.name == "Acquired" {
            self.database.untold.remove(&task);
        }
        if change.releases {
            self.oracle.released(self.database.record(task).id);
            freed.extend(self.database.claims.release(task));
        }
        self.database.index(task);
        self.changes += 1;
        note!(self, "n{n} t{task} {asked:?} -> {}", self.shown(task, &change));
        self.oracle.changed(now, task, &self.database.tasks[task].task, &asked, &change);
        if asked.name == "Recover" {
            self.check_lost(task, &change);
        }
        let grants = self.grants(task, &change);
        let revision = self.database.record(task).state.revision;
        done.push(Done { task, effects: change.effects, revision, reply: None });
        Ok(grants)
    }

    fn request(&mut self, task: usize) -> bool {
        let (id, claims) = (self.database.record(task).id, self.database.record(task).claims());
        let care = self.care();
        self.oracle.requested(id, &claims);
        let at_once = self.database.claims.request(task, claims, care);
        if at_once {
            self.note_granted(&[task]);
        }
        at_once
    }

    /// Notes which tasks the table of claims has given what they claim.
    fn note_granted(&mut self, granted: &[usize]) {
        for task in granted {
            self.oracle.granted(*task, self.database.record(*task).id);
        }
    }

    /// Returns the command as a careless engine would change it.
    fn careless(&self, task: usize, command: Command) -> Command {
        let live = |sub_task: u32| {
            let sub = self.database.record(task).sub_tasks.get(sub_task as usize);
            sub.map_or(longhaul_model::Token(0), |sub| sub.token())
        };
        match command {
            Command::Complete { sub_task, output, next, .. } if self.is(Plant::AnyToken) => {
                Command::Complete { sub_task, token: live(sub_task), output, by: None, next }
            }
            Command::HandBack { sub_task, token, by } if self.is(Plant::HandBackCounts) => {
                let fault = longhaul_model::Fault::new("STOPPING", "it stops");
                Command::Fail { sub_task, token, failure: Failure::Abandoned { fault }, by }
            }
            command => command,
        }
    }

    /// Returns the grants for workers, and tells the oracle the keys of all attempts.
    fn grants(&mut self, task: usize, change: &Change) -> Vec<Grant> {
        let starts = change.effects.iter().filter_map(|effect| match effect {
            Effect::Start(launch) => Some(launch),
            _ => None,
        });
        for launch in starts.chain(&change.grants) {
            let known_by = self.known_by(task, launch);
            self.oracle.launched(task, launch, &known_by);
        }
        let mut grants = Vec::with_capacity(change.grants.len());
        for launch in &change.grants {
            let key: Key = (task, launch.sub_task, launch.token);
            let whole = self.is(Plant::LeaseOutlastsTimeout);
            let span = launch.lease.filter(|_| !whole).map_or(SPAN, |span| span.0);
            self.oracle.leased(key, span, launch.timeout);
            grants.push(Grant { key, known_by: self.known_by(task, launch), span });
        }
        grants
    }

    /// Returns the key by which an attempt's effects are known.
    pub(crate) fn known_by(&self, task: usize, launch: &longhaul_model::Launch) -> String {
        if !self.is(Plant::KeyOfGeneration) {
            return launch.idempotency_key.clone();
        }
        let record = self.database.record(task);
        let sub = &record.sub_tasks[launch.sub_task as usize];
        let runs = sub.tries.saturating_sub(sub.lost);
        format!("{}-{}-{}-{runs}", record.id, launch.sub_task, record.state.generation)
    }

    /// Formats a task for the trace.
    fn shown(&self, task: usize, change: &Change) -> String {
        let record = self.database.record(task);
        let sub = |i: &u32| {
            let sub = &record.sub_tasks[*i as usize];
            let queued = if sub.queued_at.is_some() { " queued" } else { "" };
            let unknown = if sub.outcome_unknown { " unknown" } else { "" };
            format!("s{i} {:?} #{}{queued}{unknown}", sub.status, sub.attempt)
        };
        let subs: Vec<String> = change.sub_tasks.iter().map(sub).collect();
        format!("{:?} {:?} [{}]", record.state.status, record.state.hold, subs.join(", "))
    }

    pub(crate) fn worker_id(who: Who) -> longhaul_model::WorkerId {
        longhaul_model::WorkerId(format!("svc/{}.{}", who.0, who.1).into())
    }
}
