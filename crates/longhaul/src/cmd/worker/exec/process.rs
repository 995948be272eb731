//! One run of the program: fed, listened to, and ended if it must be.

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

/// The longest line that is read as it is; far longer than any output.
const LONGEST_LINE: usize = 4 << 20;
/// How long the rest of the output is waited for once all processes are gone.
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

    /// Waits for its end; asks it to end, and then makes it, once the attempt is to stop.
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
                    lines::read(stdout, LONGEST_LINE, |line| printed.line(line, &mut log)),
                    lines::read(stderr, LONGEST_LINE, |line| {
                        context.log_err(line);
                        complaints.line(line);
                    }),
                );
            };
            let mut talking = pin!(talking);
            let (status, all_said) = ended(&mut child, &tree, context, grace, talking.as_mut()).await;
            tree.ended(&status);
            if !all_said {
                // Until the pipes close, which the end of all processes does.
                let _ = timeout(DRAIN, talking).await;
            }
            status
        };
        let status = status.map_err(|e| {
            let message = format!("how `{program}` ended cannot be found out: {e}");
            ActionError::new("PROGRAM_LOST", message).outcome_unknown()
        })?;
        if let Some(reason) = complaints.of_launcher(status) {
            return Err(super::program::not_started(program, &reason));
        }
        judge(program, status, printed, complaints, &mut log)
    }
}

/// The input, of which a program reads what it wants.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
    }
}

/// Waits for the end of the program, and says whether its pipes were closed by then.
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

/// Never, without an instant.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
