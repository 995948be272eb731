//! Query strings of requests.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| longhaul_server::fuzz::query(data));
