//! The engine on a real store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod it {
    mod effects;
    mod lifecycle;
    mod line;
    mod lost_answers;
    mod meters;
    mod recovery;
    mod secrets;
    mod support;
}
