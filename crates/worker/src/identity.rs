//! Identity unlike everybody else's: the name of a worker, and the pauses of those that all lost the same
//! server.

use std::fmt::Write;
use std::io;
use std::time::Duration;

/// A name made anew at each start, so that nobody takes the leases of a process that died for this one's.
pub(crate) fn name(prefix: &str) -> io::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let mut name = format!("{prefix}-");
    for byte in random {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

/// The name of this machine, if it has one that can be shown.
pub(crate) fn host() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?.into_string().ok()?;
    Some(name).filter(|name| (1..=255).contains(&name.len()) && !name.contains(char::is_control))
}

/// Returns a random part of a duration: half to all of it.
pub(crate) fn jittered(time: Duration) -> Duration {
    // Without randomness everybody waits for the whole.
    let part = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
    time.mul_f64(0.5 + 0.5 * part)
}

/// Returns true if a text may name a worker or a queue on the wire.
pub(crate) fn is_plain(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_fit_the_wire() {
        let (one, other) = (name("esxi").unwrap(), name("esxi").unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), "esxi-".len() + 32);
        assert!(is_plain(&one, 200) && !is_plain("", 200) && !is_plain("a b", 200));
    }

    #[test]
    fn jitter_stays_within_half_and_whole() {
        let whole = Duration::from_secs(10);
        for _ in 0..1000 {
            let pause = jittered(whole);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?}");
        }
    }
}
