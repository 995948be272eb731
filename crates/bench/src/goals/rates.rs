//! P1, P2, P4, P5: rates and latencies, Longhaul and the spike in turn.

use anyhow::Result;

use crate::bench::{Bench, POPULAR, SMALL, bodies, median, run_tasks, spike_bodies};
use crate::load::{Figures, Request, Who, gets, posts};
use crate::report::{Row, Target, short};
use crate::{child, say};

/// Makes the request to repeat, from a server that runs and for whom to ask as.
type MakeRequest = Box<dyn Fn(&child::Server, &Who) -> Result<Request>>;

/// Credentials that Longhaul is asked with.
#[derive(Clone, Copy)]
enum Credential {
    ApiKey,
    AccessToken,
}

/// Credentials of services, and of people and the clients of the Tasks API.
const EITHER: [Credential; 2] = [Credential::ApiKey, Credential::AccessToken];

impl Credential {
    fn name(self) -> &'static str {
        match self {
            Credential::ApiKey => "API key",
            Credential::AccessToken => "access token",
        }
    }

    fn who(self, server: &child::Server) -> Result<Who> {
        match self {
            Credential::ApiKey => Ok(server.who.clone()),
            Credential::AccessToken => server.session(),
        }
    }
}

/// Load that both can be given.
struct Pair<'a> {
    what: &'a str,
    connections: usize,
    spike: Vec<(&'a str, Request)>,
    longhaul: MakeRequest,
    credentials: &'a [Credential],
}

impl Bench {
    /// Rounds of both: the spike's figures for each of its requests, and Longhaul's for each credential.
    fn rounds(&self, pair: &Pair) -> Result<(Vec<Figures>, Vec<Figures>)> {
        let mut theirs = vec![Vec::new(); pair.spike.len()];
        let mut ours = vec![Vec::new(); pair.credentials.len()];
        for round in 1..=self.rounds {
            say(&format!("{}, {} connections, round {round}", pair.what, pair.connections));
            for ((name, request), figures) in pair.spike.iter().zip(&mut theirs) {
                let spike = self.places.spike()?;
                if name.starts_with("GET") {
                    self.spike_rows(&spike)?;
                }
                figures.push(self.load(&format!("spike {name}"), spike.at, pair.connections, request)?);
                spike.stop()?;
            }
            for (credential, figures) in pair.credentials.iter().zip(&mut ours) {
                let data = self.store(SMALL, "small")?;
                let longhaul = self.places.longhaul(&data)?;
                let request = (pair.longhaul)(&longhaul, &credential.who(&longhaul)?)?;
                let what = format!("Longhaul, {}", credential.name());
                figures.push(self.load(&what, longhaul.at, pair.connections, &request)?);
                longhaul.stop()?;
            }
        }
        let medians = |of: Vec<Vec<Figures>>| of.iter().map(|rounds| median(rounds)).collect();
        Ok((medians(theirs), medians(ours)))
    }

    /// Rows for the spike's GETs, through its own front door.
    fn spike_rows(&self, spike: &child::Server) -> Result<()> {
        let time = std::time::Duration::from_millis(500);
        crate::load::Load { connections: 64, time }
            .run(spike.at, &posts(&Who::nobody(), "/tasks", spike_bodies()))
            .map(|_| ())
    }

    /// P1: submissions that are durable when they are answered.
    pub(crate) fn submissions(&mut self) -> Result<()> {
        let pair = Pair {
            what: "P1 submissions",
            connections: 64,
            spike: vec![("POST /tasks", posts(&Who::nobody(), "/tasks", spike_bodies()))],
            longhaul: Box::new(|_, who| Ok(posts(who, "/v1/tasks", bodies(true)))),
            credentials: &EITHER,
        };
        let (spike, ours) = self.rounds(&pair)?;
        for (credential, ours) in EITHER.into_iter().zip(ours) {
            let what = format!("durable submissions/s, 64 connections, {}", credential.name());
            self.rate_row("P1", &what, ours, spike[0], Target::AtLeast(0.8));
            self.rows.push(Row {
                goal: "P1",
                what: "  their p99".into(),
                ours: format!("{} ms", short(ours.p99)),
                other: format!("spike {} ms", short(spike[0].p99)),
                measure: ours.p99 / spike[0].p99,
                target: Target::AtMost(2.0),
            });
        }
        Ok(())
    }

    /// P2: whole tasks.
    pub(crate) fn tasks(&mut self) -> Result<()> {
        for (connections, target) in [(64, Target::AtLeast(1.0)), (256, Target::None)] {
            let (spike, ours) = self.rounds(&whole_tasks("P2 tasks of five sub-tasks", connections, true))?;
            let what = format!("5-step tasks/s, {connections} at once, 11 changes");
            self.rate_row("P2", &what, ours[0], spike[0], target);
            self.rate_row("P2", "  against the spike with 6 changes", ours[0], spike[1], Target::None);
        }
        Ok(())
    }

    /// P4: a task that is alone.
    pub(crate) fn alone(&mut self) -> Result<()> {
        let (spike, ours) = self.rounds(&whole_tasks("P4 a task alone", 1, false))?;
        self.rows.push(Row {
            goal: "P4",
            what: "a 5-step task alone, p50".into(),
            ours: format!("{} ms", short(ours[0].p50)),
            other: format!("spike {} ms", short(spike[0].p50)),
            measure: ours[0].p50 / spike[0].p50,
            target: Target::AtMost(1.0),
        });
        Ok(())
    }

    /// P5: GETs.
    pub(crate) fn gets(&mut self) -> Result<()> {
        let pair = Pair {
            what: "P5 GET of a task",
            connections: 64,
            spike: vec![(
                "GET /db",
                gets(&Who::nobody(), (1..=POPULAR).map(|seq| format!("/db/{seq}")).collect()),
            )],
            longhaul: Box::new(|server, who| {
                let ids = run_tasks(server, POPULAR)?;
                Ok(gets(who, ids.iter().map(|id| format!("/v1/tasks/{id}")).collect()))
            }),
            credentials: &EITHER,
        };
        let (spike, ours) = self.rounds(&pair)?;
        for (credential, ours) in EITHER.into_iter().zip(ours) {
            let what = format!("GET /v1/tasks/{{id}}/s, 64 connections, {}", credential.name());
            self.rate_row("P5", &what, ours, spike[0], Target::AtLeast(0.7));
        }
        Ok(())
    }

    fn rate_row(&mut self, goal: &'static str, what: &str, ours: Figures, spike: Figures, target: Target) {
        self.rows.push(Row {
            goal,
            what: what.to_owned(),
            ours: format!("{:.0}/s, p99 {} ms", ours.rate, short(ours.p99)),
            other: format!("spike {:.0}/s, p99 {} ms", spike.rate, short(spike.p99)),
            measure: ours.rate / spike.rate,
            target,
        });
    }
}

fn whole_tasks(what: &str, connections: usize, fewer_too: bool) -> Pair<'_> {
    let mut spike = vec![("POST /run/11", posts(&Who::nobody(), "/run/11", spike_bodies()))];
    if fewer_too {
        spike.push(("POST /run/6", posts(&Who::nobody(), "/run/6", spike_bodies())));
    }
    let longhaul: MakeRequest = Box::new(|_, who| Ok(posts(who, "/v1/tasks?wait=30s", bodies(false))));
    Pair { what, connections, spike, longhaul, credentials: &EITHER[..1] }
}
