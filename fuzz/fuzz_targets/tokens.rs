//! Tokens of requests, before anything in them is believed.

#![no_main]

#[path = "../bodies/tokens.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &str| body::run(data));
