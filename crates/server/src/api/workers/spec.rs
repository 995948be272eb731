//! Bodies that workers send (docs/workers.md), checked member by member.

use std::sync::Arc;
use std::time::Duration;

use longhaul_engine::{Ask, LeaseName, LogLine, LogStream, Origin, is_queue_name};
use longhaul_model::{Env, Fault, Span, Stage, StageStatus, Timestamp, WorkerId};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::access::Caller;
use crate::error::ApiError;

/// Maximum number of leases that one call may name.
pub(super) const MOST_LEASES: usize = 1_024;
const MOST_QUEUES: usize = 32;
const MOST_ATTEMPTS: usize = 256;
const MOST_STAGES: usize = 100;
const LONGEST_WAIT: Span = Span(60_000);
const SHORTEST_LEASE: Span = Span(1_000);
const LONGEST_LEASE: Span = Span(3_600_000);
const USUAL_LEASE: Span = Span(30_000);

/// Request for leases; at `/lease` with the worker's name beside it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NextSpec {
    queues: Vec<String>,
    #[serde(default = "one")]
    max: usize,
    #[serde(default)]
    wait: Span,
    #[serde(default = "usual_lease")]
    lease: Span,
    #[serde(default)]
    request: Option<String>,
}

/// The body of `/lease`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LeaseSpec {
    pub(super) worker: String,
    queues: Vec<String>,
    #[serde(default = "one")]
    max: usize,
    #[serde(default)]
    wait: Span,
    #[serde(default = "usual_lease")]
    lease: Span,
    #[serde(default)]
    request: Option<String>,
    #[serde(default)]
    host: Option<String>,
    #[serde(default)]
    process: Option<u32>,
}

fn one() -> usize {
    1
}

fn usual_lease() -> Span {
    USUAL_LEASE
}

impl LeaseSpec {
    pub(super) fn ask(self, caller: &Caller) -> Result<Ask, ApiError> {
        let worker = worker(&self.worker, caller)?;
        let LeaseSpec { queues, max, wait, lease, request, host, process, .. } = self;
        let shown =
            |host: &String| (1..=255).contains(&host.len()) && !host.contains(|c: char| c.is_control());
        if host.as_ref().is_some_and(|host| !shown(host)) {
            return Err(ApiError::field(
                "/host",
                "a host's name is 1 to 255 bytes without control characters",
            ));
        }
        let asked = NextSpec { queues, max, wait, lease, request }.ask(worker, caller, "")?;
        let known = host.is_some() || process.is_some();
        let origin = known.then(|| Arc::new(Origin { host: host.map(Arc::from), process }));
        Ok(Ask { origin, ..asked })
    }
}

