//! Brute force is slow: a bucket of failures for each name and each network. Five failures at once are free;
//! then one more every 12 seconds, the wait doubling with each further failure up to 15 minutes. Nobody is
//! locked out for good, and the table is bounded. Whoever came in from a network within a day has a bucket of
//! his own there, so that failures from elsewhere do not keep him out. Attempts at work count as if they
//! failed, so that a hundred at once are no way around; who would come in if they succeed waits for them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use longhaul_model::{Env, Span};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Rule by which a bucket fills and empties. Times are in milliseconds.
struct Rule {
    /// Failures that it holds.
    burst: u32,
    /// Time after which a failure leaves the bucket.
    first: i64,
    /// Longest such time, reached after many failures at a full bucket.
    last: i64,
}

/// Rule for tries that cost a hash.
const TRIES: Rule = Rule { burst: 5, first: 12_000, last: 900_000 };
/// For guesses at what the memory of right passwords may hold: those cost nothing, so that there are many in
/// good faith, but an end to them there must be.
const GUESSES: Rule = Rule { burst: 100, first: 36_000, last: 36_000 };
/// Buckets, at the most.
const MOST: usize = 20_000;
/// Time for which a name counts as known in a network where it logged in.
const AT_HOME: i64 = 24 * 3_600_000;
/// Homes, at the most.
const MOST_HOMES: usize = 10_000;

type Home = (Box<str>, IpAddr);

/// Subject of a bucket.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A name, tried from anywhere but its homes.
    Name(Box<str>),
    /// A name, tried from one of its homes.
    Home(Home),
    Network(IpAddr),
    Guesses(IpAddr),
}

impl Key {
    fn rule(&self) -> &'static Rule {
        match self {
            Key::Name(_) | Key::Home(_) | Key::Network(_) => &TRIES,
            Key::Guesses(_) => &GUESSES,
        }
    }
}

struct Bucket {
    /// Failures in it.
    level: u32,
    /// Attempts at work.
    at_work: u32,
    /// Time in which one failure leaves the bucket.
    interval: i64,
    /// Time since which the next failure waits to leave.
    since: i64,
    /// True if the bucket was full since it was last empty.
    spent: bool,
}

impl Bucket {
    fn new(rule: &Rule, now: i64) -> Self {
        Bucket { level: 0, at_work: 0, interval: rule.first, since: now, spent: false }
    }

    fn drain(&mut self, rule: &Rule, now: i64) {
        // A clock that was set back makes nobody wait longer than one interval.
        self.since = self.since.min(now);
        let gone = ((now - self.since) / self.interval).min(i64::from(self.level));
        self.level -= gone as u32;
        self.since += gone * self.interval;
        if self.level == 0 {
            (self.interval, self.spent) = (rule.first, false);
        }
    }

    fn fail(&mut self, rule: &Rule, now: i64) {
        if self.level == 0 {
            self.since = now;
        }
        self.level = (self.level + 1).min(rule.burst);
        if self.level == rule.burst {
            self.since = now;
            if self.spent {
                self.interval = (self.interval * 2).min(rule.last);
            }
            self.spent = true;
        }
    }

    /// Returns the time until there is room, not counting attempts at work.
    fn wait(&self, rule: &Rule, now: i64) -> Option<i64> {
        (self.level >= rule.burst).then(|| (self.since + self.interval - now).max(1))
    }
}

/// Slows failures down.
pub(crate) struct Throttle {
    env: Env,
    buckets: Mutex<HashMap<Key, Bucket>>,
    /// Networks where names logged in, and until when they count as known there.
    homes: Mutex<HashMap<Home, i64>>,
    /// An attempt ended.
    ended: Notify,
}

/// Too many failures: try again after this time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slow(pub(crate) Span);

enum Room {
    Free,
    /// Taken by attempts at work.
    Taken,
    None(i64),
}

/// An attempt at work. It failed unless it is said to have passed: who goes away in the middle does not get
/// around.
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    keys: Vec<Key>,
    home: Option<Home>,
    passed: bool,
}

impl Throttle {
    pub(crate) fn new(env: Env) -> Self {
        Throttle { env, buckets: Mutex::default(), homes: Mutex::default(), ended: Notify::new() }
    }

