//! Failures are slowed down, others are not, by a clock that the tests move.

use std::net::Ipv4Addr;
use std::sync::Arc;

use longhaul_model::Timestamp;

use super::*;

const START: Timestamp = Timestamp(1_700_000_000_000);

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0000 + n).into()
}

fn throttle() -> (Throttle, Env) {
    let env = Env::manual(START);
    (Throttle::new(env.clone()), env)
}

async fn fail(throttle: &Throttle, name: &str, from: IpAddr) -> Option<u64> {
    match throttle.enter(Some(name), from).await {
        Ok(attempt) => {
            drop(attempt);
            None
        }
        Err(Slow(after)) => Some(after.0 / 1000),
    }
}

#[tokio::test]
async fn waits_grow_to_fifteen_minutes_and_no_further() {
    let (throttle, env) = throttle();
    for n in 0..5 {
        assert_eq!(fail(&throttle, "anna", address(n)).await, None, "failure {n} is free");
    }
    for expected in [12, 24, 48, 96, 192, 384, 768, 900, 900] {
        assert_eq!(fail(&throttle, "Anna", address(9)).await, Some(expected));
        env.advance(Span(expected * 1000 - 1));
        assert_eq!(fail(&throttle, "anna", address(9)).await, Some(0), "one millisecond is left");
        env.advance(Span(1));
        assert_eq!(fail(&throttle, "anna", address(100 + expected as u32)).await, None);
    }
    // After some quiet it is as in the beginning.
    env.advance(Span(5 * 900_000));
    for n in 0..5 {
        assert_eq!(fail(&throttle, "anna", address(200 + n)).await, None);
    }
    assert_eq!(fail(&throttle, "anna", address(300)).await, Some(12));
}

#[tokio::test]
async fn names_and_networks_count_apart() {
    let (throttle, _) = throttle();
    for n in 0..5 {
        assert_eq!(fail(&throttle, &format!("user{n}"), address(1)).await, None);
    }
    assert_eq!(fail(&throttle, "user9", address(1)).await, Some(12), "the network is slow");
    assert_eq!(fail(&throttle, "user9", address(2)).await, None, "the name is not");
    let mapped: IpAddr = "::ffff:10.0.0.1".parse().expect("an address");
    assert_eq!(fail(&throttle, "user8", mapped).await, Some(12), "the same address in other clothes");
    let v6 = |text: &str| -> IpAddr { text.parse().expect("an address") };
    for n in 0..5 {
        assert_eq!(fail(&throttle, &format!("six{n}"), v6(&format!("2001:db8::{n}"))).await, None);
    }
    assert_eq!(fail(&throttle, "six9", v6("2001:db8::ffff:1")).await, Some(12), "one host has them all");
    assert_eq!(fail(&throttle, "six9", v6("2001:db8:0:1::1")).await, None);
}

#[tokio::test]
async fn success_costs_nothing_and_forgives_nothing() {
    let (throttle, _) = throttle();
    for _ in 0..100 {
        throttle.enter(Some("anna"), address(1)).await.expect("room").passed();
    }
    for _ in 0..4 {
        fail(&throttle, "anna", address(1)).await;
        throttle.enter(Some("anna"), address(1)).await.expect("room").passed();
        throttle.enter(Some("anna"), address(1)).await.expect("room").void();
    }
    assert_eq!(fail(&throttle, "anna", address(1)).await, None);
    assert_eq!(fail(&throttle, "anna", address(1)).await, Some(12));
}

#[tokio::test]
async fn name_under_attack_comes_in_where_it_is_at_home() {
    let (throttle, env) = throttle();
    throttle.enter(Some("Anna"), address(1)).await.expect("room").passed();
    for n in 0..5 {
        fail(&throttle, "anna", address(10 + n)).await;
    }
    assert!(throttle.enter(Some("anna"), address(2)).await.is_err());
    throttle.enter(Some("anna"), address(1)).await.expect("at home").passed();
    // At home there are limits, too.
    for _ in 0..5 {
        fail(&throttle, "anna", address(1)).await;
    }
    assert!(throttle.enter(Some("anna"), address(1)).await.is_err());
    // And for a day only.
    env.advance(Span(AT_HOME as u64));
    for n in 0..5 {
        fail(&throttle, "anna", address(20 + n)).await;
    }
    assert!(throttle.enter(Some("anna"), address(1)).await.is_err());
}

#[tokio::test]
async fn attempts_at_work_are_waited_for() {
    let (throttle, _) = throttle();
    let throttle = Arc::new(throttle);
    let mut at_work = Vec::new();
    for _ in 0..5 {
        at_work.push(throttle.enter(Some("anna"), address(1)).await.expect("room"));
    }
    let waiting = {
        let throttle = throttle.clone();
        tokio::spawn(async move { fail(&throttle, "anna", address(1)).await })
    };
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished(), "five are at work and may all fail");
    at_work.pop().expect("one").passed();
    assert_eq!(waiting.await.expect("ran"), None, "one passed, so there is room");
    let late = {
        let throttle = throttle.clone();
        tokio::spawn(async move { fail(&throttle, "anna", address(1)).await })
    };
    drop(at_work);
    assert_eq!(late.await.expect("ran"), Some(12), "one and four failed, whoever went away included");
}

#[tokio::test]
async fn guesses_at_right_passwords_end() {
    let (throttle, env) = throttle();
    for _ in 0..5 {
        fail(&throttle, "anna", address(1)).await;
    }
    for _ in 0..100 {
        assert!(throttle.may_guess(address(1)));
        assert!(fail(&throttle, "anna", address(1)).await.is_some());
    }
    assert!(!throttle.may_guess(address(1)));
    assert!(throttle.may_guess(address(2)));
    env.advance(Span(36_000));
    assert!(throttle.may_guess(address(1)));
}

#[tokio::test]
async fn table_is_bounded_and_keeps_the_worst() {
    let (throttle, _) = throttle();
    for _ in 0..5 {
        fail(&throttle, "worst", address(1)).await;
    }
    for n in 0..MOST as u32 {
        fail(&throttle, &format!("user{n}"), address(1000 + n)).await;
    }
    assert!(throttle.buckets.lock().len() <= MOST);
    assert!(fail(&throttle, "worst", address(2)).await.is_some());
}

#[tokio::test]
async fn clock_that_is_set_back_locks_nobody_out() {
    let env = Env::manual(Timestamp(START.0 + 86_400_000));
    let throttle = Throttle::new(env.clone());
    for _ in 0..5 {
        fail(&throttle, "anna", address(1)).await;
    }
    let mut buckets = std::mem::take(&mut *throttle.buckets.lock());
    let earlier = Throttle::new(Env::manual(START));
    std::mem::swap(&mut *earlier.buckets.lock(), &mut buckets);
    assert_eq!(fail(&earlier, "anna", address(1)).await, Some(12));
}
