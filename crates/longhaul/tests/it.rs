//! The real binary, against itself.

mod it {
    mod demo;
    mod files;
    mod help;
    mod history;
    mod serve;
    mod support;
    mod tasks;
    mod watch;
}
