//! Task and its sub-tasks as a tree, which `task get` prints once and `task watch` keeps drawing.

use anstyle::Style;
use longhaul_client::{Phase, SubTaskBody, TaskBody, WaitingForBody};
use longhaul_model::Timestamp;

use super::fit::{Line, Rank};
use super::style::Palette;
use super::worked::worked;
use super::{error, span};

/// Width of the bar that shows a task's progress.
const BAR: usize = 30;
/// Glyphs that are drawn in turn while something runs.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Time and options of a drawing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Current time, which stands for the end of what has not ended.
    pub(crate) now: Timestamp,
    /// Number of the frame, if the picture is redrawn.
    pub(crate) frame: Option<usize>,
    /// Neighbours that are only counted.
    pub(crate) folds: Folds,
    /// True if the task's id is part of the picture.
    pub(crate) id: bool,
    /// True for the history of another server: nothing of it goes on, and no duration grows.
    pub(crate) is_imported: bool,
}

/// Neighbours that are only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folds {
    /// Counts no neighbours: all are shown.
    Nothing,
    /// Children that are done.
    DoneChildren,
    /// Counts all that are done, and those to come.
    All,
}

/// Returns the glyph of a status and its style.
pub(crate) fn glyph(phase: Phase, frame: Option<usize>, palette: Palette) -> (&'static str, Style) {
    match phase {
        Phase::Pending => ("○", palette.dim()),
        Phase::InProgress => (frame.map_or("●", |n| SPINNER[n % SPINNER.len()]), palette.busy()),
        Phase::Successful => ("✔", palette.good()),
        Phase::CompletedWithWarning => ("✔", palette.warn()),
        Phase::Failed => ("✘", palette.bad()),
        Phase::Cancelled => ("■", palette.warn()),
        Phase::Skipped => ("⤳", palette.warn()),
        Phase::NotApplicable => ("-", palette.dim()),
        Phase::Unknown => ("?", palette.warn()),
    }
}

/// Returns a status in its colour.
pub(crate) fn status(text: &str, palette: Palette) -> String {
    let (_, style) = glyph(Phase::of(text), None, palette);
    format!("{style}{text}{style:#}")
}

/// Returns the lines of the whole picture.
pub(crate) fn render(task: &TaskBody, moment: Moment, palette: Palette) -> Vec<Line> {
    let head = head(task, moment, palette);
    let mut lines: Vec<Line> = head.into_iter().map(|text| Line::new(Rank::Head, text)).collect();
    branches(&mut lines, &task.sub_tasks, "", moment, palette);
    let errors = errors(task, palette);
    if !errors.is_empty() {
        lines.push(Line::new(Rank::Rest, ""));
        lines.extend(errors.lines().map(|text| Line::new(Rank::Detail, text)));
    }
    if let Some(waits) = task.waiting_for.as_ref().and_then(|waiting| waits_for(waiting, moment.now)) {
        let warn = palette.warn();
        lines.push(Line::new(Rank::Rest, ""));
        lines.push(Line::new(Rank::Head, format!("{warn}{waits}{warn:#}")));
    }
    lines
}

/// Returns the task's errors, and those of the sub-tasks that failed. Where the latter are shown, the task's
/// errors do not repeat them.
fn errors(task: &TaskBody, palette: Palette) -> String {
    let strong = palette.strong();
    let mut below = String::new();
    for sub in task.sub_tasks.iter().filter(|sub| sub.phase() == Phase::Failed) {
        for error in sub.errors.iter().filter(|error| !task.errors.contains(error)) {
            below.push_str(&format!("{strong}{}{strong:#}\n", sub.name));
            below.push_str(&error::carried(error, "  ", palette));
        }
    }
    let shown = if below.is_empty() { error::carried } else { error::brief };
    let above: String = task.errors.iter().map(|error| shown(error, "", palette)).collect();
    above + &below
}