    /// Begins an attempt for a name, if it can be one, from an address; waits for others that are at work.
    pub(crate) async fn enter(&self, name: Option<&str>, from: IpAddr) -> Result<Attempt<'_>, Slow> {
        let home = name.map(|name| (name.to_ascii_lowercase().into(), network(from)));
        let mut keys = vec![Key::Network(network(from))];
        keys.extend(
            home.clone().map(|home| if self.at_home(&home) { Key::Home(home) } else { Key::Name(home.0) }),
        );
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            // Armed before the look, so that none that ends in between is missed.
            ended.as_mut().enable();
            match self.try_enter(&keys, from) {
                Room::Free => return Ok(Attempt { throttle: self, keys, home, passed: false }),
                Room::Taken => ended.await,
                Room::None(wait) => return Err(Slow(Span(wait as u64))),
            }
        }
    }

    /// Returns true if passwords from that network may be compared with the remembered ones.
    pub(crate) fn may_guess(&self, from: IpAddr) -> bool {
        let now = self.env.now().0;
        let mut buckets = self.buckets.lock();
        let Some(bucket) = buckets.get_mut(&Key::Guesses(network(from))) else { return true };
        bucket.drain(&GUESSES, now);
        bucket.wait(&GUESSES, now).is_none()
    }

    fn try_enter(&self, keys: &[Key], from: IpAddr) -> Room {
        let now = self.env.now().0;
        let mut buckets = self.buckets.lock();
        let mut room = Room::Free;
        for key in keys {
            let Some(bucket) = buckets.get_mut(key) else { continue };
            let rule = key.rule();
            bucket.drain(rule, now);
            room = match (bucket.wait(rule, now), room) {
                (Some(wait), Room::None(longer)) => Room::None(wait.max(longer)),
                (Some(wait), _) => Room::None(wait),
                (None, Room::Free) if bucket.level + bucket.at_work >= rule.burst => Room::Taken,
                (None, room) => room,
            };
        }
        match room {
            Room::Free => {
                for key in keys {
                    bucket(&mut buckets, key, now).at_work += 1;
                }
            }
            Room::Taken => {}
            Room::None(_) => {
                let key = Key::Guesses(network(from));
                bucket(&mut buckets, &key, now).fail(key.rule(), now);
            }
        }
        room
    }

    fn at_home(&self, home: &Home) -> bool {
        self.homes.lock().get(home).is_some_and(|until| self.env.now().0 < *until)
    }

    fn settle(&self, home: Home) {
        let now = self.env.now().0;
        let mut homes = self.homes.lock();
        if homes.len() >= MOST_HOMES {
            homes.retain(|_, until| now < *until);
        }
        if homes.len() >= MOST_HOMES {
            homes.clear();
        }
        homes.insert(home, now + AT_HOME);
    }

    fn leave(&self, keys: &[Key], passed: bool) {
        let now = self.env.now().0;
        let mut buckets = self.buckets.lock();
        for key in keys {
            let bucket = bucket(&mut buckets, key, now);
            bucket.at_work = bucket.at_work.saturating_sub(1);
            bucket.drain(key.rule(), now);
            if !passed {
                bucket.fail(key.rule(), now);
            }
            if bucket.level == 0 && bucket.at_work == 0 {
                buckets.remove(key);
            }
        }
        drop(buckets);
        self.ended.notify_waiters();
    }
}

impl Attempt<'_> {
    /// The password was right: the name counts as known there.
    pub(crate) fn passed(mut self) {
        self.passed = true;
        if let Some(home) = self.home.take() {
            self.throttle.settle(home);
        }
    }

    /// Ends the attempt without counting it: its outcome says nothing about the caller.
    pub(crate) fn void(mut self) {
        self.passed = true;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.throttle.leave(&self.keys, self.passed);
    }
}

/// The bucket of a key; a table that is full loses those that hold least.
fn bucket<'a>(buckets: &'a mut HashMap<Key, Bucket>, key: &Key, now: i64) -> &'a mut Bucket {
    if buckets.len() >= MOST && !buckets.contains_key(key) {
        for (key, bucket) in buckets.iter_mut() {
            bucket.drain(key.rule(), now);
        }
        let idle = |bucket: &Bucket| bucket.at_work == 0;
        let least =
            buckets.values().filter(|bucket| idle(bucket)).map(|bucket| bucket.level).min().unwrap_or(0);
        // A tenth at once, so that the next ones find room without a search.
        let mut left = MOST / 10;
        buckets.retain(|_, bucket| {
            let go = left > 0 && idle(bucket) && bucket.level <= least;
            left -= usize::from(go);
            !go
        });
    }
    buckets.entry(key.clone()).or_insert_with(|| Bucket::new(key.rule(), now))
}

/// Network that counts as one place: an address of IPv4, or the first half of one of IPv6, of which one host
/// has billions.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
#[path = "throttle_test.rs"]
mod tests;
