//! Completion of values that only a server knows: IDs of tasks, names of workflows and queues. The shell
//! calls the program itself with the words so far; candidates that cannot be found in time are not offered.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use longhaul_client::{Client, ClientError, PageBody, QueueBody, TaskBody, TaskFilter, WorkflowBody};
use longhaul_model::TaskStatus;

use crate::cli::{Global, command};
use crate::cmd::{self, Contexts, OPEN_FAILURES, short_ids};
use crate::out::Out;

/// Environment variable that the completion script sets to the name of its shell.
pub(crate) const VARIABLE: &str = "LONGHAUL_COMPLETE";
/// Longest wait for candidates.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers the shell and ends the process, if the shell called it for completion.
pub(crate) fn answer() {
    CompleteEnv::with_factory(command).var(VARIABLE).bin("longhaul").complete();
}

/// Ids of the newest tasks.
pub(crate) fn tasks() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let newest = TaskFilter { page_size: Some(100), ..TaskFilter::default() };
        let page: PageBody<TaskBody> = ask(async |client| client.list_tasks(&newest).await);
        let ids: Vec<&str> = page.elements.iter().map(|task| task.id.as_str()).collect();
        let both = short_ids(&ids).into_iter().zip(ids.iter().map(|id| (*id).to_owned()));
        let offers = page.elements.iter().zip(both).enumerate().filter_map(|(n, (task, (short, whole)))| {
            // A word that is the beginning of the whole id is completed to that.
            let id = [short, whole].into_iter().find(|id| starts(id, typed))?;
            let help = format!("{}, {}", task.status, task.name);
            Some(CompletionCandidate::new(id).help(Some(help.into())).display_order(Some(n)))
        });
        offers.collect()
    })
}

/// Names of workflows.
pub(crate) fn workflows() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let page: PageBody<WorkflowBody> = ask(async |client| client.list_workflows().await);
        named(page.elements.into_iter().map(|workflow| (workflow.name, workflow.title)), typed)
    })
}

/// Names of queues.
pub(crate) fn queues() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let page: PageBody<QueueBody> = ask(async |client| client.list_queues().await);
        named(page.elements.into_iter().map(|queue| (queue.name, String::new())), typed)
    })
}

/// Statuses of tasks, and the pseudo-status of failures that nobody has resolved.
pub(crate) fn statuses() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words = TaskStatus::ALL.iter().map(|status| status.constant().to_ascii_lowercase());
        named(words.chain([OPEN_FAILURES.to_owned()]).map(|word| (word, String::new())), typed)
    })
}

/// Names of contexts.
pub(crate) fn contexts() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let stored = Contexts::of_user().and_then(|file| file.read()).unwrap_or_default();
        named(stored.contexts.into_iter().map(|(name, place)| (name, place.server)), typed)
    })
}

fn starts(word: &str, typed: &OsStr) -> bool {
    typed.to_str().is_some_and(|typed| word.starts_with(&typed.to_ascii_lowercase()))
}

fn named(words: impl Iterator<Item = (String, String)>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let fit = words.filter(|(word, _)| typed.to_str().is_some_and(|typed| word.starts_with(typed)));
    fit.map(|(word, help)| {
        let help = (!help.is_empty()).then(|| help.into());
        CompletionCandidate::new(word).help(help)
    })
    .collect()
}

/// Returns the answer to a call with the identity of the shell's user; empty if the server cannot be asked.
fn ask<T, F>(call: F) -> PageBody<T>
where
    PageBody<T>: serde::de::DeserializeOwned + Default,
    F: AsyncFnOnce(Client) -> Result<serde_json::Value, ClientError>,
{
    let asked = async {
        let global = said_so_far(std::env::args().skip_while(|word| word != "--").skip(1));
        let context = cmd::context(&global, Out::new(&global)).await.ok()?;
        let answer = call(context.client).await.ok()?;
        cmd::plain(answer).ok()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.map(|runtime| {
        runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await.ok().flatten() })
    });
    answer.ok().flatten().unwrap_or_default()
}

/// Reads the global options of an incomplete command line.
fn said_so_far(words: impl Iterator<Item = String>) -> Global {
    let mut global = Global::default();
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) => (option.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        // Some shells pass `=` as a word of its own.
        let mut value = || {
            value.clone().or_else(|| {
                words.next_if(|next| next == "=");
                words.next()
            })
        };
        match option.as_str() {
            "--server" => global.server = value(),
            "--context" => global.context = value(),
            "--ca" => global.ca = value().map(PathBuf::from),
            "--insecure" => global.insecure = true,
            _ => {}
        }
    }
    global
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_half_a_line_are_read() {
        let read = |line: &str| said_so_far(line.split(' ').map(str::to_owned));
        for line in [
            "longhaul --server http://a:1 task get",
            "longhaul task get 4b --server=http://a:1",
            "longhaul task --server = http://a:1 get 4b",
        ] {
            assert_eq!(read(line).server.as_deref(), Some("http://a:1"), "{line}");
        }
        let both = read("longhaul --context lab --insecure task get");
        assert_eq!((both.context.as_deref(), both.insecure), (Some("lab"), true));
        assert_eq!(read("longhaul --server").server, None);
    }
}