impl NextSpec {
    /// Builds the request for leases. `root` is its JSON pointer in the body.
    pub(super) fn ask(self, worker: WorkerId, caller: &Caller, root: &str) -> Result<Ask, ApiError> {
        let wrong = |member: &str, message: &str| ApiError::field(&format!("{root}/{member}"), message);
        if self.queues.is_empty() || self.queues.len() > MOST_QUEUES {
            return Err(wrong("queues", "name 1 to 32 queues"));
        }
        if !self.queues.iter().all(|name| is_queue_name(name)) {
            return Err(wrong("queues", "a queue's name is 1 to 100 letters, digits, `.`, `_` and `-`"));
        }
        caller.check_queues(self.queues.iter().map(String::as_str))?;
        if !(1..=MOST_ATTEMPTS).contains(&self.max) {
            return Err(wrong("max", "it takes 1 to 256"));
        }
        if self.lease < SHORTEST_LEASE || self.lease > LONGEST_LEASE {
            return Err(wrong("lease", "a lease lasts 1s to 1h"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let request = self.request.map(Arc::<str>::from);
        if request.as_deref().is_some_and(|name| !(1..=64).contains(&name.len()) || !name.chars().all(plain))
        {
            return Err(wrong("request", "a call's name is 1 to 64 letters, digits, `.`, `_` and `-`"));
        }
        let mut queues: Vec<Arc<str>> = Vec::with_capacity(self.queues.len());
        for name in &self.queues {
            if !queues.iter().any(|known| **known == **name) {
                queues.push(name.as_str().into());
            }
        }
        let wait = wait(self.wait, &format!("{root}/wait"))?;
        Ok(Ask { worker, queues, max: self.max, wait, lease: self.lease, request, origin: None })
    }
}

pub(super) fn wait(span: Span, pointer: &str) -> Result<Duration, ApiError> {
    if span > LONGEST_WAIT {
        return Err(ApiError::field(pointer, "an answer waits 60s at the most"));
    }
    Ok(span.into())
}

/// Identity of a worker: the account, and the name that its process gave itself.
pub(super) fn worker(name: &str, caller: &Caller) -> Result<WorkerId, ApiError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !(16..=200).contains(&name.len()) || !name.chars().all(known) {
        let message = "a worker's name is 16 to 200 letters, digits, `.`, `_` and `-`";
        return Err(ApiError::field("/worker", message)
            .remedy("Make it at random at each start of the process, such as esxi-5f2d6c0b9a1e4d73"));
    }
    Ok(WorkerId(format!("{}/{name}", caller.name()).into()))
}

pub(super) fn lease(text: &str, pointer: &str) -> Result<LeaseName, ApiError> {
    text.parse().map_err(|()| {
        ApiError::field(&format!("{pointer}/lease"), "this is no lease: send it as it was given")
    })
}

/// Line of a log: a text, or an object with its time and stream.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum LineSpec {
    Text(String),
    Line(FullLine),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FullLine {
    text: String,
    #[serde(default)]
    stream: LogStream,
    #[serde(default, deserialize_with = "instant")]
    at: Option<Timestamp>,
}

/// Reads a time as text; the stored form is a number.
fn instant<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Returns log lines as given; the engine cuts long ones once secrets are out of them.
pub(super) fn lines(given: Vec<LineSpec>, env: &Env) -> Vec<LogLine> {
    let now = env.now();
    let line = |spec| match spec {
        LineSpec::Text(text) => LogLine { at: now, stream: LogStream::Out, text },
        LineSpec::Line(line) => LogLine { at: line.at.unwrap_or(now), stream: line.stream, text: line.text },
    };
    given.into_iter().map(line).collect()
}

/// A stage of a sub-task.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StageSpec {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    description: String,
    status: StageStatus,
}

pub(super) fn stages(given: Vec<StageSpec>, pointer: &str, env: &Env) -> Result<Vec<Stage>, ApiError> {
    if given.len() > MOST_STAGES {
        return Err(ApiError::field(&format!("{pointer}/stages"), "a sub-task has 100 stages at the most"));
    }
    let now = env.now();
    let stage = |spec: StageSpec| Stage {
        name: spec.name,
        kind: spec.kind,
        description: spec.description,
        status: spec.status,
        created_at: now,
        completed_at: None,
        errors: Vec::new(),
    };
    Ok(given.into_iter().map(stage).collect())
}

/// Failure of an attempt, in the worker's words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorSpec {
    code: String,
    message: String,
    #[serde(default)]
    remediation: Option<String>,
    #[serde(default)]
    causes: Vec<CauseSpec>,
    #[serde(default)]
    context: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CauseSpec {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

impl ErrorSpec {
    /// Converts the error. Whoever reads the task must learn what happened, so neither code nor message is
    /// blank. `pointer` is the place of the attempt in the body.
    pub(super) fn fault(self, pointer: &str) -> Result<Fault, ApiError> {
        for (member, text) in [("code", &self.code), ("message", &self.message)] {
            if text.trim().is_empty() {
                let message = format!("an attempt that failed needs an error with a {member}");
                return Err(ApiError::field(&format!("{pointer}/error/{member}"), message)
                    .remedy("Say what failed: a stable code such as HOST_UNREACHABLE, and a sentence"));
            }
        }
        let mut fault = Fault::new(self.code, self.message);
        fault.remediation_message = self.remediation;
        for cause in self.causes {
            fault = fault.cause(cause.kind, cause.message);
        }
        fault.context = self.context;
        Ok(fault)
    }
}
