//! Black-box proof that a Longhaul server loses nothing. A load of clients and a driver of faults speak to
//! the real `longhaul serve` over HTTP only; what the clients were told, what an effect counter saw and what
//! the server says in the end are then held against the invariants, each of which is a function of its own in
//! [`check`].
#![forbid(unsafe_code)]

pub mod access;
pub mod catalog;
pub mod cgroup;
pub mod check;
pub mod clock;
pub mod dump;
pub mod effects;
pub mod followers;
pub mod grants;
pub mod history;
pub mod http;
pub mod load;
pub mod report;
pub mod server;
pub mod torture;
pub mod wire;
pub mod work;
