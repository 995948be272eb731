//! Run of the program: passes it its input, reads its output, and ends it if it must stop.

use std::io;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use longhaul_worker::{ActionError, Context};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin};
use tokio::time::{Instant, sleep_until, timeout};

use super::ending::{Complaints, judge};
use super::lines;
use super::printed::Printed;
use super::supervised::Tree;

/// Length of the longest line that is read whole; far longer than any output.
const LONGEST_LINE: usize = 4 << 20;
/// Longest wait for the rest of the output once all processes are gone.
const DRAIN: Duration = Duration::from_secs(1);

/// A program that was started.
pub(super) struct Running {
    child: Child,
    tree: Tree,
}

impl Running {
    pub(super) fn new(child: Child, tree: Tree) -> Self {
        Running { child, tree }
    }

    /// Waits for the program to end; once the attempt is to stop, asks the program to end, and later kills
    /// it.
    pub(super) async fn finish(
        self,
        program: &str,
        context: &Context,
        input: &Value,
        grace: Duration,
    ) -> Result<Option<Value>, ActionError> {
        let Running { mut child, tree } = self;
        let (mut printed, mut complaints) = (Printed::default(), Complaints::default());
        let mut log = |line: &str| context.log(line);
        let status = {
            let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
            let input = input.to_string();
            let talking = async {
                tokio::join!(
                    feed(stdin, input.as_bytes()),
                    lines::read(stdout, LONGEST_LINE, |line, is_utf8| {
                        printed.line(line, &mut log);
                        if !is_utf8 {
                            printed.garble();
                        }
                    }),
                    lines::read(stderr, LONGEST_LINE, |line, _| {
                        context.log_err(line);
                        complaints.line(line);
                    }),
                );
            };
            let mut talking = pin!(talking);
            let (status, all_said) = ended(&mut child, &tree, context, grace, talking.as_mut()).await;
            tree.ended(&status);
            if !all_said {
                // The pipes close once all processes have ended.
                let _ = timeout(DRAIN, talking).await;
            }
            status
        };
        let status = status.map_err(|e| {
            let message = format!("how `{program}` ended cannot be found out: {e}");
            ActionError::new("PROGRAM_LOST", message).outcome_unknown()
        })?;
        if let Some(reason) = complaints.of_launcher(status) {
            return Err(not_started(program, &reason));
        }
        judge(program, status, printed, complaints, &mut log)
    }
}

/// Writes the input, of which a program may read as much as it wants.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}

/// Waits for the program to end, and returns whether its pipes were closed by then.
async fn ended(
    child: &mut Child,
    tree: &Tree,
    context: &Context,
    grace: Duration,
    mut talking: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> (io::Result<ExitStatus>, bool) {
    let (mut asked, mut kill_at, mut all_said) = (false, None, false);
    loop {
        tokio::select! {
            biased;
            status = child.wait() => return (status, all_said),
            () = context.cancellation().cancelled(), if !asked => {
                asked = true;
                tree.ask();
                kill_at = Instant::now().checked_add(grace);
            }
            () = at(kill_at) => {
                tree.end();
                kill_at = None;
            }
            () = talking.as_mut(), if !all_said => all_said = true,
        }
    }
}

/// Waits until the instant; for ever without one.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Returns the error of an attempt whose program did not start.
pub(super) fn not_started(program: &str, reason: &str) -> ActionError {
    ActionError::new("PROGRAM_NOT_STARTED", format!("`{program}` was not started: {reason}"))
}
