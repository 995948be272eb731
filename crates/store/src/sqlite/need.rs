//! Needs of a job on a full disk. Jobs that end or free something may use the reserve; jobs that make
//! something new may not.

use longhaul_model::Command;

use super::writer::Job;

/// Source of the disk space for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// A way out for an operator: written as long as there is any space at all.
    WayOut,
    /// A record of something that has already happened. Records may use half of the reserve, so that many of
    /// them leave some for operators.
    Record,
    /// New data: refused while the disk is full.
    Room,
}

impl Need {
    /// Returns the need of a job.
    pub(super) fn of(job: &Job) -> Need {
        match job {
            Job::Submit(..) | Job::PutWorkflow(..) | Job::DeleteWorkflow(..) => Need::Room,
            Job::Command(_, command, _) => Need::of_command(command),
            // Leases that it also asks for are left waiting, see `Writer::admitted`.
            Job::Work(work, _) if !work.reports.is_empty() => Need::Record,
            Job::Work(..) => Need::Room,
            Job::Errand(_, need) => *need,
        }
    }

    /// Returns the need of a command.
    pub(super) fn of_command(command: &Command) -> Need {
        match command {
            Command::Cancel { .. }
            | Command::CancelCredentials { .. }
            | Command::Skip { .. }
            | Command::Resolve { .. }
            | Command::Decide { .. }
            | Command::Release { .. }
            | Command::Park { .. }
            | Command::Recover { .. } => Need::WayOut,
            // `Due` also covers timeouts and the end of a cancel's grace period.
            Command::Complete { .. }
            | Command::Fail { .. }
            | Command::HandBack { .. }
            | Command::OutputsStored { .. }
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
