//! P6: every documented filter and order of the list, on a large store. Before each list a task is submitted,
//! so that no total and no page can be one remembered from before.

use std::time::Instant;

use anyhow::{Context, Result};
use longhaul_testbed::{Cluster, Durability};

use super::upkeep::moved;
use crate::bench::{Bench, bodies};
use crate::child::Server;
use crate::load::{Connection, figures, get, histogram, on_one_thread, posts};
use crate::report::{Row, Target, short};
use crate::{data, say};

/// Requests of each kind; the first few only warm up.
const REQUESTS: u64 = 100;
const WARM_UP: u64 = 5;

type Query = Box<dyn Fn(u64) -> String>;

/// Kinds of lists: their name, the query of the n-th request, the limit of their p99 in milliseconds.
pub(crate) fn kinds(tasks: u64, middle_ms: i64) -> Vec<(String, Query, f64)> {
    const PAGE: f64 = 5.0;
    let mut kinds: Vec<(String, Query, f64)> = Vec::new();
    let mut add = |name: &str, limit: f64, query: Query| kinds.push((name.to_owned(), query, limit));
    add("newest ten, no parameter", PAGE, Box::new(|_| String::new()));
    for status in ["SUCCESSFUL", "FAILED", "CANCELLED", "PENDING", "In%20Progress", "FAILED,CANCELLED"] {
        add(&format!("taskStatus={status}"), PAGE, Box::new(move |_| format!("taskStatus={status}")));
    }
    add("taskType", PAGE, Box::new(|n| format!("taskType={}", data::kind(n))));
    add("resourceId", PAGE, Box::new(|n| format!("resourceId={}", data::host(n * 7))));
    add("resourceType", PAGE, Box::new(|_| "resourceType=HOST".into()));
    add(
        "resourceId, resourceType",
        PAGE,
        Box::new(|n| format!("resourceType=host&resourceId={}", data::host(n * 11))),
    );
    add(
        "completedAfter, half of all",
        PAGE,
        Box::new(move |n| format!("completedAfter={}", middle_ms + n as i64)),
    );
    add("completedAfter, all", PAGE, Box::new(|n| format!("completedAfter={n}")));
    for order in ["id", "name", "type", "status", "creationTimestamp", "completionTimestamp"] {
        for direction in ["ASC", "DESC"] {
            add(
                &format!("orderBy={order} {direction}"),
                PAGE,
                Box::new(move |_| format!("orderBy={order}&orderDirection={direction}")),
            );
        }
    }
    for order in ["id", "name", "type", "status", "completionTimestamp"] {
        add(
            &format!("taskStatus=FAILED, orderBy={order}"),
            PAGE,
            Box::new(move |_| format!("taskStatus=FAILED&orderBy={order}&orderDirection=ASC")),
        );
        add(
            &format!("taskType, orderBy={order}"),
            PAGE,
            Box::new(move |n| format!("taskType={}&orderBy={order}&orderDirection=ASC", data::kind(n))),
        );
        add(
            &format!("resourceId, orderBy={order}"),
            PAGE,
            Box::new(move |n| format!("resourceId={}&orderBy={order}", data::host(n * 13))),
        );
        add(
            &format!("resourceType, orderBy={order}"),
            PAGE,
            Box::new(move |_| format!("resourceType=HOST&orderBy={order}")),
        );
        add(
            &format!("completedAfter, orderBy={order}"),
            PAGE,
            Box::new(move |n| format!("completedAfter={}&orderBy={order}", middle_ms + n as i64)),
        );
    }
    add("taskStatus, taskType", PAGE, Box::new(|n| format!("taskStatus=FAILED&taskType={}", data::kind(n))));
    add(
        "taskStatus, resourceId",
        PAGE,
        Box::new(|n| format!("taskStatus=FAILED&resourceId={}", data::host(n))),
    );
    add("taskStatus, resourceType", PAGE, Box::new(|_| "taskStatus=SUCCESSFUL&resourceType=HOST".into()));
    add(
        "taskStatus, completedAfter",
        PAGE,
        Box::new(move |n| format!("taskStatus=FAILED&completedAfter={}", middle_ms + n as i64)),
    );
    add(
        "taskType, completedAfter",
        PAGE,
        Box::new(move |n| format!("taskType={}&completedAfter={}", data::kind(n), middle_ms + n as i64)),
    );
    add(
        "taskType, resourceId",
        PAGE,
        Box::new(|n| format!("taskType={}&resourceId={}", data::kind(n), data::host(n * 3))),
    );
    add(
        "taskType, resourceType",
        PAGE,
        Box::new(|n| format!("taskType={}&resourceType=HOST", data::kind(n))),
    );
    add(
        "taskStatus, taskType, resourceType, completedAfter, by name",
        PAGE,
        Box::new(move |n| {
            let after = middle_ms + n as i64;
            format!(
                "taskStatus=FAILED&taskType={}&resourceType=HOST&completedAfter={after}&orderBy=name",
                data::kind(n)
            )
        }),
    );
    add(
        "two statuses, orderBy=name",
        PAGE,
        Box::new(|_| "taskStatus=FAILED,CANCELLED&orderBy=name&orderDirection=ASC".into()),
    );
    add(
        "completedAfter, orderBy=id ASC",
        PAGE,
        Box::new(move |n| format!("completedAfter={}&orderBy=id&orderDirection=ASC", middle_ms + n as i64)),
    );
    const NAME: f64 = 30.0;
    add("taskName, one hit", NAME, Box::new(move |n| format!("taskName=unit%20{:08}", data::mix(n) % tasks)));
    add(
        "taskName, hundreds of hits",
        NAME,
        Box::new(move |n| format!("taskName={}%20of%20cluster-{:02}", data::host(n * 17), n % 97)),
    );
    add("taskName, a tenth", NAME, Box::new(|_| "taskName=upgrade".into()));
    add("taskName, all", NAME, Box::new(|_| "taskName=cluster-".into()));
    add("taskName of two letters", NAME, Box::new(|_| "taskName=it".into()));
    add("taskName of two letters, no hit", NAME, Box::new(|_| "taskName=qq".into()));
    add("taskName of one letter, no hit", NAME, Box::new(|_| "taskName=q".into()));
    add("taskName, no hit", NAME, Box::new(|n| format!("taskName=nowhere{n}")));
    add(
        "taskName, taskStatus",
        NAME,
        Box::new(|n| format!("taskName={}&taskStatus=FAILED", data::host(n * 19))),
    );
    add("taskName, orderBy=name", NAME, Box::new(|_| "taskName=drain&orderBy=name".into()));
    const DEEP: f64 = 20.0;
    let deep = (tasks / 10).min(5_000);
    for query in
        ["", "orderBy=name&", "orderBy=completionTimestamp&", "taskStatus=SUCCESSFUL&", "orderBy=type&"]
    {
        add(
            &format!("page {deep}, {}", query.trim_end_matches('&')),
            DEEP,
            Box::new(move |n| format!("{query}pageNumber={}", deep - n % 10)),
        );
    }
    kinds
}

