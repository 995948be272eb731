//! Documents of tasks as stores keep them: what can be read is written again as the same.

#![no_main]

#[path = "../bodies/tasks.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
