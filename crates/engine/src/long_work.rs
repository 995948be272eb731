//! Long computations in async code. The runtime has a thread for each processor, and one that computes for
//! long may be the one that was to notice new connections and timers: with two of them, the whole server
//! stands still.

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// Size of a computation, in bytes of its input, from which on it costs more than handing the thread's other
/// work to another thread does: some microseconds.
const LONG: usize = 1024;

/// Runs a computation over so many bytes. If it may take long, the runtime goes on with everything else
/// meanwhile.
pub(crate) fn beside_runtime<T>(bytes: usize, compute: impl FnOnce() -> T) -> T {
    let several =
        || Handle::try_current().is_ok_and(|now| now.runtime_flavor() == RuntimeFlavor::MultiThread);
    // A runtime of one thread, as in tests, has nobody to hand its work to.
    if bytes >= LONG && several() { block_in_place(compute) } else { compute() }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// Computes until another task of the same runtime has answered.
    fn computes(bytes: usize) -> bool {
        let (ask, asked) = mpsc::channel::<()>();
        let (answer, answered) = mpsc::channel();
        tokio::spawn(async move {
            if asked.recv().is_ok() {
                let _ = answer.send(());
            }
        });
        beside_runtime(bytes, || {
            let _ = ask.send(());
            answered.recv_timeout(Duration::from_secs(10)).is_ok()
        })
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn others_go_on_beside_a_long_computation() {
        let done = tokio::spawn(async { computes(LONG) }).await;
        assert!(done.is_ok_and(|answered| answered));
    }

    #[tokio::test]
    async fn runtime_of_one_thread_computes_in_place() {
        assert_eq!(beside_runtime(LONG, || 7), 7);
    }
}
