//! Schemas with `writeOnly`: a line of a schema and a line of an input. What the validator annotates as a
//! secret is known before, and a sealed input has its secrets in the same places.

#![no_main]

#[path = "../bodies/schemas.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
