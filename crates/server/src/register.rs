//! Register of connections, so that nobody's connections keep others out: each address has a limit, and when
//! there are too many altogether, the longest idle one of whoever has most makes room for the next.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use longhaul_auth::network;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::phase::Phase;

/// Register of all connections that are kept between requests.
pub(crate) struct Register {
    /// The largest number of them.
    most: AtomicUsize,
    /// Maximum number of connections from one address.
    each: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    number: u64,
    total: usize,
    /// Connections by address, in the order of arrival.
    by_address: BTreeMap<IpAddr, BTreeMap<u64, One>>,
}

struct One {
    phase: Phase,
    over: CancellationToken,
}

/// Registered connection, which leaves the register when this is dropped.
pub(crate) struct Entry {
    register: Arc<Register>,
    address: IpAddr,
    number: u64,
    /// Phase of the connection, which decides whether it may be ended for another one.
    pub(crate) phase: Phase,
    /// Cancelled when the connection has to make room for another one.
    pub(crate) over: CancellationToken,
}

impl Register {
    pub(crate) fn new(most: usize, each: usize) -> Arc<Register> {
        Arc::new(Register { most: most.into(), each: each.into(), state: Mutex::default() })
    }

    /// Changes the limits from the next connection on: connections that are open stay.
    pub(crate) fn change(&self, most: usize, each: usize) {
        self.most.store(most, Ordering::Relaxed);
        self.each.store(each, Ordering::Relaxed);
    }

    /// Registers a connection; `None` if all that would have to make room are busy. `counted` is false for an
    /// address that stands for many, such as a trusted proxy's.
    pub(crate) fn enter(self: &Arc<Self>, from: IpAddr, counted: bool) -> Option<Entry> {
        let address = network(from);
        let mut state = self.state.lock();
        let own = state.by_address.get(&address).map_or(0, BTreeMap::len);
        if counted && own >= self.each.load(Ordering::Relaxed) && !state.end_idle(address) {
            return None;
        }
        if state.total >= self.most.load(Ordering::Relaxed) {
            let crowd = state.by_address.iter().max_by_key(|(_, all)| all.len()).map(|(address, _)| *address);
            if !crowd.is_some_and(|crowd| state.end_idle(crowd)) {
                return None;
            }
        }
        state.number += 1;
        state.total += 1;
        let (number, phase, over) = (state.number, Phase::new(), CancellationToken::new());
        let one = One { phase: phase.clone(), over: over.clone() };
        state.by_address.entry(address).or_default().insert(number, one);
        Some(Entry { register: self.clone(), address, number, phase, over })
    }
}

impl State {
    /// Ends the oldest connection of an address on which no request is being answered; false if there is
    /// none.
    fn end_idle(&mut self, address: IpAddr) -> bool {
        let Some(all) = self.by_address.get(&address) else { return false };
        let Some(number) = all.iter().find(|(_, one)| one.phase.is_idle()).map(|(number, _)| *number) else {
            return false;
        };
        if let Some(one) = self.remove(address, number) {
            one.over.cancel();
        }
        true
    }

    fn remove(&mut self, address: IpAddr, number: u64) -> Option<One> {
        let all = self.by_address.get_mut(&address)?;
        let one = all.remove(&number)?;
        self.total -= 1;
        if all.is_empty() {
            self.by_address.remove(&address);
        }
        Some(one)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.register.state.lock().remove(self.address, self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(n: u8) -> IpAddr {
        [192, 0, 2, n].into()
    }

    #[test]
    fn address_that_has_too_many_loses_its_oldest_idle_one() {
        let register = Register::new(100, 3);
        let enter = |n| register.enter(at(n), true);
        let all: Vec<Entry> = (0..3).filter_map(|_| enter(1)).collect();
        all[0].phase.busy();
        let fourth = enter(1).unwrap();
        assert_eq!(all.iter().map(|one| one.over.is_cancelled()).collect::<Vec<_>>(), [false, true, false]);
        all[2].phase.busy();
        fourth.phase.busy();
        assert!(enter(1).is_none(), "all are at work");
        assert!(enter(2).is_some() && register.enter(at(1), false).is_some());
        drop(all);
        assert!(enter(1).is_some());
        drop(fourth);
        assert_eq!(register.state.lock().total, 0);
        assert!(register.state.lock().by_address.is_empty());
    }

    #[test]
    fn whoever_has_most_makes_room_for_the_others() {
        let register = Register::new(10, 8);
        let crowd: Vec<Entry> = (0..8).filter_map(|_| register.enter(at(1), true)).collect();
        let others: Vec<Entry> = (2..9).filter_map(|n| register.enter(at(n), true)).collect();
        assert_eq!((crowd.len(), others.len()), (8, 7));
        assert_eq!(crowd.iter().filter(|one| one.over.is_cancelled()).count(), 5);
        assert!(others.iter().all(|one| !one.over.is_cancelled()));
        assert_eq!(register.state.lock().total, 10);
    }

    #[test]
    fn network_of_ipv6_is_one_address() {
        let register = Register::new(100, 1);
        let _one = register.enter("2001:db8::1".parse().unwrap(), true).unwrap();
        _one.phase.busy();
        assert!(register.enter("2001:db8::2".parse().unwrap(), true).is_none());
        assert!(register.enter("2001:db8:0:1::2".parse().unwrap(), true).is_some());
    }
}
