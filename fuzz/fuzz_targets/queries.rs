//! Query strings of requests.

#![no_main]

#[path = "../bodies/queries.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &str| body::run(data));
