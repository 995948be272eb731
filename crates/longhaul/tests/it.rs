//! The real binary, against itself.

mod it {
    mod accounts;
    mod crew;
    mod demo;
    mod disk;
    mod files;
    mod help;
    mod history;
    mod migrate;
    mod nodes;
    mod outage;
    mod sddc_manager;
    mod serve;
    mod support;
    mod tasks;
    mod tls;
    mod watch;
}
