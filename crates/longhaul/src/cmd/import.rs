//! `import`: makes tasks of another server searchable here. The file is split into requests of a size that
//! the server accepts; every task is sent with its text unchanged.

use std::io::Read;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use longhaul_client::{ClientError, Imported};
use longhaul_model::encoding;
use longhaul_model::text::without_value;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Context;
use crate::cli::{ImportArgs, OutputFormat};
use crate::exit::{Code, Failure};
use crate::out::bar::bar;

/// Maximum number of tasks in one request.
const TASKS: usize = 1000;
/// Maximum size of a request's text in bytes, unless a single task is larger.
const BYTES: usize = 4 << 20;

/// Reads the whole file first: a mistake in it is found before anything is sent.
pub(crate) async fn run(args: &ImportArgs, context: &Context) -> Result<Code, Failure> {
    let text = read(&args.file)?;
    let tasks = tasks(&text).with_context(|| name(&args.file))?;
    if tasks.is_empty() {
        return Err(anyhow!("{}: there is no task in it", name(&args.file)).into());
    }
    let bar = bar("{wide_bar} {human_pos} of {human_len} tasks, {rate}", tasks.len() as u64)?;
    let (mut sum, mut sent) = (Imported::default(), 0);
    for piece in pieces(&tasks) {
        let body = format!("[{}]", piece.iter().map(|task| task.get()).collect::<Vec<_>>().join(","));
        let done = match context.client.import_tasks(body.into_bytes()).await {
            Ok(done) => done,
            Err(e) => {
                bar.finish_and_clear();
                if sent > 0 {
                    context
                        .out
                        .remark(&format!("{sent} of {} tasks were imported before this:", tasks.len()))?;
                }
                return Err(placed(e, sent, &tasks, &text).into());
            }
        };
        sent += piece.len();
        sum.imported += done.imported;
        sum.replaced += done.replaced;
        sum.kept += done.kept;
        bar.inc(piece.len() as u64);
    }
    bar.finish_and_clear();
    match context.out.format {
        OutputFormat::Table | OutputFormat::Wide => {
            let kept = if sum.kept > 0 {
                format!(", {} of this server's own left as they are", sum.kept)
            } else {
                String::new()
            };
            context
                .out
                .text(&format!("{} tasks imported, {} replaced{kept}\n", sum.imported, sum.replaced))?;
        }
        OutputFormat::Json | OutputFormat::Yaml => {
            let sum =
                serde_json::json!({ "imported": sum.imported, "replaced": sum.replaced, "kept": sum.kept });
            context.out.verbatim(&sum)?;
        }
    }
    Ok(Code::Success)
}

fn name(file: &Path) -> String {
    if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() }
}

/// Reads the text of a file in UTF-8 or, as PowerShell writes it, in UTF-16.
fn read(file: &Path) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        std::io::stdin().read_to_end(&mut bytes).context("standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    }
    let text = encoding::text_of(&bytes).map_err(|e| anyhow!("{}: {e}", name(file)))?;
    Ok(text.into_owned())
}

/// Reports a refusal of one task with its position in the file instead of that in the request; `sent` tasks
/// went before.
fn placed(e: ClientError, sent: usize, tasks: &[&RawValue], text: &str) -> ClientError {
    let ClientError::Refused { status, mut error } = e else { return e };
    let pointer = error.context.get("pointer").and_then(|pointer| pointer.as_str()).unwrap_or_default();
    let index =
        pointer.strip_prefix("/elements/").and_then(|rest| rest.split('/').next()?.parse::<usize>().ok());
    if let Some((n, task)) = index.and_then(|n| Some((n, tasks.get(sent + n)?))) {
        // Both pointers are into the same text.
        let at = (task.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
        let here = format!("task {} (line {line})", sent + n + 1);
        error.message = error.message.replacen(&format!("task {}", n + 1), &here, 1);
    }
    ClientError::Refused { status, error }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    elements: Option<Vec<&'a RawValue>>,
}

/// Returns every task in a text: of pages, of lists, or on its own, any number of them one after the other.
fn tasks(text: &str) -> anyhow::Result<Vec<&RawValue>> {
    let mut tasks = Vec::new();
    // The message does not repeat the text: it may hold secrets of the other server.
    let unsaid = |e: serde_json::Error| anyhow!("{}", without_value(&e.to_string()));
    for (n, value) in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>().enumerate() {
        let value = value.map_err(unsaid)?;
        match value.get().as_bytes().first() {
            Some(b'[') => tasks.extend(serde_json::from_str::<Vec<&RawValue>>(value.get()).map_err(unsaid)?),
            Some(b'{') => match serde_json::from_str::<Page<'_>>(value.get()).map_err(unsaid)?.elements {
                Some(elements) => tasks.extend(elements),
                None => tasks.push(value),
            },
            _ => {
                return Err(anyhow!(
                    "value {} of the file is no task, list of tasks or page of tasks",
                    n + 1
                ));
            }
        }
    }
    Ok(tasks)
}

/// Splits tasks into parts that are sent at once.
fn pieces<'t, 'a>(tasks: &'t [&'a RawValue]) -> impl Iterator<Item = &'t [&'a RawValue]> {
    let mut rest = tasks;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(TASKS).take_while(|task| {
            bytes += task.get().len() + 1;
            bytes <= BYTES
        });
        let count = fits.count().max(1);
        if rest.is_empty() {
            return None;
        }
        let (piece, more) = rest.split_at(count);
        rest = more;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_history_is_read() {
        let text = "{\"id\":1}\n{\"id\": 2}\n[{\"id\":3},{\"id\":4}] {\"elements\":[{\"id\":5}],\"pageMetadata\":{}}\n[]";
        let found: Vec<&str> = tasks(text).unwrap().iter().map(|task| task.get()).collect();
        assert_eq!(found, ["{\"id\":1}", "{\"id\": 2}", "{\"id\":3}", "{\"id\":4}", "{\"id\":5}"]);
        assert!(tasks("[1, 2").is_err());
        assert!(tasks("\"text\"").unwrap_err().to_string().contains("is no task"));
    }

    #[test]
    fn pieces_are_bounded_and_complete() {
        let text = vec!["{}"; 2500].join("\n");
        let all = tasks(&text).unwrap();
        assert_eq!(pieces(&all).map(<[_]>::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        let large = format!("[\"{}\",1,2]", "x".repeat(BYTES));
        let all = tasks(&large).unwrap();
        assert_eq!(pieces(&all).map(<[_]>::len).collect::<Vec<_>>(), [1, 2]);
    }
}
