//! The real binary, against itself.

mod it {
    mod accounts;
    mod base;
    mod check;
    mod contexts;
    mod copies;
    mod crew;
    mod demo;
    mod disk;
    mod docs;
    mod files;
    mod first;
    mod groups;
    mod health;
    mod help;
    mod hints;
    mod history;
    mod leaving;
    mod migrate;
    mod missing_input;
    mod nodes;
    mod operators;
    mod outage;
    mod planted;
    mod restore;
    mod sddc_manager;
    mod serve;
    mod service;
    mod support;
    mod tasks;
    mod tls;
    mod traces;
    mod watch;
    mod why;
}
