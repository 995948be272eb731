#[path = "it/observer.rs"]
mod observer;
#[path = "it/op.rs"]
mod op;
#[path = "it/sequences.rs"]
mod sequences;
#[path = "it/shape.rs"]
mod shape;
