//! `torture`: kills a Longhaul server under load and checks that it kept every promise.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    longhaul_proof::torture::main()
}
