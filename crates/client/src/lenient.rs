//! Reading what a server said although part of it is damaged: a member of an unexpected type counts as
//! missing, so that one unreadable task hides neither its own other members nor the rest of a page.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

/// Reads an answer as one of the bodies of this crate. Members that cannot be read are left out; an element
/// of a list that cannot be read is an empty one. The answer itself must be an object, or the error of
/// reading it is returned.
pub fn read<T: DeserializeOwned>(mut answer: Value) -> serde_json::Result<T> {
    loop {
        let (path, error) = match serde_path_to_error::deserialize::<_, T>(&answer) {
            Ok(body) => return Ok(body),
            Err(e) => (e.path().clone(), e.into_inner()),
        };
        // Each round makes the answer smaller or a member of it a text: there is an end.
        if !mend(&mut answer, &path) {
            return Err(error);
        }
    }
}

/// Takes away what stands at a path, or spells it as text if it is a number or truth value. False if nothing
/// stands there.
fn mend(answer: &mut Value, path: &Path) -> bool {
    let segments: Vec<&Segment> = path.iter().collect();
    let Some((last, above)) = segments.split_last() else { return false };
    let mut at = answer;
    for segment in above {
        let next = match segment {
            Segment::Map { key } => at.get_mut(key.as_str()),
            Segment::Seq { index } => at.get_mut(*index),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    match (last, at) {
        (Segment::Map { key }, Value::Object(members)) => match members.get_mut(key.as_str()) {
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => *scalar = Value::String(scalar.to_string()),
            Some(_) => drop(members.shift_remove(key.as_str())),
            None => return false,
        },
        (Segment::Seq { index }, Value::Array(items)) => match items.get_mut(*index) {
            Some(scalar @ (Value::Number(_) | Value::Bool(_))) => *scalar = Value::String(scalar.to_string()),
            Some(Value::Object(members)) if members.is_empty() => drop(items.remove(*index)),
            Some(other) => *other = Value::Object(Map::new()),
            None => return false,
        },
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::read;
    use crate::{LockBody, PageBody, QueueBody, TaskBody, UserBody, WorkerBody};
    use serde_json::Value;

    /// Every value of every kind that a damaged member could have.
    fn damages() -> [Value; 7] {
        [
            json!(null),
            json!(7),
            json!(-1.5),
            json!(true),
            json!("Sprocket"),
            json!([{"x": 1}, 2, null]),
            json!({"y": {}}),
        ]
    }

    /// Every place of a value, the value itself excepted.
    fn places(value: &Value, prefix: &str, found: &mut Vec<String>) {
        let mut add = |name: String, member: &Value| {
            let place = format!("{prefix}/{name}");
            found.push(place.clone());
            places(member, &place, found);
        };
        match value {
            Value::Object(members) => members.iter().for_each(|(name, member)| add(name.clone(), member)),
            Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| add(n.to_string(), item)),
            _ => {}
        }
    }

    fn page() -> Value {
        let error = json!({"errorCode": "E", "message": "no", "context": {"a": "1"}, "remediationMessage": "r",
            "causes": [{"type": "T", "message": "m"}], "nestedErrors": [{"errorCode": "N", "message": "n"}],
            "referenceToken": "X"});
        let resource = json!({"resourceId": "r", "type": "HOST", "fqdn": "a.b", "name": "a"});
        let sub = json!({"name": "S", "description": "d", "status": "FAILED", "startTimestamp": "t",
            "completionTimestamp": "t", "stages": [{"name": "n", "description": "d", "status": "x"}],
            "errors": [error], "resources": [resource], "subTasks": [], "attempt": 2, "progress": 3.5});
        let lock = json!({"resourceType": "HOST", "resourceId": "r", "workflow": "w", "key": "k",
            "mode": "SLOT", "state": "HELD", "since": "t", "taskId": "i", "taskName": "n"});
        let task = json!({"id": "first", "name": "N", "type": "T", "status": "Failed",
            "creationTimestamp": "t", "completionTimestamp": "t", "subTasks": [sub], "errors": [error],
            "resources": [resource], "resolutionStatus": "RESOLVED", "isCancellable": true, "isRetryable": false,
            "progress": 5, "workflow": {"name": "w", "version": 1}, "attempt": 1,
            "waitingFor": {"type": "LOCK", "subTask": "S", "until": "t", "queue": "q", "workers": 0,
                           "locks": [lock]}});
        let mut second = task.clone();
        second["id"] = "second".into();
        json!({"elements": [task, second],
            "pageMetadata": {"pageNumber": 1, "pageSize": 2, "totalElements": 3, "totalPages": 4}})
    }

    #[test]
    fn whatever_is_damaged_in_a_page_of_tasks_the_rest_of_it_is_read() {
        let whole = page();
        let mut found = Vec::new();
        places(&whole, "", &mut found);
        let first: Vec<&String> = found.iter().filter(|place| place.starts_with("/elements/0")).collect();
        assert!(first.len() > 60, "{}", first.len());
        for place in first {
            for damage in damages() {
                let mut damaged = whole.clone();
                *damaged.pointer_mut(place).unwrap() = damage.clone();
                let page: PageBody<TaskBody> =
                    read(damaged).unwrap_or_else(|e| panic!("{place} = {damage}: {e}"));
                let at = page.elements.iter().position(|task| task.id == "second");
                assert!(at.is_some(), "{place} = {damage}: {page:?}");
                assert_eq!(page.page_metadata.total_pages, 4, "{place} = {damage}");
                let deep = place.matches('/').count() > 2;
                if deep && place != "/elements/0/id" {
                    assert_eq!(page.elements[0].id, "first", "{place} = {damage}");
                }
                if deep && !place.starts_with("/elements/0/errors") {
                    let code = page.elements[0].errors.first().map(|error| error.error_code.as_str());
                    assert_eq!(code, Some("E"), "{place} = {damage}");
                }
            }
        }
    }

    #[test]
    fn numbers_in_place_of_texts_are_their_digits() {
        let task: TaskBody = read(json!({"id": 5, "name": true, "errors": [{"errorCode": 17}]})).unwrap();
        assert_eq!((task.id.as_str(), task.name.as_str()), ("5", "true"));
        assert_eq!(task.errors[0].error_code, "17");
    }

    #[test]
    fn each_kind_of_list_survives_damage_of_each_element() {
        fn survives<T: serde::de::DeserializeOwned + Default>(element: Value) {
            let mut found = Vec::new();
            places(&element, "", &mut found);
            for place in found {
                for damage in damages() {
                    let mut damaged = element.clone();
                    *damaged.pointer_mut(&place).unwrap() = damage.clone();
                    let page = json!({"elements": [element, damaged, damage, element]});
                    let page: PageBody<T> = read(page).unwrap_or_else(|e| panic!("{place} = {damage}: {e}"));
                    assert!(page.elements.len() >= 3, "{place} = {damage}");
                }
            }
        }
        survives::<QueueBody>(
            json!({"name": "q", "waiting": 1, "running": 1, "oldestWaitMs": 1, "workers": 1,
            "limits": {"maxRunning": 1, "rate": "1/1m", "paused": true}}),
        );
        survives::<WorkerBody>(
            json!({"worker": "w", "user": "u", "queues": ["q"], "running": 1, "lastSeen": "t"}),
        );
        survives::<LockBody>(page()["elements"][0]["waitingFor"]["locks"][0].clone());
        survives::<UserBody>(json!({"name": "u", "role": "R", "kind": "K", "disabled": false,
            "creationTimestamp": "t", "apiKeys": [{"id": "i", "name": "n", "creationTimestamp": "t",
            "lastUsedTimestamp": "t"}], "queues": ["q"], "actions": ["a"]}));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for wrong in [json!(null), json!(7), json!("text"), json!(true)] {
            assert!(read::<TaskBody>(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
