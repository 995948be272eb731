//! Bodies of imports.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| longhaul_server::fuzz::import_file(data));