fn head(task: &TaskBody, moment: Moment, palette: Palette) -> Vec<String> {
    let (strong, dim) = (palette.strong(), palette.dim());
    let (glyph, paint) = glyph(task.phase(), moment.frame, palette);
    let mut first =
        format!("{paint}{glyph}{paint:#} {strong}{}{strong:#}  {paint}{}{paint:#}", task.name, task.status);
    let to = task.completion_timestamp.as_deref();
    // The duration of a task that does not go on is not known without its end.
    if (to.is_some() || !(task.phase().has_ended() || moment.is_imported))
        && let Some(taken) = span::taken(Some(&task.creation_timestamp), to, moment.now)
    {
        first.push_str(&format!("  {dim}{taken}{dim:#}"));
    }
    let mut facts: Vec<String> = moment.id.then(|| task.id.clone()).into_iter().collect();
    facts.extend(Some(task.kind.clone()).filter(|kind| !kind.is_empty()));
    facts.extend(task.workflow.as_ref().map(|workflow| format!("{} v{}", workflow.name, workflow.version)));
    facts.extend(task.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}")));
    if task.resolution_status == "RESOLVED" {
        facts.push("resolved".to_owned());
    }
    let mut lines = vec![first];
    if !facts.is_empty() {
        lines.push(format!("  {dim}{}{dim:#}", facts.join(" · ")));
    }
    if !task.resources.is_empty() {
        let names = task.resources.iter().map(|resource| {
            let name = resource.fqdn.as_ref().or(resource.name.as_ref()).unwrap_or(&resource.resource_id);
            format!("{} {name}", resource.kind)
        });
        lines.push(format!("  {dim}{}{dim:#}", names.collect::<Vec<_>>().join(", ")));
    }
    if let Some(progress) = task.progress {
        lines.push(format!("  {}", bar(progress, paint, dim)));
    }
    lines
}

fn bar(progress: f64, paint: Style, dim: Style) -> String {
    let progress = progress.clamp(0.0, 100.0);
    let full = (progress / 100.0 * BAR as f64).round() as usize;
    format!("{paint}{}{paint:#}{dim}{}{dim:#} {progress:.0} %", "█".repeat(full), "░".repeat(BAR - full))
}

fn branches(lines: &mut Vec<Line>, sub_tasks: &[SubTaskBody], trunk: &str, moment: Moment, palette: Palette) {
    let dim = palette.dim();
    let mut n = 0;
    while let Some(sub) = sub_tasks.get(n) {
        let alike = neighbours(&sub_tasks[n..], moment.folds, !trunk.is_empty());
        n += alike;
        let last = n == sub_tasks.len();
        let (branch, below) = if last { ("└─", "   ") } else { ("├─", "│  ") };
        if alike > 1 {
            let (glyph, paint) = glyph(sub.phase(), None, palette);
            let what = if sub.phase() == Phase::Pending { "to come" } else { "done" };
            lines.push(Line::new(
                Rank::Rest,
                format!("  {dim}{trunk}{branch}{dim:#} {paint}{glyph}{paint:#} {dim}{alike} {what}{dim:#}"),
            ));
            continue;
        }
        let rank = if is_live(sub) { Rank::Live } else { Rank::Rest };
        let text = format!("  {dim}{trunk}{branch}{dim:#} {}", leaf(sub, moment, palette));
        lines.push(Line::new(rank, text));
        let trunk = format!("{trunk}{below}");
        let detail = if rank == Rank::Live { Rank::Detail } else { Rank::Rest };
        for stage in &sub.stages {
            let (glyph, paint) = glyph(Phase::of(&stage.status), moment.frame, palette);
            let text = if stage.description.is_empty() { &stage.name } else { &stage.description };
            let text = format!("  {dim}{trunk}{dim:#} {paint}{glyph}{paint:#} {dim}{text}{dim:#}");
            lines.push(Line::new(detail, text));
        }
        if sub.phase() == Phase::Pending {
            for error in &sub.errors {
                let (warn, told) = (palette.warn(), error::line(error));
                lines.push(Line::new(detail, format!("  {dim}{trunk}{dim:#} {warn}{told}{warn:#}")));
            }
        }
        branches(lines, &sub.sub_tasks, &trunk, moment, palette);
    }
}

/// Returns true if a sub-task runs, failed, or is to be tried again after a failure.
fn is_live(sub: &SubTaskBody) -> bool {
    match sub.phase() {
        Phase::InProgress | Phase::Failed => true,
        Phase::Pending => !sub.errors.is_empty(),
        _ => false,
    }
}

/// Returns the number of leading sub-tasks that are drawn as one line.
fn neighbours(sub_tasks: &[SubTaskBody], folds: Folds, children: bool) -> usize {
    let kind = |sub: &SubTaskBody| match (sub.phase(), folds) {
        (_, Folds::Nothing) => None,
        (Phase::Successful | Phase::NotApplicable, Folds::All) => Some(true),
        (Phase::Successful | Phase::NotApplicable, Folds::DoneChildren) => children.then_some(true),
        (Phase::Pending, Folds::All) => (!is_live(sub)).then_some(false),
        _ => None,
    };
    let first = kind(&sub_tasks[0]);
    let alike = sub_tasks.iter().take_while(|sub| first.is_some() && kind(sub) == first).count();
    if alike > 2 { alike } else { 1 }
}

