//! Bodies of imports.

/// Runs one input; panics if something does not hold of it.
pub(crate) fn run(data: &[u8]) {
    longhaul_server::fuzz::import_file(data);
}
