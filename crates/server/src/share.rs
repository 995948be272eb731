//! Limits of one caller: requests at once, and requests in a second. A caller within its limits waits for
//! nobody who is not.

use std::collections::HashMap;
use std::sync::Arc;

use longhaul_model::{Env, Span, Timestamp};
use parking_lot::{Mutex, RwLock};

use crate::config::Limits;
use crate::error::ApiError;

/// Maximum number of callers remembered; beyond it, those that ask for nothing now are forgotten.
const REMEMBERED: usize = 1_024;

/// Use of all callers.
pub(crate) struct Shares {
    env: Env,
    each: RwLock<Each>,
    callers: Mutex<HashMap<Arc<str>, Use>>,
}

/// Share of one caller.
#[derive(Clone, Copy)]
struct Each {
    in_flight: u32,
    waits: u32,
    /// Requests in a second.
    rate: Option<u32>,
}

impl Each {
    fn of(limits: &Limits) -> Each {
        Each { in_flight: limits.in_flight, waits: limits.waits, rate: limits.rate }
    }

    /// Returns twice the rate of a second: callers whose requests come in waves are not refused.
    fn burst(&self) -> u64 {
        u64::from(self.rate.unwrap_or(0)) * 2_000
    }

    fn unused(&self, now: Timestamp) -> Use {
        Use { in_flight: 0, waits: 0, left: self.burst(), seen: now }
    }
}

/// Current use of one caller.
#[derive(Clone, Copy)]
struct Use {
    in_flight: u32,
    /// Requests that wait for something to happen.
    waits: u32,
    /// Thousandths of requests that may be asked for at once.
    left: u64,
    seen: Timestamp,
}

/// A request that is being answered.
pub(crate) struct Place {
    shares: Arc<Shares>,
    name: Arc<str>,
    counts: Mutex<Counts>,
}

/// Limit against which a request counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    /// Exempt: such a request is never refused.
    No,
    InFlight,
    Waits,
}

impl Shares {
    pub(crate) fn new(limits: &Limits, env: Env) -> Arc<Self> {
        let callers = Mutex::new(HashMap::new());
        Arc::new(Shares { env, each: RwLock::new(Each::of(limits)), callers })
    }

    /// Changes the limits of one caller, from the next request on.
    pub(crate) fn change(&self, limits: &Limits) {
        *self.each.write() = Each::of(limits);
    }

    /// Counts one more request, or returns when to try again.
    pub(crate) fn enter(self: &Arc<Self>, name: &Arc<str>) -> Result<Place, ApiError> {
        let (now, each) = (self.env.now(), *self.each.read());
        let mut callers = self.callers.lock();
        if callers.len() >= REMEMBERED && !callers.contains_key(name) {
            callers.retain(|_, one| one.in_flight + one.waits > 0 || now.0 - one.seen.0 < 1_000);
        }
        let mine = callers.entry(name.clone()).or_insert_with(|| each.unused(now));
        if mine.in_flight >= each.in_flight {
            let message =
                format!("{name} has {} requests under way, as many as one caller may", each.in_flight);
            return Err(ApiError::too_many("TOO_MANY_REQUESTS", message, Span(1_000)));
        }
        if let Some(rate) = each.rate {
            let passed = u64::try_from(now.0 - mine.seen.0).unwrap_or(0);
            mine.left = (mine.left + passed.saturating_mul(u64::from(rate))).min(each.burst());
            if mine.left < 1_000 {
                mine.seen = now;
                let message = format!("{name} asks for more than {rate} requests a second");
                let after = Span((1_000 - mine.left).div_ceil(u64::from(rate.max(1))));
                return Err(ApiError::too_many("TOO_MANY_REQUESTS", message, after));
            }
            mine.left -= 1_000;
        }
        mine.seen = now;
        mine.in_flight += 1;
        Ok(self.place(name, Counts::InFlight))
    }

