//! `task watch`: reads the task whenever the server tells of a change, and draws what changed. A server that
//! tells nothing is asked again and again, with the tag of what is known; one that restarts is waited for. An
//! interrupt ends the watching, never the task.

mod bell;
mod changes;
mod screen;

use std::time::Duration;

use longhaul_client::{ClientError, Read, TaskBody};
use longhaul_model::text::harmless;
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::seen::Seen;
use super::{Context, advise, id, passes, received};
use crate::cli::{OutputFormat, WatchArgs};
use crate::exit::{Code, Failure};
use crate::out::span;
use bell::Bell;
use changes::Changes;
use screen::Screen;

/// Pause between two polls while things change.
const QUICK: Duration = Duration::from_millis(200);
/// Pause between two polls while nothing changes, and to a server that does not answer.
const SLOW: Duration = Duration::from_secs(1);
/// Pause between two polls of a server that tells of changes.
const LONG: Duration = Duration::from_secs(15);
/// Pause between two pictures.
const FRAME: Duration = Duration::from_millis(100);

/// Watches until the task ends.
pub(crate) async fn run(args: &WatchArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    follow(context, &id).await
}

/// Watches a task by its whole ID.
pub(crate) async fn follow(context: &Context, id: &str) -> Result<Code, Failure> {
    let mut view = View::new(context);
    view.open(id)?;
    let ended = tokio::select! {
        ended = poll(context, id, &mut view) => ended?,
        _ = tokio::signal::ctrl_c() => None,
    };
    view.close()?;
    match ended {
        Some(task) if !task.phase().has_ended() => {
            received::remark(context)?;
            // Nobody knows its end: a script must not take it for a good one.
            Ok(Code::Failed)
        }
        Some(task) => {
            if matches!(context.out.format, OutputFormat::Table | OutputFormat::Wide) {
                advise::next(context, &task).await?;
            }
            Ok(super::outcome(task.phase()))
        }
        None => {
            context.out.remark(&format!("the task goes on; to watch it again: longhaul task watch {id}"))?;
            Ok(Code::Interrupted)
        }
    }
}

/// Asks and draws until the task has ended, or turns out to be imported, and to stay as it is.
async fn poll(context: &Context, id: &str, view: &mut View<'_>) -> Result<Option<TaskBody>, Failure> {
    let mut etag: Option<String> = None;
    let mut known: Option<TaskBody> = None;
    let mut pause = QUICK;
    let (mut seen, mut bell) = (Seen::default(), Bell::new(context, id));
    loop {
        match context.client.changed_task(id, &Read::default(), etag.as_deref()).await {
            Ok(Some(read)) => {
                let mut task = super::body(context, &read.task)?;
                seen.complete(context, &mut task).await;
                let is_imported = known.is_none() && received::is_under_way(context, &task).await;
                etag = read.etag;
                pause = QUICK;
                view.reached()?;
                view.show(&read.task, &task, is_imported)?;
                if task.phase().has_ended() || is_imported {
                    return Ok(Some(task));
                }
                known = Some(task);
            }
            Ok(None) => {
                view.reached()?;
                pause = (pause * 3 / 2).min(SLOW);
            }
            Err(e) if known.is_some() && passes(&e) => {
                view.lost(&e)?;
                pause = SLOW;
            }
            Err(e) => return Err(e.into()),
        }
        bell.open().await;
        let asked = pause.min(known.as_ref().map_or(SLOW, until_due));
        let until = Instant::now() + if bell.is_there() { LONG } else { asked };
        while Instant::now() < until {
            view.redraw()?;
            tokio::select! {
                // A server that is gone is asked at once: it may be there again.
                () = bell.rings() => break,
                () = sleep_until(until.min(Instant::now() + FRAME)) => {}
            }
        }
    }
}

/// Time until the next change that the task announces; then it is read again.
fn until_due(task: &TaskBody) -> Duration {
    let at = task.waiting_for.as_ref().and_then(|waiting| waiting.until.as_deref()).and_then(span::parse);
    match at.map(|at| at.0 - crate::now().0) {
        Some(left) if left > 0 => Duration::from_millis(left.unsigned_abs()) + QUICK / 4,
        Some(_) => QUICK,
        None => SLOW,
    }
}

/// Output for the changes of a task.
struct View<'a> {
    context: &'a Context,
    kind: Kind,
    lost: bool,
}

/// Form of that output.
enum Kind {
    /// Redrawn in place.
    Screen(Box<Screen>),
    /// A line a change.
    Lines(Box<Changes>),
    /// The whole task a line, as JSON.
    Json,
}

impl<'a> View<'a> {
    fn new(context: &'a Context) -> Self {
        let out = &context.out;
        let kind = match out.format {
            OutputFormat::Json | OutputFormat::Yaml => Kind::Json,
            OutputFormat::Table | OutputFormat::Wide if out.terminal && !console::is_dumb() => {
                Kind::Screen(Box::new(Screen::new(out.palette)))
            }
            OutputFormat::Table | OutputFormat::Wide => Kind::Lines(Box::new(Changes::new(out.palette))),
        };
        View { context, kind, lost: false }
    }

    /// Prints first which task is watched: lines and JSON have its ID in their first output.
    fn open(&self, id: &str) -> Result<(), Failure> {
        if matches!(self.kind, Kind::Screen(_)) {
            let strong = self.context.out.palette.strong();
            self.context.out.text(&format!("{strong}{id}{strong:#}\n"))?;
        }
        Ok(())
    }

    fn show(&mut self, task: &Value, body: &TaskBody, is_imported: bool) -> Result<(), Failure> {
        match &mut self.kind {
            Kind::Screen(screen) => screen.show(body.clone(), is_imported)?,
            Kind::Lines(changes) => self.context.out.text(&changes.lines(body, crate::now()))?,
            Kind::Json => self.context.out.json_line(task)?,
        }
        Ok(())
    }

    fn redraw(&mut self) -> Result<(), Failure> {
        if let Kind::Screen(screen) = &mut self.kind {
            screen.draw()?;
        }
        Ok(())
    }

    fn lost(&mut self, error: &ClientError) -> Result<(), Failure> {
        if std::mem::replace(&mut self.lost, true) {
            return Ok(());
        }
        let text = harmless(&format!("{error}; trying again"), false).into_owned();
        match &mut self.kind {
            Kind::Screen(screen) => screen.note(Some(text))?,
            Kind::Lines(_) | Kind::Json => self.context.out.remark(&text)?,
        }
        Ok(())
    }

    fn reached(&mut self) -> Result<(), Failure> {
        if !std::mem::replace(&mut self.lost, false) {
            return Ok(());
        }
        match &mut self.kind {
            Kind::Screen(screen) => screen.note(None)?,
            Kind::Lines(_) | Kind::Json => self.context.out.remark("the server answers again")?,
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        if let Kind::Screen(screen) = &mut self.kind {
            screen.close()?;
        }
        Ok(())
    }
}
