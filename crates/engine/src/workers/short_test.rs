//! Lists, counts and sweeps visit a bounded number of items while they hold the lock that all calls of
//! workers need, however many queues, workers and attempts there are.

use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{Lease, Leased, NodeId, Span, TaskId, Timestamp, Token, WorkerId};
use longhaul_store::peers::QueueNews;
use tokio::time::Instant;

use super::seen::Asked;
use super::short::SLICE;
use super::{QueueLimits, Workers};

/// Count of items of each kind.
struct Size {
    queues: u32,
    workers: u32,
    waiting: u32,
    leases: u32,
}

fn id(n: u32) -> TaskId {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&n.to_be_bytes());
    TaskId::from_bytes(bytes)
}

fn queue(n: u32) -> Arc<str> {
    format!("q{n}").into()
}

fn worker(n: u32) -> WorkerId {
    WorkerId(format!("account{}/worker{n}", n % 16).into())
}

fn filled(size: &Size) -> Arc<Workers> {
    let workers = Arc::new(Workers::default());
    workers.bound(super::WorkerBounds { queues: usize::MAX, workers: usize::MAX });
    for n in 0..size.waiting {
        // Half of it in one queue, with every priority.
        let name = if n % 2 == 0 { queue(0) } else { queue(n / 2 % size.queues) };
        workers.queued(id(n), 0, &name, (n % 256) as u8 as i8, 1);
    }
    for n in 0..size.workers {
        let queues: Vec<_> = (0..32).map(|k| queue((n * 32 + k) % size.queues)).collect();
        workers.state.lock().seen.asked(&worker(n), &queues, Asked::default(), Timestamp(0)).unwrap();
    }
    for n in 0..size.leases {
        let lease = Lease { worker: worker(n % size.workers), span: Span(30_000), request: None };
        let leased = Leased {
            sub_task: 1,
            token: Token(1),
            lease,
            queue: queue(n % size.queues),
            started_at: Timestamp(0),
            timeout: None,
            secrets: false,
        };
        workers.leased(id(n), &leased, Timestamp(0));
    }
    workers
}

/// Calls everything that goes through many items; each with its name.
fn walk(workers: &Arc<Workers>, size: &Size, said: &mut dyn FnMut(&str)) {
    assert!(workers.summaries().len() >= size.queues as usize);
    said("queues");
    assert_eq!(workers.heard_of().len(), size.workers as usize);
    said("workers");
    assert_eq!(workers.leased_keys().len(), size.leases as usize);
    said("leases");
    assert_eq!(workers.serving("q0"), (size.workers * 32).div_ceil(size.queues) as usize);
    said("serving");
    let elsewhere = QueueNews { name: "q0".to_owned(), wanted: u32::MAX, ..QueueNews::default() };
    let _ = workers.heard_of_queue(NodeId(7), elsewhere);
    said("news of a queue");
    let _ = workers.tick(2);
    said("tick");
    let asked: Vec<_> = (0..32).map(queue).collect();
    let taken = workers.state.lock().take(&asked, 256, Instant::now());
    assert!(!taken.is_empty());
    said("take");
    workers.settle(taken, None);
    said("settle");
    workers.reset_limits([("q1".to_owned(), QueueLimits { paused: true, ..QueueLimits::default() })].into());
    said("limits");
    workers.recovering(true);
    workers.recovering(false);
    said("recovering");
    workers.sweep(Instant::now());
    said("sweep");
    workers.pardon();
    workers.sweep(Instant::now() + Duration::from_secs(60));
    said("sweep of what is over");
    workers.forget_workers();
    workers.forget_queues();
    said("forgetting");
}

#[tokio::test]
async fn no_hold_visits_more_than_a_slice() {
    let size = Size { queues: 1_500, workers: 1_200, waiting: 6_000, leases: 1_500 };
    let workers = filled(&size);
    workers.state.forget_longest();
    walk(&workers, &size, &mut |name| {
        let visited = workers.state.most_visited();
        // One queue more may be begun than fits, and it may have as many priorities as there are.
        assert!(visited <= 2 * SLICE as u64 + 256, "{name}: {visited} items");
    });
    assert!(workers.state.most_visited() > 1, "visits are counted");
}

#[tokio::test]
async fn queue_that_is_only_asked_is_none() {
    let size = Size { queues: 4, workers: 1, waiting: 0, leases: 0 };
    let workers = filled(&size);
    assert!(workers.summaries().is_empty());
    workers.queued(id(1), 0, &queue(1), 0, 1);
    assert_eq!(workers.summaries().iter().map(|queue| &*queue.name).collect::<Vec<_>>(), ["q1"]);
    workers.unqueued(id(1), 0, &queue(2), 2);
    assert_eq!(workers.state.lock().queues.len(), 1);
}

/// `make bench` runs this with a release build, and shows how long the lock was held.
#[tokio::test]
#[ignore = "a measurement"]
#[expect(clippy::print_stdout, reason = "what it is for")]
async fn longest_hold_with_many_of_everything() {
    let size = Size { queues: 10_000, workers: 10_000, waiting: 100_000, leases: 20_000 };
    let workers = filled(&size);
    println!("{:>28} {:>12?}", "filling", workers.state.longest());
    workers.state.forget_longest();
    walk(&workers, &size, &mut |name| {
        println!("{name:>28} {:>12?}", workers.state.longest());
        workers.state.forget_longest();
    });
}
