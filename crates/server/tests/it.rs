//! The API of a running server, asked over real connections.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod it {
    mod access;
    mod bad_input;
    mod bounds;
    mod clients;
    mod credentials;
    mod declared;
    mod depth;
    mod documented;
    mod echo;
    mod feed;
    mod fuzz;
    mod generated;
    mod history;
    mod imports;
    mod nul;
    mod openapi;
    mod others;
    mod outputs;
    mod page;
    mod page_session;
    mod quirks;
    mod standstill;
    mod support;
    mod tasks;
    mod tls;
    mod tokens;
    mod workers;
    mod workflows;
}
