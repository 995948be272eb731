//! Workflow documents: each is refused with problems that name their place, or runs.

#![no_main]

#[path = "../bodies/workflows.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
