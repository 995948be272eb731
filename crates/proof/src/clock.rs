//! The harness's own time. All that it does happens in one thread, so its instants are an order of what
//! happened.

use std::sync::OnceLock;
use std::time::Instant;

/// Microseconds since the harness started, on the monotonic clock.
pub type Micros = u64;

/// Now.
pub fn now() -> Micros {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970: only for what is compared with the server's own timestamps, on the same machine.
pub fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
