//! Workers against a real server, and against scripted ones that do what a real one seldom does.
#![forbid(unsafe_code)]

#[path = "it/exec.rs"]
mod exec;
#[path = "it/leases.rs"]
mod leases;
#[path = "it/news.rs"]
mod news;
#[path = "it/results.rs"]
mod results;
#[path = "it/scripted.rs"]
mod scripted;
#[path = "it/setup.rs"]
mod setup;
#[path = "it/stopping.rs"]
mod stopping;
#[path = "it/stub.rs"]
mod stub;
#[path = "it/support.rs"]
mod support;