fn leaf(sub: &SubTaskBody, moment: Moment, palette: Palette) -> String {
    let dim = palette.dim();
    let phase = sub.phase();
    let (glyph, paint) = glyph(phase, moment.frame, palette);
    let mut line = format!("{paint}{glyph}{paint:#} {}", sub.name);
    let mut facts = Vec::new();
    if phase != Phase::Pending
        && (sub.completion_timestamp.is_some() || (phase == Phase::InProgress && !moment.is_imported))
    {
        facts.extend(worked(sub, moment.now));
    }
    facts.extend(sub.attempt.filter(|attempt| *attempt > 1).map(|attempt| format!("attempt {attempt}")));
    if phase == Phase::InProgress {
        facts.extend(sub.progress.map(|progress| format!("{progress:.0} %")));
    }
    match phase {
        Phase::Skipped => facts.push("skipped".to_owned()),
        Phase::NotApplicable => facts.push("not applicable".to_owned()),
        _ => {}
    }
    if !facts.is_empty() {
        line.push_str(&format!("  {dim}{}{dim:#}", facts.join(" · ")));
    }
    line
}

/// Returns the reason for a task's wait, in words.
pub(crate) fn waits_for(waiting: &WaitingForBody, now: Timestamp) -> Option<String> {
    let sub = waiting.sub_task.as_deref().unwrap_or("a sub-task");
    let until = waiting.until.as_deref().and_then(span::parse).map(|at| {
        let left = at.0 - now.0;
        if left > 0 { format!("{at} (in {})", span::duration(left)) } else { format!("{at} (now)") }
    });
    Some(match (waiting.kind.as_str(), until) {
        ("START", Some(until)) => format!("waits for its start at {until}"),
        ("START", None) => "waits for its start".to_owned(),
        ("TIMER", Some(until)) => format!("{sub} waits until {until}"),
        ("RETRY", Some(until)) => format!("{sub} is tried again at {until}"),
        ("RETRY", None) => format!("{sub} is tried again soon"),
        ("WORKER", _) => {
            let queue = waiting.queue.as_deref().unwrap_or("its queue");
            let nobody = waiting.workers == Some(0);
            let who = if nobody { "; none asks there: start one, or see `longhaul queue list`" } else { "" };
            format!("{sub} waits for a worker of {queue}{who}")
        }
        ("CAPACITY", _) => format!("{sub} waits for room: as many attempts run on its node as may"),
        ("LOCK", _) => match waiting.locks.first() {
            Some(lock) => {
                let what = lock.resource_type.as_ref().or(lock.workflow.as_ref());
                let which = lock.resource_id.as_ref().or(lock.key.as_ref());
                let (what, which) = (what.map_or("", String::as_str), which.map_or("", String::as_str));
                let does = if lock.state == "HELD" { "has" } else { "waits for" };
                format!("waits for {what} {which}, which {} ({}) {does}", lock.task_name, lock.task_id)
            }
            None => "waits for its locks: `longhaul lock list` shows who has them".to_owned(),
        },
        ("PAUSED", _) => match &waiting.sub_task {
            Some(sub) => format!("{sub} cannot start: the server is paused"),
            None => "it cannot start: the server is paused".to_owned(),
        },
        ("DECISION", _) => format!("waits for a decision about {sub}"),
        ("STOP", Some(until)) => format!("waits for what runs to stop, until {until} at the latest"),
        ("STOP", None) => "waits for what runs to stop".to_owned(),
        ("", _) => return None,
        (other, Some(until)) => format!("waits for {other} of {sub}, until {until}"),
        (other, None) => format!("waits for {other} of {sub}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_task_is_drawn_with_what_to_do() {
        let task: TaskBody = serde_json::from_value(serde_json::json!({
            "id": "2d6b764b-9e7d-4ce2-99f3-39f33d71ee36", "name": "Enable CEIP", "type": "CEIP_ENABLE", "status": "Failed",
            "creationTimestamp": "2026-01-01T00:00:00.000Z", "completionTimestamp": "2026-01-01T00:00:12.500Z",
            "progress": 50, "attempt": 2,
            "subTasks": [
                {"name": "Fetch", "status": "SUCCESSFUL", "startTimestamp": "2026-01-01T00:00:00.000Z", "completionTimestamp": "2026-01-01T00:00:01.200Z"},
                {"name": "Update", "status": "FAILED", "attempt": 3, "errors": [{"errorCode": "BUSY", "message": "the host is busy"}]},
                {"name": "Save", "status": "PENDING"}],
            "errors": [{"errorCode": "CEIP", "message": "no luck", "remediationMessage": "retry", "causes": [{"type": "BUSY", "message": "busy"}]}],
        }))
        .unwrap();
        let moment =
            Moment { now: Timestamp(0), frame: None, folds: Folds::Nothing, id: true, is_imported: false };
        let lines = render(&task, moment, Palette::plain());
        let text: Vec<String> = lines.into_iter().map(|line| line.text).collect();
        assert_eq!(
            text.join("\n"),
            "\
✘ Enable CEIP  Failed  12s
  2d6b764b-9e7d-4ce2-99f3-39f33d71ee36 · CEIP_ENABLE · attempt 2
  ███████████████░░░░░░░░░░░░░░░ 50 %
  ├─ ✔ Fetch  1.2s
  ├─ ✘ Update  attempt 3
  └─ ○ Save

CEIP: no luck
  hint: retry
Update
  BUSY: the host is busy"
        );
    }

    #[test]
    fn many_neighbours_are_counted_when_folded() {
        let sub =
            |status: &str| SubTaskBody { name: "S".into(), status: status.into(), ..SubTaskBody::default() };
        let mut sub_tasks = vec![sub("SUCCESSFUL"); 40];
        sub_tasks.push(sub("IN_PROGRESS"));
        sub_tasks.extend(vec![sub("PENDING"); 30]);
        let task = TaskBody { sub_tasks, ..TaskBody::default() };
        let drawn = |task: &TaskBody, folds| -> Vec<String> {
            let moment = Moment { now: Timestamp(0), frame: None, folds, id: false, is_imported: false };
            render(task, moment, Palette::plain()).into_iter().map(|line| line.text).collect()
        };
        assert_eq!(drawn(&task, Folds::All)[1..], ["  ├─ ✔ 40 done", "  ├─ ● S", "  └─ ○ 30 to come"]);
        assert_eq!(drawn(&task, Folds::DoneChildren).len(), 72);
        let parent = SubTaskBody { sub_tasks: task.sub_tasks.clone(), ..sub("IN_PROGRESS") };
        let task = TaskBody { sub_tasks: vec![parent], ..TaskBody::default() };
        assert_eq!(drawn(&task, Folds::DoneChildren)[1..4], ["  └─ ● S", "     ├─ ✔ 40 done", "     ├─ ● S"]);
    }

    #[test]
    fn a_pause_between_attempts_says_why() {
        let task: TaskBody =
            serde_json::from_value(serde_json::json!({ "name": "T", "status": "IN_PROGRESS", "subTasks": [
            {"name": "Update", "status": "PENDING", "attempt": 1,
             "errors": [{"errorCode": "BUSY", "message": "the host is busy"}]}] }))
            .unwrap();
        let moment =
            Moment { now: Timestamp(0), frame: None, folds: Folds::All, id: false, is_imported: false };
        let lines = render(&task, moment, Palette::plain());
        assert_eq!(lines[1], Line::new(Rank::Live, "  └─ ○ Update"));
        assert_eq!(lines[2], Line::new(Rank::Detail, "      BUSY: the host is busy"));
    }

    #[test]
    fn waiting_is_explained() {
        let waiting = |kind: &str, until: Option<&str>| WaitingForBody {
            kind: kind.into(),
            sub_task: Some("Pause".into()),
            until: until.map(str::to_owned),
            ..WaitingForBody::default()
        };
        let now = Timestamp(0);
        let at = Some("1970-01-01T00:01:30.000Z");
        let text = |kind, until| waits_for(&waiting(kind, until), now).unwrap();
        assert_eq!(text("TIMER", at), "Pause waits until 1970-01-01T00:01:30.000Z (in 1m 30s)");
        assert_eq!(text("CAPACITY", None), "Pause waits for room: as many attempts run on its node as may");
        assert_eq!(text("PAUSED", None), "Pause cannot start: the server is paused");
        assert_eq!(text("DECISION", None), "waits for a decision about Pause");
    }
}
