//! Workers against a real server, and against scripted ones that do what a real one seldom does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod it {
    mod exec;
    mod exec_ending;
    mod leases;
    mod news;
    mod results;
    mod scripted;
    mod setup;
    mod stopping;
    mod stub;
    mod support;
}
