//! Types of the official document that a task consists of (wire contract, section 1), as far as they say
//! which member has which type. A typed client reads these and nothing else.

/// Type of the value of a member.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    /// A value that the document does not describe.
    Any,
    Text,
    Flag,
    /// A list of text.
    Texts,
    /// A map of text to text.
    Facts,
    Object(&'static Type),
    List(&'static Type),
}

/// An object's documented members.
pub(super) struct Type(&'static [(&'static str, Shape)]);

impl Type {
    /// Returns the type of a member.
    pub(super) fn member(&self, name: &str) -> Shape {
        self.0.iter().find(|(known, _)| *known == name).map_or(Shape::Any, |(_, shape)| *shape)
    }
}

impl Shape {
    /// Returns the name of the type, for messages.
    pub(super) fn wanted(self) -> &'static str {
        match self {
            Shape::Any => "any value",
            Shape::Text => "a text",
            Shape::Flag => "true or false",
            Shape::Texts | Shape::List(_) => "a list",
            Shape::Facts | Shape::Object(_) => "an object",
        }
    }
}

use Shape::{Facts, Flag, List, Object, Text, Texts};

/// A task.
pub(super) static TASK: Type = Type(&[
    ("id", Text),
    ("name", Text),
    ("localizableDescriptionPack", Object(&MESSAGE_PACK)),
    ("type", Text),
    ("status", Text),
    ("creationTimestamp", Text),
    ("completionTimestamp", Text),
    ("subTasks", List(&SUB_TASK)),
    ("errors", List(&ERROR)),
    ("resources", List(&RESOURCE)),
    ("resolutionStatus", Text),
    ("isCancellable", Flag),
    ("isRetryable", Flag),
]);

static SUB_TASK: Type = Type(&[
    ("name", Text),
    ("type", Text),
    ("description", Text),
    ("status", Text),
    ("creationTimestamp", Text),
    ("completionTimestamp", Text),
    ("stages", List(&STAGE)),
    ("errors", List(&ERROR)),
    ("resources", List(&RESOURCE)),
    ("subTasks", List(&SUB_TASK)),
    ("documentationLink", Object(&LINK)),
]);

static STAGE: Type = Type(&[
    ("name", Text),
    ("type", Text),
    ("description", Text),
    ("status", Text),
    ("creationTimestamp", Text),
    ("completionTimestamp", Text),
    ("errors", List(&ERROR)),
]);

static RESOURCE: Type =
    Type(&[("resourceId", Text), ("type", Text), ("fqdn", Text), ("name", Text), ("sans", Texts)]);

static ERROR: Type = Type(&[
    ("errorCode", Text),
    ("errorType", Text),
    ("arguments", Texts),
    ("context", Facts),
    ("message", Text),
    ("remediationMessage", Text),
    ("causes", List(&CAUSE)),
    ("nestedErrors", List(&ERROR)),
    ("referenceToken", Text),
    ("label", Text),
    ("remediationUrl", Text),
]);

static CAUSE: Type = Type(&[("type", Text), ("message", Text)]);
static LINK: Type = Type(&[("url", Text), ("label", Text)]);
static MESSAGE_PACK: Type = Type(&[
    ("messageKey", Text),
    ("component", Text),
    ("arguments", Texts),
    ("message", Text),
    ("bundle", Text),
]);
