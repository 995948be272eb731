//! Form of an imported task that every client can read: to the letter, but without white space and without
//! nulls, and with facts that are text. A member of another type than documented is refused with its pointer.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::official::{Shape, TASK, Type};

/// Reason for which a text is not accepted as a task.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// JSON pointer into the task.
    pub(super) pointer: String,
    pub(super) message: String,
    /// True if the value is what PowerShell writes for values nested deeper than its limit.
    pub(super) cut: bool,
}

/// The members of an object, each as it is written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(member.0), member.1));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The task that a JSON text is.
pub(super) fn task(raw: &RawValue) -> Result<String, Unfit> {
    let mut writer = Writer { out: String::with_capacity(raw.get().len()), pointer: String::new() };
    writer.value(raw.get(), Shape::Object(&TASK))?;
    Ok(writer.out)
}

struct Writer {
    out: String,
    /// JSON pointer of the value being written.
    pointer: String,
}

impl Writer {
    fn value(&mut self, text: &str, shape: Shape) -> Result<(), Unfit> {
        let text = text.trim_ascii();
        match (text.as_bytes().first(), shape) {
            (Some(b'{'), Shape::Any) => self.object(text, None),
            (Some(b'{'), Shape::Object(kind)) => self.object(text, Some(kind)),
            (Some(b'{'), Shape::Facts) => self.facts(text),
            (Some(b'['), Shape::Any | Shape::List(_) | Shape::Texts) => self.list(text, shape),
            (Some(b'"'), Shape::Any | Shape::Text) | (Some(b't' | b'f'), Shape::Any | Shape::Flag) => {
                self.out.push_str(text);
                Ok(())
            }
            (Some(b'0'..=b'9' | b'-' | b'n'), Shape::Any) => {
                self.out.push_str(text);
                Ok(())
            }
            _ => Err(self.unfit(text, shape)),
        }
    }

    fn object(&mut self, text: &str, kind: Option<&Type>) -> Result<(), Unfit> {
        let shape = |name: &str| kind.map_or(Shape::Any, |kind| kind.member(name));
        self.members(text, |writer, name, value| writer.value(value, shape(name)))
    }

    /// Converts facts of any type into text, as typed clients read nothing else.
    fn facts(&mut self, text: &str) -> Result<(), Unfit> {
        self.members(text, |writer, _, value| {
            writer.fact(value);
            Ok(())
        })
    }

    fn fact(&mut self, text: &str) {
        let text = text.trim_ascii();
        if text.starts_with('"') { self.out.push_str(text) } else { self.quote(text) }
    }

    /// A text in quotes.
    fn quote(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn members(
        &mut self,
        text: &str,
        mut write: impl FnMut(&mut Self, &str, &str) -> Result<(), Unfit>,
    ) -> Result<(), Unfit> {
        let members: Members<'_> = serde_json::from_str(text).map_err(|_| self.unfit(text, Shape::Any))?;
        self.out.push('{');
        let mut first = true;
        for (name, value) in members.0.iter().filter(|(_, value)| value.get() != "null") {
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            self.quote(name);
            self.out.push(':');
            let before = self.pointer.len();
            self.pointer.push('/');
            self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
            write(self, name, value.get())?;
            self.pointer.truncate(before);
        }
        self.out.push('}');
        Ok(())
    }

    fn list(&mut self, text: &str, shape: Shape) -> Result<(), Unfit> {
        let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| self.unfit(text, Shape::Any))?;
        self.out.push('[');
        let mut first = true;
        for (n, item) in items.iter().enumerate().filter(|(_, item)| item.get() != "null") {
            if !std::mem::take(&mut first) {
                self.out.push(',');
            }
            let before = self.pointer.len();
            self.pointer.push_str(&format!("/{n}"));
            match shape {
                Shape::Texts => self.fact(item.get()),
                Shape::List(kind) => self.value(item.get(), Shape::Object(kind))?,
                _ => self.value(item.get(), Shape::Any)?,
            }
            self.pointer.truncate(before);
        }
        self.out.push(']');
        Ok(())
    }

    fn unfit(&self, text: &str, shape: Shape) -> Unfit {
        let found = match text.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "true or false",
            Some(b'n') => "null",
            _ => "a number",
        };
        let wanted = shape.wanted();
        let begins_so = |beginning: &str| text.get(1..).is_some_and(|text| text.starts_with(beginning));
        let cut =
            text.starts_with('"') && wanted != "true or false" && (begins_so("@{") || begins_so("System."));
        let message = if cut {
            format!("{wanted} belongs here, and PowerShell wrote a short text in its place")
        } else {
            format!("{wanted} belongs here, not {found}")
        };
        Unfit { pointer: self.pointer.clone(), message, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(text: &str) -> Result<String, Unfit> {
        task(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn task_is_the_same_json_without_white_space_and_nulls() {
        let text =
            "{ \"a\\\" b\" : [ 1.50 , null, \"x \\\\\" ] ,\n\t\"c\" : \"\\u0026 \\\\u0026\", \"d\": null,
            \"completionTimestamp\": null, \"e\": { \"f\": [ { \"g\": null } ] } }";
        let wanted = "{\"a\\\" b\":[1.50,\"x \\\\\"],\"c\":\"\\u0026 \\\\u0026\",\"e\":{\"f\":[{}]}}";
        assert_eq!(fitted(text).unwrap(), wanted);
    }

    #[test]
    fn facts_and_arguments_are_text() {
        let text = r#"{"errors":[{"context":{"n":1.50,"b":true,"t":"x","l":[1, 2],"no":null},"arguments":[7,"a"]}],
            "subTasks":[{"errors":[{"nestedErrors":[{"context":{"n":1}}]}]}],"other":{"context":{"n":1}}}"#;
        let wanted = r#"{"errors":[{"context":{"n":"1.50","b":"true","t":"x","l":"[1, 2]"},"arguments":["7","a"]}],"subTasks":[{"errors":[{"nestedErrors":[{"context":{"n":"1"}}]}]}],"other":{"context":{"n":1}}}"#;
        assert_eq!(fitted(text).unwrap(), wanted);
    }

    #[test]
    fn other_types_are_refused_with_their_place() {
        for (text, pointer, wanted, cut) in [
            (r#"{"subTasks":[{"errors":"System.Object[]"}]}"#, "/subTasks/0/errors", "a list belongs", true),
            (r#"{"subTasks":["@{name=a; status=b}"]}"#, "/subTasks/0", "an object belongs", true),
            (
                r#"{"errors":[{"context":"System.Collections.Hashtable"}]}"#,
                "/errors/0/context",
                "an object",
                true,
            ),
            (
                r#"{"resources":{"resourceId":"a"}}"#,
                "/resources",
                "a list belongs here, not an object",
                false,
            ),
            (r#"{"name":7}"#, "/name", "a text belongs here, not a number", false),
            (r#"{"isRetryable":"yes"}"#, "/isRetryable", "true or false belongs here, not a text", false),
            (r#"{"errors":[{"causes":[{"type":[]}]}]}"#, "/errors/0/causes/0/type", "a text", false),
            ("[]", "", "an object belongs here, not a list", false),
            ("17", "", "an object belongs here, not a number", false),
        ] {
            let e = fitted(text).unwrap_err();
            assert_eq!((e.pointer.as_str(), e.cut), (pointer, cut), "{text}");
            assert!(e.message.starts_with(wanted), "{e:?}");
        }
    }
}
