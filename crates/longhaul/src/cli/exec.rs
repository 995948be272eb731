//! `worker exec`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;

use super::instant::duration;

/// `worker exec`.
#[derive(Debug, Args)]
#[command(after_help = "\
Each attempt is one run of the program, in a process group of its own, which ends with it.

Input:
  standard input   the input of the attempt as JSON; null where the workflow gives none
  {name}           in an argument: that member of the input, {path.to.member} and {list.0} deeper ones. A text stands
                   there as it is, all else as JSON; an unknown name fails the attempt. {{name}} stands for {name},
                   and every other { for itself. The program's own name is never replaced
  environment      LONGHAUL_TASK_ID, LONGHAUL_TASK_NAME, LONGHAUL_WORKFLOW, LONGHAUL_SUB_TASK, LONGHAUL_ATTEMPT,
                   LONGHAUL_TOKEN (the fencing token, rising with each attempt; not the worker's key),
                   LONGHAUL_IDEMPOTENCY_KEY, and under forEach LONGHAUL_ITEM_INDEX, from 0

Output of a program that ends with 0:
  JSON             the output of the sub-task: all of standard output, or an object or list at its end
  other text       {\"stdout\": \"...\"}
  nothing          no output
  unfit JSON       a failure, not tried again: OUTPUT_AMBIGUOUS (a name twice in one object), OUTPUT_TOO_DEEP,
                   OUTPUT_TOO_LARGE (over 1 MiB), OUTPUT_INVALID (NaN or Infinity, or bytes that are not UTF-8).
                   Text is cut at 1 MiB instead, and other bytes in it are replaced
Lines that are not the result, and all of standard error, are in `longhaul task logs`, while the program runs.

Failure:
  any other code   EXIT_<code>, with the last lines of standard error. Tried again as the sub-task's `retry` says,
                   but not after code 65; code 75 says that another try may do. A signal: its name, such as SIGKILL
  its own error    a last line, of standard error or output, such as
                   {\"code\": \"HOST_UNREACHABLE\", \"message\": \"esx1 does not answer\"}, with `remediation`, `retryable`,
                   `causes`, `context`, `outcomeUnknown` where there is more to say

When the task is cancelled, or the lease lost, the process group gets SIGTERM, and SIGKILL after the grace. On SIGTERM \
or Ctrl-C the worker takes no more work, and what runs has the grace to end; then it is stopped in the same way, and \
another worker takes its attempts over. A second signal stops at once. However the worker ends, its programs do.

It needs an account of role WORKER, best an API key in LONGHAUL_TOKEN (`longhaul user add NAME --role WORKER --service`), \
as a session of `longhaul login` ends within a day.

Examples:
  longhaul worker exec --queue esxi -- ./update-host.sh {host}
  longhaul worker exec --queue esxi --queue nsx --slots 8 -- python3 work.py --name {vm.name}
  longhaul worker exec --queue echo -- cat                    the output is the input
  longhaul worker exec --queue ping -- sh -c 'ping -c 3 \"$1\"' sh {host}")]
pub(crate) struct ExecArgs {
    /// A queue whose work is done; may be given several times
    #[arg(short, long = "queue", required = true, value_name = "QUEUE")]
    pub(crate) queues: Vec<String>,
    /// Number of attempts that run at once
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) slots: usize,
    /// Time that a lease lasts without a heartbeat: when another worker goes on if this one dies
    #[arg(long, default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub(crate) lease: Duration,
    /// Time that the program has to end when it is to stop
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "DURATION")]
    pub(crate) grace: Duration,
    /// Time without an answer of the server after which the worker ends; it waits for ever unless given
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub(crate) patience: Option<Duration>,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<OsString>,
}
