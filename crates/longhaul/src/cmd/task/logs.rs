//! `task logs`.

use longhaul_client::{LogBody, LogFilter, LogLineBody, TaskBody};

use super::{Context, body, id};
use crate::cli::LogsArgs;
use crate::exit::{Code, Failure};

/// Longest wait of one call for new lines.
const WAIT: &str = "20s";

/// Prints the log of a task's sub-tasks; with `--follow`, until the task ends.
pub(crate) async fn run(args: &LogsArgs, context: &Context) -> Result<Code, Failure> {
    let id = id::whole(context, &args.id).await?;
    let mut filter = LogFilter { sub_task: args.sub_task.clone(), ..LogFilter::default() };
    loop {
        // The status is read before the lines: lines that an attempt wrote before its end are not missed.
        let ended = !args.follow || ended(context, &id).await?;
        let answer = context.client.task_logs(&id, &filter).await?;
        let log: LogBody = crate::cmd::plain(answer.clone()).map_err(anyhow::Error::from)?;
        if !context.out.verbatim(&answer)? {
            for line in &log.lines {
                print(line, args, context)?;
            }
        }
        filter.after = log.next;
        if log.lines.is_empty() && ended {
            return Ok(Code::Success);
        }
        filter.wait = (log.lines.is_empty() && args.follow).then(|| WAIT.to_owned());
        if !args.follow && log.lines.is_empty() {
            return Ok(Code::Success);
        }
    }
}

async fn ended(context: &Context, id: &str) -> Result<bool, Failure> {
    let task = context.client.get_task(id, &longhaul_client::Read::default()).await?;
    let task: TaskBody = body(context, &task)?;
    Ok(task.phase().has_ended())
}

fn print(line: &LogLineBody, args: &LogsArgs, context: &Context) -> Result<(), Failure> {
    let out = &context.out;
    let (dim, warn) = (out.palette.dim(), out.palette.warn());
    let time = if args.timestamps { format!("{dim}{}{dim:#} ", line.timestamp) } else { String::new() };
    let source = match (&args.sub_task, line.attempt) {
        (Some(_), _) => String::new(),
        (None, 1) => format!("{dim}{}{dim:#} ", line.sub_task),
        (None, attempt) => format!("{dim}{} #{attempt}{dim:#} ", line.sub_task),
    };
    let text = &line.text;
    let text = if line.stream == "stderr" { format!("{warn}{text}{warn:#}") } else { text.clone() };
    out.text(&format!("{time}{source}{text}\n"))?;
    Ok(())
}
