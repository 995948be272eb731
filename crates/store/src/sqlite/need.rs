//! What a job needs of a disk that is full. What ends or frees something may use the reserve; what makes
//! something new may not.

use longhaul_model::Command;

use super::writer::Job;

/// Where the room for a job may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// The way out for an operator: it is written as long as there is any room at all.
    WayOut,
    /// What happened already and must be recorded. It may use half of the reserve, so that many of them leave
    /// some for operators.
    Record,
    /// Something new: it is refused while the disk is full.
    Room,
}

impl Need {
    /// What a job needs.
    pub(super) fn of(job: &Job) -> Need {
        match job {
            Job::Submit(..) | Job::PutWorkflow(..) | Job::DeleteWorkflow(..) => Need::Room,
            Job::Command(_, command, _) => Need::of_command(command),
            // What it would lease besides is left waiting, see the batch.
            Job::Work(work, _) if !work.reports.is_empty() => Need::Record,
            Job::Work(..) => Need::Room,
            Job::Errand(_, need) => *need,
        }
    }

    /// What a command needs.
    pub(super) fn of_command(command: &Command) -> Need {
        match command {
            Command::Cancel { .. }
            | Command::CancelCredentials { .. }
            | Command::Skip { .. }
            | Command::Resolve { .. }
            | Command::Decide { .. }
            | Command::Release { .. }
            | Command::Recover { .. } => Need::WayOut,
            // Also timeouts and the end of a cancel's grace are due some time.
            Command::Complete { .. }
            | Command::Fail { .. }
            | Command::HandBack { .. }
            | Command::Acquired
            | Command::Due => Need::Record,
            Command::Begin
            | Command::Start { .. }
            | Command::Lease { .. }
            | Command::LeaseAgain { .. }
            | Command::Report { .. }
            | Command::Retry { .. }
            | Command::RetryCredentials { .. } => Need::Room,
        }
    }
}