    /// Counts a request that is never refused, unless it waits.
    pub(crate) fn uncounted(self: &Arc<Self>, name: &Arc<str>) -> Place {
        self.place(name, Counts::No)
    }

    fn place(self: &Arc<Self>, name: &Arc<str>, counts: Counts) -> Place {
        Place { shares: self.clone(), name: name.clone(), counts: Mutex::new(counts) }
    }
}

impl Place {
    /// Marks the request as waiting for something to happen: it counts against a limit of its own, and no
    /// longer among those that are worked on.
    pub(crate) fn wait(&self) -> Result<(), ApiError> {
        let (mut counts, now) = (self.counts.lock(), self.shares.env.now());
        if *counts == Counts::Waits {
            return Ok(());
        }
        let each = *self.shares.each.read();
        let mut callers = self.shares.callers.lock();
        let mine = callers.entry(self.name.clone()).or_insert_with(|| each.unused(now));
        if mine.waits >= each.waits {
            let message =
                format!("{} has {} requests that wait, as many as one caller may", self.name, mine.waits);
            return Err(ApiError::too_many("TOO_MANY_WAITS", message, Span(1_000)));
        }
        mine.waits += 1;
        if *counts == Counts::InFlight {
            mine.in_flight = mine.in_flight.saturating_sub(1);
        }
        *counts = Counts::Waits;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let counts = *self.counts.get_mut();
        if counts == Counts::No {
            return;
        }
        if let Some(mine) = self.shares.callers.lock().get_mut(&self.name) {
            let of = if counts == Counts::Waits { &mut mine.waits } else { &mut mine.in_flight };
            *of = of.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(in_flight: u32, rate: Option<u32>) -> Arc<Shares> {
        Shares::new(&Limits { in_flight, rate, ..Limits::default() }, Env::real())
    }

    #[test]
    fn each_caller_has_places_of_its_own() {
        let (shares, a, b) = (shares(2, None), Arc::from("a"), Arc::from("b"));
        let first = shares.enter(&a).unwrap();
        let _second = shares.enter(&a).unwrap();
        let refused = shares.enter(&a).map(drop).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.fault.error_code.as_str()), (429, "TOO_MANY_REQUESTS"));
        assert!(shares.enter(&b).is_ok());
        drop(first);
        assert!(shares.enter(&a).is_ok());
    }

    #[test]
    fn waits_have_a_share_of_their_own() {
        let shares = Shares::new(&Limits { in_flight: 1, waits: 2, ..Limits::default() }, Env::real());
        let a = Arc::from("a");
        let first = shares.enter(&a).unwrap();
        first.wait().unwrap();
        first.wait().unwrap();
        let second = shares.uncounted(&a);
        second.wait().unwrap();
        let third = shares.enter(&a).unwrap();
        assert_eq!(third.wait().unwrap_err().fault.error_code, "TOO_MANY_WAITS");
        assert!(shares.enter(&a).is_err(), "the third is still worked on");
        drop(first);
        third.wait().unwrap();
        drop((second, third));
        let left = shares.callers.lock()["a"];
        assert_eq!((left.in_flight, left.waits), (0, 0));
    }

    #[test]
    fn rate_leaves_room_for_a_wave() {
        let (shares, a) = (shares(100, Some(3)), Arc::from("a"));
        let let_in = (0..20).filter(|_| shares.enter(&a).is_ok()).count();
        assert!((6..=7).contains(&let_in), "{let_in}");
    }

    #[test]
    fn callers_that_left_are_forgotten() {
        let shares = shares(1, None);
        let kept: Vec<Place> =
            (0..10).map(|i| shares.enter(&Arc::from(format!("busy{i}"))).unwrap()).collect();
        for i in 0..3 * REMEMBERED {
            let _ = shares.enter(&Arc::from(format!("n{i}")));
        }
        for one in shares.callers.lock().values_mut() {
            one.seen = Timestamp(0);
        }
        let _ = shares.enter(&Arc::from("one more"));
        assert!(shares.callers.lock().len() <= kept.len() + 1);
    }
}
