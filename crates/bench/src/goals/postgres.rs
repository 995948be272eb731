//! P10: one node on PostgreSQL, against the same server on its own files, and what a change costs the
//! database.

use anyhow::{Context, Result};
use longhaul_testbed::{Cluster, Durability};

use crate::bench::{Bench, SMALL, bodies, median};
use crate::load::{Figures, Request, Who, posts};
use crate::report::{Row, Target, short};
use crate::say;

/// Changes of a task of five steps: its submission, and the begin and end of each step.
const CHANGES: f64 = 11.0;
/// Round trips of a transaction of the writer at the most: what it reads, what it writes, the commit. Where
/// all is at hand, the first two are one.
pub(super) const ROUND_TRIPS: f64 = 3.0;

/// Requests that both are given.
pub(super) struct Asked {
    pub(super) what: &'static str,
    pub(super) request: fn(&Who) -> Request,
    changes: f64,
}

pub(super) const ALL: [Asked; 2] = [
    Asked {
        what: "durable submissions/s, 64 connections",
        request: |who| posts(who, "/v1/tasks", bodies(true)),
        changes: 1.0,
    },
    Asked {
        what: "5-step tasks/s, 64 at once",
        request: |who| posts(who, "/v1/tasks?wait=30s", bodies(false)),
        changes: CHANGES,
    },
];

/// Counts of a database during a load, for each change.
#[derive(Clone, Copy)]
struct Cost {
    statements: f64,
    round_trips: f64,
}

impl Bench {
    /// P10.
    pub(crate) fn postgres(&mut self) -> Result<()> {
        for asked in ALL {
            let (mut on_files, mut on_postgres, mut cost) = (Vec::new(), Vec::new(), None);
            for round in 1..=self.rounds {
                say(&format!("P10 {}, round {round}", asked.what));
                let server = self.places.longhaul(&self.store(SMALL, "small")?)?;
                let request = (asked.request)(&server.session()?);
                on_files.push(self.load("on SQLite", server.at, 64, &request)?);
                server.stop()?;
                let (figures, measured) = self.on_postgres(&asked)?;
                on_postgres.push(figures);
                cost = Some(measured);
            }
            let cost = cost.context("no round")?;
            self.postgres_rows(&asked, median(&on_postgres), median(&on_files), cost);
        }
        Ok(())
    }

    fn on_postgres(&self, asked: &Asked) -> Result<(Figures, Cost)> {
        let cluster = Cluster::with(Durability::Full, &["shared_preload_libraries=pg_stat_statements"])?;
        let url = cluster.create("tasks")?;
        cluster.sql("tasks", "CREATE EXTENSION pg_stat_statements")?;
        let data = self.places.fresh("postgres")?;
        let server = self.places.longhaul_on(&url, &data, &data)?;
        let request = (asked.request)(&server.who);
        let before = Counted::of(&cluster)?;
        let figures = self.load("on PostgreSQL", server.at, 64, &request)?;
        let cost = self.cost(before, Counted::of(&cluster)?, figures, asked);
        server.stop()?;
        Ok((figures, cost))
    }

    fn cost(&self, before: Counted, after: Counted, figures: Figures, asked: &Asked) -> Cost {
        let changes = figures.rate * self.time.as_secs_f64() * asked.changes;
        Cost {
            statements: (after.statements - before.statements) / changes,
            round_trips: (after.transactions - before.transactions) * ROUND_TRIPS / changes,
        }
    }

    fn postgres_rows(&mut self, asked: &Asked, ours: Figures, files: Figures, cost: Cost) {
        self.rows.push(Row {
            goal: "P10",
            what: format!("{}, PostgreSQL", asked.what),
            ours: format!("{:.0}/s, p99 {} ms", ours.rate, short(ours.p99)),
            other: format!("SQLite {:.0}/s, p99 {} ms", files.rate, short(files.p99)),
            measure: ours.rate / files.rate,
            target: Target::AtLeast(0.5),
        });
        self.rows.push(Row {
            goal: "P10",
            what: "  round trips for each change".into(),
            ours: format!("{:.3}", cost.round_trips),
            other: format!("{:.2} statements", cost.statements),
            measure: cost.round_trips,
            target: Target::AtMost(0.5),
        });
    }
}

/// Counters of a database.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    pub(super) statements: f64,
    pub(super) transactions: f64,
}

impl Counted {
    pub(super) fn of(cluster: &Cluster) -> Result<Counted> {
        // What a session counted is told a second later.
        std::thread::sleep(std::time::Duration::from_millis(1500));
        let ask = |sql: &str| -> Result<f64> { Ok(cluster.sql("tasks", sql)?.parse()?) };
        Ok(Counted {
            statements: ask("SELECT coalesce(sum(calls), 0) FROM pg_stat_statements")?,
            transactions: ask("SELECT xact_commit FROM pg_stat_database WHERE datname = 'tasks'")?,
        })
    }
}
