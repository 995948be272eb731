//! `task list --watch`: a list that follows its tasks. On a terminal the table changes in place; elsewhere
//! each change is a line. A server that restarts is waited for, and no change is lost meanwhile.

use std::time::Duration;

use console::{Term, truncate_str};
use longhaul_client::{ClientError, Event, Events, TaskBody, TaskFilter};
use longhaul_model::text::harmless;
use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until};

use super::table::rendered;
use super::{Context, passes};
use crate::cli::OutputFormat;
use crate::exit::{Code, Failure};
use crate::out::{size_of, tree};

/// Pause before the server is asked again.
const AGAIN: Duration = Duration::from_secs(1);
/// Shortest time between two pictures, and the longest: ages grow.
const FRAME: Duration = Duration::from_millis(200);
const AGES: Duration = Duration::from_secs(1);

/// Follows a list until it is interrupted.
pub(super) async fn run(filter: &TaskFilter, context: &Context) -> Result<Code, Failure> {
    let mut live = Live::new(filter, context);
    let done = tokio::select! {
        done = live.follow() => done.map(|()| Code::Success),
        _ = tokio::signal::ctrl_c() => Ok(Code::Interrupted),
    };
    live.close()?;
    done
}

struct Live<'a> {
    filter: &'a TaskFilter,
    context: &'a Context,
    /// Tasks of the page, and those that are new since.
    tasks: Vec<TaskBody>,
    total: Option<u64>,
    cursor: Option<String>,
    /// True while the tasks of the page are still on their way.
    begins: bool,
    note: Option<String>,
    screen: Option<Screen>,
}

struct Screen {
    term: Term,
    drawn: usize,
}

impl<'a> Live<'a> {
    fn new(filter: &'a TaskFilter, context: &'a Context) -> Self {
        let out = &context.out;
        let table = matches!(out.format, OutputFormat::Table | OutputFormat::Wide);
        let screen = (table && out.terminal && !console::is_dumb())
            .then(|| Screen { term: Term::buffered_stdout(), drawn: 0 });
        Live {
            filter,
            context,
            tasks: Vec::new(),
            total: None,
            cursor: None,
            begins: true,
            note: None,
            screen,
        }
    }

    async fn follow(&mut self) -> Result<(), Failure> {
        loop {
            match self.context.client.events(self.filter, self.cursor.as_deref()).await {
                Ok(events) => {
                    if self.cursor.is_none() {
                        (self.tasks, self.begins) = (Vec::new(), true);
                    }
                    self.says(None)?;
                    if let Err(e) = self.read(events).await? {
                        self.says(Some(&e))?;
                    }
                }
                Err(e) if e.status() == Some(410) => self.cursor = None,
                Err(e) if passes(&e) && (self.cursor.is_some() || !self.tasks.is_empty()) => {
                    self.says(Some(&e))?
                }
                Err(e) => return Err(e.into()),
            }
            sleep(AGAIN).await;
        }
    }

    /// Reads a stream to its end, and says how that came.
    async fn read(&mut self, mut events: Events) -> Result<Result<(), ClientError>, Failure> {
        let mut due = Instant::now() + AGES;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Ok(Some(event)) => {
                        self.take(event)?;
                        self.cursor = events.cursor().map(str::to_owned).or(self.cursor.take());
                        due = due.min(Instant::now() + FRAME);
                    }
                    Ok(None) => return Ok(Ok(())),
                    Err(e) => return Ok(Err(e)),
                },
                () = sleep_until(due) => {
                    self.draw()?;
                    due = Instant::now() + AGES;
                }
            }
        }
    }

    fn take(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Task(task) => self.task(&task)?,
            Event::Snapshot(about) => {
                self.total = about["pageMetadata"]["totalElements"].as_u64();
                self.begins = false;
            }
            Event::Left { id, .. } | Event::Deleted(id) => self.tasks.retain(|task| task.id != id),
            Event::Bookmark(total) => self.total = total.or(self.total),
            // The stream ends after it, and the next one begins anew.
            Event::Reset(_) => self.cursor = None,
            _ => {}
        }
        Ok(())
    }

    fn task(&mut self, task: &Value) -> Result<(), Failure> {
        let body = super::body(self.context, task)?;
        let known = self.tasks.iter_mut().find(|known| known.id == body.id);
        let is_news = known.as_ref().is_none_or(|known| known.status != body.status);
        match known {
            Some(known) => *known = body.clone(),
            None if self.begins => self.tasks.push(body.clone()),
            None => {
                self.tasks.insert(0, body.clone());
                self.tasks.truncate(self.filter.page_size.unwrap_or(10) as usize);
            }
        }
        if self.screen.is_some() {
            return Ok(());
        }
        let out = &self.context.out;
        match out.format {
            OutputFormat::Json | OutputFormat::Yaml => out.json_line(task)?,
            _ if is_news => {
                let status = tree::status(&body.status, out.palette);
                out.text(&format!("{} {} {status} {}\n", crate::now(), body.id, body.name))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Says that the server is not reached, or that it is again.
    fn says(&mut self, error: Option<&ClientError>) -> Result<(), Failure> {
        let note = error.map(|e| harmless(&format!("{e}; trying again"), false).into_owned());
        if note.is_some() == self.note.is_some() {
            return Ok(());
        }
        self.note = note;
        match (&self.screen, &self.note) {
            (Some(_), _) => self.draw()?,
            (None, Some(note)) => self.context.out.remark(note)?,
            (None, None) => self.context.out.remark("the server answers again")?,
        }
        Ok(())
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let out = &self.context.out;
        let Some(screen) = &mut self.screen else { return Ok(()) };
        let (height, width) = size_of(&screen.term);
        let mut lines: Vec<String> = match self.tasks.is_empty() {
            true => vec!["no tasks".to_owned()],
            false => rendered(&self.tasks, out).lines().map(str::to_owned).collect(),
        };
        lines.truncate(height.saturating_sub(2).max(1));
        let dim = out.palette.dim();
        let total = self.total.map_or(String::new(), |total| format!("{total} tasks; "));
        let note =
            self.note.clone().unwrap_or_else(|| format!("{total}Ctrl-C stops watching; the tasks go on"));
        lines.push(format!("{dim}{note}{dim:#}"));
        if screen.drawn > 0 {
            screen.term.clear_last_lines(screen.drawn)?;
        }
        for line in &lines {
            screen.term.write_line(&truncate_str(line, width, "…"))?;
        }
        screen.drawn = lines.len();
        screen.term.flush()?;
        Ok(())
    }

    fn close(&mut self) -> Result<(), Failure> {
        self.note = None;
        self.draw()
    }
}
