//! The API of a running server, asked over real connections.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod it {
    mod bad_input;
    mod documented;
    mod openapi;
    mod quirks;
    mod support;
    mod tasks;
    mod workflows;
}
