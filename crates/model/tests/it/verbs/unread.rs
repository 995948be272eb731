//! Decisions about a task that cannot be read.

use longhaul_model::{Command, Refused, Span, TaskStatus, Timestamp, Unread};

const NOW: Timestamp = Timestamp(7);

fn unread(status: Option<TaskStatus>, holds: bool) -> Unread {
    Unread { status, completed_at: None, holds }
}

#[test]
fn cancel_ends_what_is_not_known_to_have_ended() {
    let cancel = Command::Cancel { by: "ada".into(), grace: Span(0) };
    for status in TaskStatus::ALL.into_iter().map(Some).chain([None]) {
        for holds in [false, true] {
            let done = unread(status, holds).apply(&cancel, NOW).expect("no document is needed");
            match status {
                Some(status) if status.is_ended() => assert_eq!(done, Err(Refused::NotRunning(status))),
                _ => {
                    let after = done.expect("cancelled");
                    assert_eq!((after.status, after.completed_at), (Some(TaskStatus::Cancelled), Some(NOW)));
                    assert!(!after.holds && after.is_deletable());
                }
            }
        }
    }
}

#[test]
fn release_takes_from_what_has_ended_only() {
    let release = Command::Release { by: "ada".into(), reason: "damaged".into() };
    for status in TaskStatus::ALL.into_iter().map(Some).chain([None]) {
        let before = unread(status, true);
        let done = before.apply(&release, NOW).expect("no document is needed");
        if status.is_some_and(TaskStatus::is_ended) {
            assert_eq!(done, Ok(Unread { holds: false, ..before }));
            assert!(!before.is_deletable() && done.is_ok_and(Unread::is_deletable));
        } else {
            assert_eq!(done, Err(Refused::HoldsNothing));
        }
        let nothing = unread(status, false).apply(&release, NOW);
        assert_eq!(nothing, Some(Err(Refused::HoldsNothing)));
    }
}

#[test]
fn other_commands_need_the_document() {
    for command in
        [Command::Due, Command::Begin, Command::Retry { by: "ada".into() }, Command::Recover { node: None }]
    {
        assert_eq!(unread(None, true).apply(&command, NOW), None);
    }
}
