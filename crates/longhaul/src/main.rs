//! The `longhaul` binary: a server and the commands that speak to one.
#![forbid(unsafe_code)]

mod again;
mod allocator;
mod cli;
mod cmd;
mod complete;
mod config;
mod demo;
mod descriptors;
#[cfg(test)]
mod docs_test;
mod environment;
mod exit;
mod file;
mod log;
mod notify;
mod original;
mod out;
mod reload;
mod serve;
#[cfg(test)]
mod shipped_test;
mod signals;
mod start;
mod storage;
mod welcome;

use std::process::ExitCode;

use longhaul_model::{Env, Timestamp};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // Not a command of its own: servers and workers start programs through its own binary.
    if arguments.next().is_some_and(|first| first == longhaul_process::COMMAND) {
        longhaul_process::main(arguments);
    }
    complete::answer();
    allocator::set_up();
    let origin = again::Origin::of_process();
    origin.end_inherited();
    if let Err(failure) = environment::refuse_unreadable() {
        failure.say(&out::Out::new(&cli::Global::default()));
        return ExitCode::from(failure.code() as u8);
    }
    let cli = match cli::parse(&origin.arguments) {
        Ok(cli) => cli,
        Err(e) => cli::with_source(cli::without_values(e)).exit(),
    };
    let out = out::Out::new(&cli.global);
    let code = match cmd::run(cli.command, &cli.global, out, again::Again::new(origin)) {
        Ok(code) => code,
        Err(failure) => {
            failure.say(&out);
            failure.code()
        }
    };
    ExitCode::from(code as u8)
}

/// Now, by this machine's clock.
fn now() -> Timestamp {
    Env::real().now()
}
