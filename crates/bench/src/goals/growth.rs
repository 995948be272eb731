//! P7: what the same requests cost with a large store, against a small one. Both servers run at once and are
//! asked in turn, so that they meet the same minutes.

use anyhow::Result;

use crate::bench::{Bench, POPULAR, SMALL, bodies, median, run_tasks};
use crate::child::Server;
use crate::load::{Request, Who, gets, posts};
use crate::report::{Row, Target, short};
use crate::say;

impl Bench {
    /// P7.
    pub(crate) fn growth(&mut self) -> Result<()> {
        let large_data = self.store(self.tasks, "large")?;
        let small_data = self.store(SMALL, "small")?;
        let (small, large) = (self.places.longhaul(&small_data)?, self.places.longhaul(&large_data)?);
        let popular = |server: &Server| -> Result<Request> {
            let ids = run_tasks(server, POPULAR)?;
            Ok(gets(&server.who, ids.iter().map(|id| format!("/v1/tasks/{id}")).collect()))
        };
        let (one, other) = (popular(&small)?, popular(&large)?);
        let both = |request: &dyn Fn(&Who) -> Request| (request(&small.who), request(&large.who));
        let lists = |query: &str| both(&|who| gets(who, vec![format!("/v1/tasks?{query}")]));
        let tasks = || both(&|who| posts(who, "/v1/tasks?wait=30s", bodies(false)));
        let asked: [(&str, usize, (Request, Request)); 6] = [
            ("GET of a task", 64, (one, other)),
            ("list, newest ten", 8, lists("")),
            ("list, taskStatus=FAILED by name", 8, lists("taskStatus=FAILED&orderBy=name")),
            ("5-step task alone", 1, tasks()),
            ("5-step tasks", 64, tasks()),
            ("submissions", 64, both(&|who| posts(who, "/v1/tasks", bodies(true)))),
        ];
        for (what, connections, (to_small, to_large)) in &asked {
            say(&format!("P7 {what}, {connections} connections"));
            let (mut at_small, mut at_large) = (Vec::new(), Vec::new());
            for _ in 0..self.rounds {
                at_small.push(self.load("small store", small.at, *connections, to_small)?);
                at_large.push(self.load("large store", large.at, *connections, to_large)?);
            }
            let (at_small, at_large) = (median(&at_small), median(&at_large));
            self.rows.push(Row {
                goal: "P7",
                what: format!("{what}: cost at {} tasks", self.tasks),
                ours: format!("{:.0}/s, p99 {} ms", at_large.rate, short(at_large.p99)),
                other: format!("at 1k {:.0}/s, p99 {} ms", at_small.rate, short(at_small.p99)),
                measure: at_small.rate / at_large.rate,
                target: Target::AtMost(1.2),
            });
        }
        small.stop()?;
        large.stop()
    }
}