/// Limits of each kind of list in milliseconds, and what the kind is called.
const LIMITS: [(&str, f64); 3] =
    [("lists, any filter and order", 5.0), ("name substrings", 30.0), ("page 5,000", 20.0)];
/// Times that a list on PostgreSQL may take what one on SQLite may.
const ON_POSTGRES: f64 = 3.0;

impl Bench {
    /// P6.
    pub(crate) fn lists(&mut self) -> Result<()> {
        say("P6 lists on SQLite");
        let data = self.store(self.tasks, "large")?;
        let server = self.places.longhaul(&data)?;
        self.lists_of(&server, "SQLite", 1.0)?;
        server.stop()?;
        self.lists_on_postgres()
    }

    /// Measures the same lists on PostgreSQL.
    fn lists_on_postgres(&mut self) -> Result<()> {
        say("P6 lists on PostgreSQL");
        let cluster = Cluster::start(Durability::Full)?;
        let url = cluster.create("tasks")?;
        let from = self.store(self.tasks, "large-moved")?;
        moved(&self.places.longhaul, &from, &url)?;
        // Autovacuum does that in time.
        cluster.sql("tasks", "VACUUM (ANALYZE) history")?;
        let server = self.places.longhaul_moved(&url, &self.places.fresh("large-postgres")?, &from)?;
        self.lists_of(&server, "PostgreSQL", ON_POSTGRES)?;
        server.stop()
    }

