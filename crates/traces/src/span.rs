//! Spans of what a change ended. Names and attributes come from the workflow, whose author wrote them: values
//! of inputs and outputs, which may be secret, are in none of them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use longhaul_model::workflow::Workflow;
use longhaul_model::{
    ActionKind, AttemptEnd, Ended, Measure, Measures, Run, TaskId, TaskStatus, Timestamp, TraceContext,
};
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// Returns the spans of the attempts and the run that a change ended. An attempt that was handed back never
/// began, and has none.
pub(crate) fn of(task: TaskId, measures: &Measures) -> impl Iterator<Item = SpanData> {
    let workflow = measures.workflow.as_deref();
    measures.all.iter().filter_map(move |measure| match (measure, workflow) {
        (Measure::AttemptEnded { end: AttemptEnd::HandedBack, .. }, _) => None,
        (Measure::AttemptEnded { action, end, attempt, .. }, Some(workflow)) => {
            Some(of_attempt(task, workflow, *action, *end, attempt))
        }
        (Measure::TaskEnded { status, run: Some(run), .. }, Some(workflow)) => {
            Some(of_run(task, workflow, *status, run))
        }
        _ => None,
    })
}

fn of_run(task: TaskId, workflow: &Workflow, status: TaskStatus, run: &Run) -> SpanData {
    let earlier = run.generation.checked_sub(1).map(|earlier| TraceContext::of_run(task, earlier));
    let caller = run.caller.filter(|_| run.generation == 0);
    let mut links = SpanLinks::default();
    links.links = earlier.into_iter().chain(caller).map(|to| Link::with_context(context(to))).collect();
    let mut attributes = common(task, workflow, run.generation);
    attributes.push(KeyValue::new("longhaul.task.type", workflow.definition.kind.clone()));
    attributes.push(KeyValue::new("longhaul.task.status", status.constant()));
    let failed = (status == TaskStatus::Failed).then(|| run.error.clone().unwrap_or_default());
    SpanData {
        name: workflow.definition.name.clone().into(),
        parent_span_id: SpanId::INVALID,
        links,
        ..span(TraceContext::of_run(task, run.generation), run.since, run.until, attributes, failed)
    }
}

fn of_attempt(
    task: TaskId,
    workflow: &Workflow,
    action: ActionKind,
    end: AttemptEnd,
    attempt: &Ended,
) -> SpanData {
    let definition = workflow.sub_tasks.get(attempt.own as usize);
    let name = definition.map(|sub| sub.name.clone()).unwrap_or_default();
    let mut attributes = common(task, workflow, attempt.generation);
    attributes.push(KeyValue::new("longhaul.sub_task.name", name.clone()));
    attributes.push(KeyValue::new("longhaul.attempt.number", i64::from(attempt.number)));
    attributes.push(KeyValue::new("longhaul.attempt.outcome", end.name()));
    attributes.push(KeyValue::new("longhaul.action", action.name()));
    attributes.extend(attempt.item.map(|item| KeyValue::new("longhaul.item.index", i64::from(item))));
    let failed = (end != AttemptEnd::Successful).then(|| {
        let code = attempt.error.clone().filter(|code| !code.is_empty());
        code.unwrap_or_else(|| end.name().to_owned())
    });
    let own = TraceContext::of_attempt(task, attempt.generation, attempt.sub_task, attempt.number);
    SpanData {
        name: name.into(),
        parent_span_id: SpanId::from_bytes(TraceContext::of_run(task, attempt.generation).span),
        span_kind: if action == ActionKind::Http { SpanKind::Client } else { SpanKind::Internal },
        ..span(own, attempt.since, attempt.until, attributes, failed)
    }
}

/// Returns a span with all that runs and attempts have in common; `failed` is the code of the error.
fn span(
    own: TraceContext,
    since: Timestamp,
    until: Timestamp,
    mut attributes: Vec<KeyValue>,
    failed: Option<String>,
) -> SpanData {
    attributes.extend(failed.as_ref().map(|code| KeyValue::new("error.type", code.clone())));
    SpanData {
        span_context: context(own),
        parent_span_id: SpanId::INVALID,
        parent_span_is_remote: false,
        span_kind: SpanKind::Internal,
        name: "".into(),
        start_time: instant(since),
        // A wall clock may step back between the two.
        end_time: instant(until.max(since)),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: failed.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("longhaul").build(),
    }
}

fn common(task: TaskId, workflow: &Workflow, generation: u32) -> Vec<KeyValue> {
    vec![
        KeyValue::new("longhaul.task.id", task.to_string()),
        KeyValue::new("longhaul.task.generation", i64::from(generation)),
        KeyValue::new("longhaul.workflow.name", workflow.definition.name.clone()),
        KeyValue::new("longhaul.workflow.version", workflow.version.to_string()),
    ]
}

fn context(of: TraceContext) -> SpanContext {
    let flags = if of.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (TraceId::from_bytes(of.trace), SpanId::from_bytes(of.span));
    SpanContext::new(trace, span, flags, false, TraceState::default())
}

fn instant(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0.max(0).unsigned_abs())
}
