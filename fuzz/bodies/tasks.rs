//! Documents of tasks as stores keep them: what can be read is written again as the same.

use std::fmt::Debug;

use longhaul_model::{Attempt, Spec, State, SubTask};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn same<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(data) else { return };
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("written"), text);
}

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &[u8]) {
    same::<Spec>(data);
    same::<State>(data);
    same::<SubTask>(data);
    same::<Vec<SubTask>>(data);
    same::<Attempt>(data);
}
