//! Expressions over large data: whatever is written, its value stays within the documented bounds, and a
//! value in a URL stays in its part.

#![no_main]

#[path = "../bodies/expressions.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|text: &str| body::run(text));
