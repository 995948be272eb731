//! The record of a load, as it grows.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::clock::Micros;
use crate::history::{History, Poll};
use crate::wire::{self, View};

/// The history, and what is needed to keep it short.
#[derive(Debug, Default)]
pub struct Recorder {
    /// History so far.
    pub history: History,
    /// Calls of every kind that were sent.
    pub sent: u64,
    /// Number of ambiguous calls among them.
    pub ambiguous: u64,
    last: HashMap<Uuid, Arc<View>>,
}

/// Oddities that are kept in words.
const ODDITIES: usize = 1000;

impl Recorder {
    /// Notes what an answer shows of a task; gives its id and what was seen.
    pub fn task(&mut self, task: &Value, call: Micros, ret: Micros) -> Option<(Uuid, Arc<View>)> {
        let read = wire::id(task).and_then(|id| Ok((id, wire::view(task)?.0)));
        let (id, view) = match read {
            Ok(read) => read,
            Err(e) => {
                self.odd(format!("an answer that is no task: {e:#}: {task}"));
                return None;
            }
        };
        // The same view again says nothing new: the time of the first one is the stricter.
        if let Some(last) = self.last.get(&id).filter(|last| ***last == view) {
            return Some((id, last.clone()));
        }
        let view = Arc::new(view);
        self.last.insert(id, view.clone());
        self.history.polls.push(Poll { id, call, ret, view: view.clone() });
        Some((id, view))
    }

    /// Notes something that no server may answer.
    pub fn odd(&mut self, what: String) {
        if self.history.oddities.len() < ODDITIES {
            self.history.oddities.push(what);
        }
    }
}
