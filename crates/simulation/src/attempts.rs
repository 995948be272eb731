//! Built-in attempts: they wait for a permit, ask their target, and their results are posted.

use longhaul_model::{Command, Failure, Fault, Room};

use crate::event::{Ending, Key, NodeEvent};
use crate::node::{Course, Limited};
use crate::world::{World, note};

impl World {
    /// Returns the room that a node has; none while it drains.
    pub(crate) fn room(&self, n: usize) -> Limited {
        let memory = &self.nodes[n].memory;
        let most = if memory.draining { 0 } else { self.plan.permits };
        Limited { taken: memory.taken.clone(), most }
    }

    /// Starts sub-tasks in line as long as there is room.
    pub(crate) fn serve_line(&mut self, n: usize) {
        let room = self.room(n);
        while let Some(permit) = room.permit() {
            let Some((task, sub_task)) = self.nodes[n].memory.places.start() else { return };
            self.post(n, task, Command::Start { sub_task, permit });
        }
    }

    /// Gives permits to waiting attempts as long as there are free ones; attempts that wait while the node
    /// drains are handed back.
    pub(crate) fn admit(&mut self, n: usize) {
        loop {
            let memory = &mut self.nodes[n].memory;
            let busy = memory.runs.values().filter(|run| run.course.is_some()).count();
            if busy >= self.plan.permits {
                return;
            }
            let Some(key) = memory.line.pop_front() else { return };
            if memory.draining {
                self.oracle.hands_back(key);
                self.finish(n, key, Ending::HandedBack);
                continue;
            }
            self.begin_run(n, key);
        }
    }

    fn begin_run(&mut self, n: usize, key: Key) {
        let Some(run) = self.nodes[n].memory.runs.get(&key) else { return };
        if run.stop {
            return self.finish(n, key, Ending::Stopped);
        }
        let timeout = run.started.timeout;
        let course = self.course(timeout);
        note!(self, "n{n} begins {key:?}: {course:?}");
        self.oracle.run_begins(self.now, key, n);
        if let Some(run) = self.nodes[n].memory.runs.get_mut(&key) {
            run.course = Some(course);
        }
        self.plan_step(n, key, course);
    }

    fn plan_step(&mut self, n: usize, key: Key, course: Course) {
        let next = course.acts_at.unwrap_or(course.ends_at).min(course.ends_at);
        self.at(n, next.saturating_sub(self.now), NodeEvent::Step(key));
    }

    /// Draws the course of an attempt that begins now.
    pub(crate) fn course(&mut self, timeout: Option<u64>) -> Course {
        let slow = self.rng.chance(if self.healed { 20 } else { 120 });
        let lasts = if slow { self.rng.within(1_000, 9_000) } else { self.rng.within(2, 400) };
        let ending = match (self.healed, self.rng.below(1_000)) {
            (true, 0..940) | (false, 0..700) => Ending::Done,
            (true, _) | (_, 700..820) => Ending::Refused { retryable: true },
            (_, 820..860) => Ending::Refused { retryable: false },
            (_, 860..900) => Ending::Local,
            (_, 900..960) => Ending::Unknown,
            _ => Ending::Abandoned,
        };
        let asks = match ending {
            Ending::Local | Ending::Unknown | Ending::Abandoned => self.rng.chance(500),
            _ => true,
        };
        let acts_at = asks.then(|| self.now + self.rng.below(lasts + 1));
        let course = Course { acts_at, ends_at: self.now + lasts, ending };
        match timeout {
            // The attempt may have asked its target before the timeout.
            Some(limit) if lasts >= limit => {
                Course { ends_at: self.now + limit, ending: Ending::Timeout, ..course }
            }
            _ => course,
        }
    }

    /// Asks the target on behalf of an attempt, whose ending follows from the answer.
    pub(crate) fn asks(&mut self, key: Key, known_by: &str, course: &mut Course) {
        course.acts_at = None;
        let wants = !matches!(course.ending, Ending::Refused { .. });
        let done = self.target.ask(key.0, key.1, known_by, wants);
        note!(self, "{key:?} asks the target as {known_by}: {done}");
        match course.ending {
            Ending::Done if !done => course.ending = Ending::Refused { retryable: true },
            Ending::Refused { .. } if done => course.ending = Ending::Done,
            _ => {}
        }
    }

    /// Lets a built-in attempt ask its target, or end.
    pub(crate) fn step(&mut self, n: usize, key: Key) {
        let Some(run) = self.nodes[n].memory.runs.get(&key) else { return };
        let Some(mut course) = run.course else { return };
        let known_by = run.started.known_by.clone();
        if course.acts_at.is_some_and(|at| at <= self.now.min(course.ends_at)) {
            self.asks(key, &known_by, &mut course);
            if let Some(run) = self.nodes[n].memory.runs.get_mut(&key) {
                run.course = Some(course);
            }
        }
        if course.ends_at <= self.now {
            return self.finish(n, key, course.ending);
        }
        self.plan_step(n, key, course);
    }

    /// Tells an attempt to stop: some stop after a while, and some do not listen.
    pub(crate) fn stop_run(&mut self, n: usize, key: Key) {
        let obeys = self.rng.chance(700);
        let after = self.rng.within(1, 1_500);
        let now = self.now;
        let Some(run) = self.nodes[n].memory.runs.get_mut(&key) else { return };
        run.stop = true;
        if let Some(course) = run.course.as_mut().filter(|course| obeys && course.ends_at > now + after) {
            course.acts_at = None;
            (course.ends_at, course.ending) = (now + after, Ending::Stopped);
            self.at(n, after, NodeEvent::Step(key));
        }
    }

    fn finish(&mut self, n: usize, key: Key, ending: Ending) {
        note!(self, "n{n} ends {key:?}: {ending:?}");
        self.nodes[n].memory.runs.remove(&key);
        self.oracle.run_ends(key);
        self.post(n, key.0, said(key, ending, None));
        self.admit(n);
        self.serve_line(n);
    }
}

/// Returns the command by which the runner of an attempt reports its ending.
pub(crate) fn said(
    (_, sub_task, token): Key,
    ending: Ending,
    by: Option<longhaul_model::WorkerId>,
) -> Command {
    let fault = || Fault::new("BROKEN", "it broke");
    let failure = match ending {
        Ending::Done => return Command::Complete { sub_task, token, output: None, by, next: None },
        Ending::HandedBack => return Command::HandBack { sub_task, token, by },
        Ending::Refused { retryable } => Failure::Error { fault: fault(), retryable },
        Ending::Local => Failure::Local { fault: fault(), retryable: true },
        Ending::Unknown => Failure::Unknown { fault: fault() },
        Ending::Abandoned => Failure::Abandoned { fault: fault() },
        Ending::Stopped => Failure::Stopped,
        Ending::Timeout => Failure::Timeout,
    };
    Command::Fail { sub_task, token, failure, by }
}
