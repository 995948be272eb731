//! Filling a data directory with finished tasks, in process: the store and the engine as the server runs
//! them, only without HTTP. A filled directory is kept and copied for each run.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use longhaul_crypto::{Keyring, Rotation};
use longhaul_engine::{Audit, Engine, EngineConfig, SubmitRequest, TaskQuery};
use longhaul_model::{Env, Timestamp};
use longhaul_store::sqlite::Sqlite;

use crate::{access, data, say};

/// Tasks on their way at once.
const AT_ONCE: usize = 512;
/// Longest time for one of them; the machine may be busy with other things.
const PATIENCE: Duration = Duration::from_secs(600);
/// Raised when what is filled in changes, so that no old directory is taken for a new one.
const EDITION: u32 = 1;

/// End of a task of the filling.
#[derive(Clone, Copy)]
enum Fate {
    Succeeds,
    Fails,
    IsCancelled,
    StaysPending,
}

/// 80 % succeed, 15 % fail, 3 % are cancelled, 2 % wait for a start that is far away.
fn fate(n: u64) -> Fate {
    match data::mix(n ^ 0x5eed) % 100 {
        0..80 => Fate::Succeeds,
        80..95 => Fate::Fails,
        95..98 => Fate::IsCancelled,
        _ => Fate::StaysPending,
    }
}

/// An instant that no run lives to see.
pub(crate) fn far_away() -> Timestamp {
    Timestamp(4_070_908_800_000) // 2099-01-01
}

/// The kept directory with `count` tasks.
fn kept(root: &Path, count: u64) -> PathBuf {
    root.join(name(count))
}

/// Forgets what is kept, so that it is filled anew.
pub(crate) fn forget(root: &Path, count: u64) -> Result<()> {
    for directory in [kept(root, count), half(root, count)] {
        access::forget_key(&directory)?;
        if directory.exists() {
            std::fs::remove_dir_all(directory)?;
        }
    }
    Ok(())
}

/// Directory of a store that is not full yet.
fn half(root: &Path, count: u64) -> PathBuf {
    root.join(format!("half-{}", name(count)))
}

fn name(count: u64) -> String {
    format!("{count}-{}-{EDITION}", env!("CARGO_PKG_VERSION"))
}

/// The kept directory with `count` tasks and its key, filled now if there is none.
pub(crate) fn ensure(root: &Path, count: u64) -> Result<PathBuf> {
    let directory = kept(root, count);
    if !directory.exists() {
        // One that was interrupted is gone on with.
        let half = half(root, count);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(fill(&half, count))?;
        std::fs::rename(&half, &directory)?;
    }
    // One of an earlier version may have none.
    access::key(&directory)?;
    Ok(directory)
}

/// Copies a kept directory with its key, to be changed by a run.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    access::copy_key(from, to)
}

async fn fill(directory: &Path, count: u64) -> Result<()> {
    say(&format!("filling {} with {count} tasks", directory.display()));
    let env = Env::real();
    let store: Arc<Sqlite> =
        Sqlite::open(directory, env.clone()).context("opening the store to be filled")?;
    let keys = Keyring::open(&directory.join("keys.json"), Rotation::default(), env.now().0)?;
    let engine = Engine::start(store, env, keys.sealer(), EngineConfig::default()).await?;
    for definition in data::fill_workflows() {
        let put = engine.put_workflow(serde_json::from_value(definition)?, audit()).await;
        put.map_err(|e| anyhow::anyhow!("a workflow of the filling was refused: {e:?}"))?;
    }
    let begun = Instant::now();
    let done = engine.list(TaskQuery::default()).await?.total;
    let next = Arc::new(AtomicU64::new(done));
    let mut workers = Vec::new();
    for _ in 0..AT_ONCE {
        let (engine, next) = (engine.clone(), next.clone());
        workers.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return anyhow::Ok(());
                }
                if n > 0 && n.is_multiple_of(100_000) {
                    say(&format!("{n} tasks, {:.0}/s", (n - done) as f64 / begun.elapsed().as_secs_f64()));
                }
                one(&engine, n).await?;
            }
        }));
    }
    for worker in workers {
        worker.await.context("a filling task died")??;
    }
    engine.shutdown(Duration::from_secs(60)).await;
    say(&format!("{count} tasks in {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// Returns the audit note of the filling.
fn audit() -> Audit {
    Audit::new("bench".into(), None, "fill")
}

/// The n-th task, taken to where its fate has it.
async fn one(engine: &Engine, n: u64) -> Result<()> {
    let fate = fate(n);
    let waits = matches!(fate, Fate::IsCancelled | Fate::StaysPending);
    let request = SubmitRequest {
        workflow: data::fill_workflow(n, matches!(fate, Fate::Fails)),
        version: None,
        input: data::input(n),
        name: Some(data::name(n)),
        not_before: waits.then(far_away),
        labels: Default::default(),
        audit: None,
        key: None,
        room: None,
        caller: None,
    };
    match fate {
        Fate::Succeeds | Fate::Fails => {
            let submitted = engine.submit_and_wait(request, PATIENCE).await?;
            if let longhaul_engine::Stored::Own(record) = &submitted.task
                && !record.state.status.is_ended()
            {
                bail!("task {n} of the filling did not end in time");
            }
        }
        Fate::IsCancelled => {
            let id = engine.submit(request).await?.task.id();
            engine.cancel(id, audit()).await?;
        }
        Fate::StaysPending => {
            engine.submit(request).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_spread_as_said() {
        let share = |is: fn(&Fate) -> bool| (0..10_000).map(fate).filter(is).count();
        assert!((7_800..8_200).contains(&share(|fate| matches!(fate, Fate::Succeeds))));
        assert!((1_350..1_650).contains(&share(|fate| matches!(fate, Fate::Fails))));
        assert!((400..600).contains(&share(|fate| matches!(fate, Fate::IsCancelled | Fate::StaysPending))));
    }
}
