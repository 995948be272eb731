//! Tokens of requests, before anything in them is believed.

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &str) {
    longhaul_auth::fuzz::token(data);
}
