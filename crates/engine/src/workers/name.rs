//! Names of leases and queues on the wire.

use std::fmt;
use std::str::FromStr;

use longhaul_model::{TaskId, Token};

use super::leases::Key;

/// Lease by name: task, index of the sub-task, token, with points between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseName {
    pub(super) key: Key,
}

impl LeaseName {
    pub(super) fn new(id: TaskId, sub_task: u32, token: Token) -> Self {
        LeaseName { key: (id, sub_task, token) }
    }

    /// Returns task, sub-task, and the number of the attempt, which its token is.
    pub(crate) fn attempt(&self) -> (TaskId, u32, u32) {
        let (id, sub_task, token) = self.key;
        (id, sub_task, u32::try_from(token.0).unwrap_or(u32::MAX))
    }

    /// The task.
    pub fn task(&self) -> TaskId {
        self.key.0
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, sub_task, token) = self.key;
        write!(f, "{id}.{sub_task}.{}", token.0)
    }
}

impl FromStr for LeaseName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let (Some(id), Some(sub_task), Some(token), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let number =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let sub_task = number(sub_task).and_then(|n: u64| u32::try_from(n).ok()).ok_or(())?;
        let token = Token(number(token).ok_or(())?);
        Ok(LeaseName::new(id.parse().map_err(|_| ())?, sub_task, token))
    }
}

/// Returns true if a text may be the name of a queue.
pub fn is_queue_name(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let name = LeaseName::new(TaskId::from_bytes([7; 16]), 3, Token(12));
        assert_eq!(name.to_string().parse(), Ok(name));
        for bad in [
            "",
            "a.b.c",
            "07070707-0707-0707-0707-070707070707.1",
            "07070707-0707-0707-0707-070707070707.+1.2",
        ] {
            assert!(bad.parse::<LeaseName>().is_err(), "{bad}");
        }
    }
}
