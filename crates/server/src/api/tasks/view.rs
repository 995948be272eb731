//! `view`, `include` and `wait`: the members of a task that are shown, and when.

use std::time::Duration;

use longhaul_model::Span;

use crate::config::WireConfig;
use crate::error::ApiError;
use crate::request::Parameters;
use crate::wire::View;

/// Longest wait, so that no proxy in between gives up first.
const LONGEST_WAIT: Span = Span(300_000);

/// Members to show, by the query's `include`.
pub(crate) struct Shown {
    pub(crate) view: View,
    pub(crate) input: bool,
    pub(crate) labels: bool,
    pub(crate) outputs: bool,
    /// Shows the children themselves in a list where they are few, instead of their counts.
    pub(crate) children: bool,
}

/// Reads `view` and `include`. A single task shows Longhaul's own members by default, a list only those asked
/// for.
pub(crate) fn shown(parameters: &Parameters, wire: &WireConfig, list: bool) -> Result<Shown, ApiError> {
    let mut view = if list || !wire.extensions {
        View::documented(wire.status_style)
    } else {
        View::extended(wire.status_style)
    };
    view.summary = match parameters.get("view") {
        None | Some("full") => false,
        Some("summary") => true,
        Some(_) => return Err(ApiError::parameter("view", "It takes `full` or `summary`")),
    };
    view.child_counts = wire.extensions;
    let mut shown = Shown { view, input: false, labels: false, outputs: false, children: false };
    let mut words = parameters.words("include").peekable();
    if words.peek().is_none() {
        return Ok(shown);
    }
    for word in words {
        match word {
            "all" => {
                let summary = shown.view.summary;
                shown.view = View { summary, ..View::extended(wire.status_style) };
                (shown.input, shown.labels, shown.outputs) = (!list, true, !list);
            }
            "progress" => shown.view.progress = true,
            "waitingFor" => shown.view.waiting_for = true,
            "workflow" => shown.view.workflow = true,
            "attempt" => (shown.view.attempt, shown.view.sub_tasks) = (true, true),
            "version" => shown.view.version = true,
            "input" if !list => shown.input = true,
            "labels" => shown.labels = true,
            "children" if list => shown.children = true,
            "outputs" if !list => shown.outputs = true,
            _ => {
                let more = if list { ", children" } else { ", input, outputs" };
                let allowed = format!(
                    "It takes a list of progress, waitingFor, workflow, attempt, version, labels{more}, or all"
                );
                return Err(ApiError::parameter("include", &allowed));
            }
        }
    }
    if !wire.extensions {
        // The parameter is read, so that a mistake is named, and then ignored like all our own.
        let summary = shown.view.summary;
        shown = Shown {
            view: View { summary, ..View::documented(wire.status_style) },
            input: false,
            labels: false,
            outputs: false,
            children: shown.children,
        };
    }
    Ok(shown)
}

/// Reads `wait`.
pub(crate) fn wait(parameters: &Parameters) -> Result<Option<Duration>, ApiError> {
    let Some(text) = parameters.get("wait") else { return Ok(None) };
    let span: Span = text
        .parse()
        .map_err(|_| ApiError::parameter("wait", "It takes a duration such as 500ms, 30s or 5m"))?;
    Ok(Some(span.min(LONGEST_WAIT).into()))
}
