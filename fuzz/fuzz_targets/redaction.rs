//! Secrets in codings within codings: a line of codings, a line with the secret, and the text around it. No
//! coding of the secret is left, and what is taken out are whole characters, in order.

#![no_main]
#![allow(dead_code, reason = "the target uses a part of what it includes")]

#[path = "../bodies/redaction.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
