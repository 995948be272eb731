//! The model from outside: random sequences of commands against its invariants, each verb by examples, the
//! checking of workflows, expressions and URLs, the pauses between attempts.

#[path = "it/counts.rs"]
mod counts;
#[path = "it/example.rs"]
mod example;
#[path = "it/expressions.rs"]
mod expressions;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/mistakes.rs"]
mod mistakes;
#[path = "it/observer.rs"]
mod observer;
#[path = "it/op.rs"]
mod op;
#[path = "it/pause.rs"]
mod pause;
#[path = "it/places.rs"]
mod places;
#[path = "it/schemas.rs"]
mod schemas;
#[path = "it/secrets.rs"]
mod secrets;
#[path = "it/sequences.rs"]
mod sequences;
#[path = "it/shape.rs"]
mod shape;
#[path = "it/urls.rs"]
mod urls;
#[path = "it/verbs/mod.rs"]
mod verbs;
#[path = "it/workflow.rs"]
mod workflow;
