//! Tokens of requests, before anything in them is believed.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &str| longhaul_auth::fuzz::token(data));
