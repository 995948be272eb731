//! Query strings of requests.

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &str) {
    longhaul_server::fuzz::query(data);
}
