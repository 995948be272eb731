//! The API of a running server, asked over real connections.

mod it {
    mod bad_input;
    mod documented;
    mod openapi;
    mod quirks;
    mod support;
    mod tasks;
    mod workflows;
}
