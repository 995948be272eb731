//! JSON text whose objects have each name once.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Any value; reading fails with an error of data if a name is given twice.
pub(super) struct Single;

impl<'de> Deserialize<'de> for Single {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Single)
    }
}

/// Name, without a copy where it has no escapes.
#[derive(PartialEq, Eq, Hash)]
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Visitor<'de> for Single {
    type Value = Single;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Single, E> {
        Ok(Single)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Single, A::Error> {
        while items.next_element::<Single>()?.is_some() {}
        Ok(Single)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Single, A::Error> {
        let mut known = HashSet::new();
        while let Some(name) = members.next_key::<Name<'de>>()? {
            if !known.insert(name) {
                return Err(A::Error::custom("a name is given twice"));
            }
            members.next_value::<Single>()?;
        }
        Ok(Single)
    }
}

#[cfg(test)]
mod tests {
    use crate::value::{DoubledName, check_names};

    #[test]
    fn name_given_twice_is_found_however_it_is_written() {
        for text in [r#"{"a":1,"a":2}"#, r#"[{"x":{"a":1,"\u0061":2}}]"#, r#"{"a":1,"b":[],"a":1}"#] {
            assert!(check_names(text.as_bytes()).is_err(), "{text}");
        }
        let found = check_names(b"{\"s3cret\":1,\n\"s3cret\":2}").unwrap_err();
        assert_eq!((found.line, found.to_string().contains("s3cret")), (2, false));
        for text in [r#"{"a":{"a":[{"a":1},{"a":2}]}}"#, "[1,-1,1.5,null,true,\"x\"]", "{\"a\":1,", "1e999"] {
            assert_eq!(check_names(text.as_bytes()), Ok::<(), DoubledName>(()), "{text}");
        }
    }
}
