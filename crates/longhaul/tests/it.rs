//! The real binary, against itself.

mod it {
    mod accounts;
    mod crew;
    mod demo;
    mod disk;
    mod files;
    mod help;
    mod hints;
    mod history;
    mod migrate;
    mod nodes;
    mod outage;
    mod restore;
    mod sddc_manager;
    mod serve;
    mod support;
    mod tasks;
    mod tls;
    mod watch;
    mod why;
}