    /// Measures every kind of list of a server, whose limits are `times` those of SQLite.
    fn lists_of(&mut self, server: &Server, engine: &str, times: f64) -> Result<()> {
        let (mut worst, mut found) = ([("", 0.0); 3], Vec::new());
        let kinds = kinds(self.tasks, middle(server, self.tasks)?);
        for (name, query, limit) in &kinds {
            let (figures, total) = time(server, query).with_context(|| format!("the list with {name}"))?;
            let verdict = if figures.p99 <= *limit * times { "" } else { "   MISSED" };
            say(&format!(
                "  {name:62} {total:>8} hits  p50 {:>7} ms  p99 {:>7} ms{verdict}",
                short(figures.p50),
                short(figures.p99)
            ));
            let group = LIMITS.iter().position(|(_, l)| l == limit).unwrap_or_default();
            if figures.p99 > worst[group].1 {
                worst[group] = (name, figures.p99);
            }
            found.push((figures, limit));
        }
        for ((what, limit), (name, p99)) in LIMITS.into_iter().zip(worst) {
            let of: Vec<_> = found.iter().filter(|(_, l)| **l == limit).collect();
            let met = of.iter().filter(|(figures, _)| figures.p99 <= limit * times).count();
            self.rows.push(Row {
                goal: "P6",
                what: format!("{what}, {} tasks on {engine}: worst p99 (ms)", self.tasks),
                ours: format!("{met} of {} within", of.len()),
                other: format!("worst: {name}"),
                measure: p99,
                target: Target::AtMost(limit * times),
            });
        }
        Ok(())
    }
}

/// Returns the completion time of the task in the middle, in milliseconds since 1970: asked of the server,
/// found by its total.
fn middle(server: &Server, tasks: u64) -> Result<i64> {
    on_one_thread(async {
        let mut connection = Connection::open(server.at).await?;
        let total = async |connection: &mut Connection, after: i64| -> Result<u64> {
            let mut request = Vec::new();
            get(&server.who, &format!("/v1/tasks?pageSize=1&completedAfter={after}"), &mut request);
            let page: serde_json::Value = serde_json::from_slice(connection.ask(&request).await?)?;
            page["pageMetadata"]["totalElements"].as_u64().context("a page without totalElements")
        };
        let (mut low, mut high) = (0, longhaul_model::Env::real().now().0);
        while high - low > 1_000 {
            let probe = low + (high - low) / 2;
            if total(&mut connection, probe).await? > tasks / 2 { low = probe } else { high = probe }
        }
        Ok(low)
    })
}

/// Times of one kind, and how many the last request hit.
fn time(server: &Server, query: &Query) -> Result<(crate::load::Figures, u64)> {
    let submit = posts(&server.who, "/v1/tasks?wait=5s", bodies(false));
    on_one_thread(async {
        let mut connection = Connection::open(server.at).await?;
        let mut times = histogram()?;
        let mut total = 0;
        for n in 0..WARM_UP + REQUESTS {
            let mut bytes = Vec::new();
            submit(n, &mut bytes);
            connection.ask(&bytes).await?;
            bytes.clear();
            get(&server.who, &format!("/v1/tasks?{}", query(n)), &mut bytes);
            let sent = Instant::now();
            let body = connection.ask(&bytes).await?;
            let took = sent.elapsed();
            if n >= WARM_UP {
                times.saturating_record(took.as_micros() as u64);
            }
            if n + 1 == WARM_UP + REQUESTS {
                let page: serde_json::Value = serde_json::from_slice(body)?;
                total =
                    page["pageMetadata"]["totalElements"].as_u64().context("a page without totalElements")?;
            }
        }
        Ok((figures(&times, std::time::Duration::from_secs(1)), total))
    })
}
