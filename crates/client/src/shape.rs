//! Shapes of answers: the members that make an answer one of a Longhaul server. Everything else a client
//! reads leniently, so without this check the JSON of any other program (a proxy's page, an empty object)
//! would read as a task without a name, or as a list without elements.

use serde_json::Value;

/// Kinds of answers, by what a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A task.
    Task,
    /// A task, or an empty body: servers of the original API answer some calls with nothing.
    TaskOrNothing,
    /// A page of a list.
    Page,
    /// The reasons for which a task does not proceed.
    Reasons,
    /// Lines of a log.
    Log,
    /// Counts of an import.
    Imported,
    /// A workflow with its definition.
    Workflow,
    /// A queue.
    Queue,
    /// The server's clock.
    Clock,
    /// An account.
    User,
    /// The account that makes the call.
    Principal,
    /// A new API key.
    Key,
}

/// Kinds of members.
#[derive(Clone, Copy)]
enum Member {
    /// A text that is not blank. A number or truth value counts: that is how a damaged text reads.
    Word,
    /// A number.
    Number,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Member {
    fn fits(self, value: &Value) -> bool {
        match self {
            Member::Word => match value {
                Value::String(text) => !text.trim().is_empty(),
                Value::Number(_) | Value::Bool(_) => true,
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            },
            Member::Number => value.is_number(),
            Member::List => value.is_array(),
            Member::Object => value.is_object(),
        }
    }
}

impl Shape {
    /// Every shape.
    #[cfg(test)]
    pub(crate) const ALL: [Shape; 12] = [
        Shape::Task,
        Shape::TaskOrNothing,
        Shape::Page,
        Shape::Reasons,
        Shape::Log,
        Shape::Imported,
        Shape::Workflow,
        Shape::Queue,
        Shape::Clock,
        Shape::User,
        Shape::Principal,
        Shape::Key,
    ];

    /// Returns the name of the shape with its article.
    fn name(self) -> &'static str {
        match self {
            Shape::Task | Shape::TaskOrNothing => "a task",
            Shape::Page => "a page of a list",
            Shape::Reasons => "the reasons of a task",
            Shape::Log => "a log",
            Shape::Imported => "the outcome of an import",
            Shape::Workflow => "a workflow",
            Shape::Queue => "a queue",
            Shape::Clock => "a clock",
            Shape::User | Shape::Principal => "an account",
            Shape::Key => "an API key",
        }
    }

    /// Returns the members without which an answer is foreign.
    fn members(self) -> &'static [(&'static str, Member)] {
        match self {
            Shape::Task | Shape::TaskOrNothing => &[("id", Member::Word), ("status", Member::Word)],
            Shape::Page => &[("elements", Member::List), ("pageMetadata", Member::Object)],
            Shape::Reasons => &[("summary", Member::Word), ("reasons", Member::List)],
            Shape::Log => &[("lines", Member::List), ("next", Member::Number)],
            Shape::Imported => {
                &[("imported", Member::Number), ("replaced", Member::Number), ("kept", Member::Number)]
            }
            Shape::Workflow => {
                &[("name", Member::Word), ("version", Member::Number), ("definition", Member::Object)]
            }
            Shape::Queue => &[("name", Member::Word), ("limits", Member::Object)],
            Shape::Clock => &[("clockTimestamp", Member::Word), ("livedTimestamp", Member::Word)],
            Shape::User => &[("name", Member::Word), ("role", Member::Word)],
            Shape::Principal => &[("name", Member::Word), ("role", Member::Word), ("kind", Member::Word)],
            Shape::Key => &[("id", Member::Word), ("apiKey", Member::Word)],
        }
    }

    /// Reads a body as an answer of this shape. The error says what is missing.
    pub(crate) fn read(self, body: &[u8]) -> Result<Value, String> {
        if body.trim_ascii().is_empty() {
            return match self {
                Shape::TaskOrNothing => Ok(Value::Null),
                _ => Err(format!("it is empty instead of {}", self.name())),
            };
        }
        let value: Value = serde_json::from_slice(body).map_err(|e| format!("it is no JSON: {e}"))?;
        if !value.is_object() {
            return Err(format!("it is {} instead of {}", kind(&value), self.name()));
        }
        for (name, member) in self.members() {
            match value.get(*name) {
                Some(found) if member.fits(found) => {}
                None => return Err(format!("it is not {}: it has no `{name}`", self.name())),
                Some(_) => return Err(format!("it is not {}: its `{name}` cannot be read", self.name())),
            }
        }
        Ok(value)
    }
}

/// Returns the kind of a value in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    /// An answer that has exactly the members of a shape.
    fn least(shape: Shape) -> Map<String, Value> {
        let value = |member: &Member| match member {
            Member::Word => json!("x"),
            Member::Number => json!(1),
            Member::List => json!([]),
            Member::Object => json!({}),
        };
        shape.members().iter().map(|(name, member)| ((*name).to_owned(), value(member))).collect()
    }

    fn read(shape: Shape, answer: Map<String, Value>) -> Result<Value, String> {
        shape.read(Value::Object(answer).to_string().as_bytes())
    }

    #[test]
    fn each_shape_needs_each_of_its_members_and_no_other() {
        for shape in Shape::ALL {
            let mut whole = least(shape);
            read(shape, whole.clone()).unwrap_or_else(|e| panic!("{shape:?}: {e}"));
            whole.insert("other".to_owned(), json!([{}]));
            read(shape, whole).unwrap_or_else(|e| panic!("{shape:?}: {e}"));
            for (name, _) in shape.members() {
                let mut without = least(shape);
                without.shift_remove(*name);
                let refused = read(shape, without).unwrap_err();
                assert!(refused.contains(&format!("has no `{name}`")), "{shape:?}: {refused}");
                let mut null = least(shape);
                null.insert((*name).to_owned(), Value::Null);
                assert!(read(shape, null).is_err(), "{shape:?} {name}");
            }
        }
    }

    #[test]
    fn a_damaged_task_is_still_a_task() {
        for odd in [json!(null), json!(7), json!([1]), json!({"y": {}})] {
            let mut task = least(Shape::Task);
            for name in ["name", "subTasks", "errors", "creationTimestamp"] {
                task.insert(name.to_owned(), odd.clone());
            }
            assert!(read(Shape::Task, task).is_ok(), "{odd}");
        }
    }
}
