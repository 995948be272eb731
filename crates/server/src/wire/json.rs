//! A writer of JSON members, for bodies of a fixed shape.

use longhaul_model::Timestamp;
use serde::Serialize;

/// Writer of JSON text.
pub(crate) struct Json {
    out: Vec<u8>,
}

impl Json {
    pub(crate) fn new(capacity: usize) -> Self {
        Json { out: Vec::with_capacity(capacity) }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.out
    }

    /// Writes an object; its members are written inside.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Json)) {
        self.out.push(b'{');
        members(self);
        self.out.push(b'}');
    }

    /// Writes a list; `each` writes one item.
    pub(crate) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Json, T)) {
        self.out.push(b'[');
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                self.out.push(b',');
            }
            each(self, item);
        }
        self.out.push(b']');
    }

    /// Writes a member's name; its value comes next. Names are ours and need no escaping.
    pub(crate) fn key(&mut self, name: &str) -> &mut Self {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    /// A member's name that may hold anything.
    pub(crate) fn member(&mut self, name: &str) -> &mut Self {
        if self.out.last() != Some(&b'{') {
            self.out.push(b',');
        }
        self.value(name);
        self.out.push(b':');
        self
    }

    /// Writes a value that serialises; values of these types always do.
    pub(crate) fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        if serde_json::to_writer(&mut self.out, value).is_err() {
            self.out.extend_from_slice(b"null");
        }
    }

    /// A text that needs no escaping.
    pub(crate) fn plain(&mut self, text: &str) {
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
    }

    pub(crate) fn time(&mut self, at: Timestamp) {
        self.plain(at.text().as_str());
    }

    /// Writes JSON text unchanged.
    pub(crate) fn raw(&mut self, json: &str) {
        self.out.extend_from_slice(json.as_bytes());
    }
}
