//! Cost of authenticating a caller, without HTTP: the one function that every request goes through.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use longhaul_auth::{Auth, LoginRequest};

use crate::access;
use crate::bench::{Bench, middle};
use crate::load::on_one_thread;
use crate::report::{Row, Target};
use crate::say;

/// Calls between two looks at the clock.
const SLICE: u32 = 1_000;

impl Bench {
    /// Nanoseconds of a call with either credential.
    pub(crate) fn authenticate(&mut self) -> Result<()> {
        say("P5 Auth::authenticate");
        let data = self.places.fresh("auth")?;
        let time = self.time / 4;
        let measured = on_one_thread(access::with(&data, async |auth| {
            let key = access::new_key(auth).await?;
            let from = std::net::Ipv4Addr::LOCALHOST.into();
            let pair = auth.login(LoginRequest::ApiKey(key.clone()), from).await?;
            let credentials = [("access token", &pair.access_token), ("API key", &key)];
            let mut rounds = credentials.map(|_| Vec::new());
            for _ in 0..self.rounds {
                for ((what, credential), figures) in credentials.iter().zip(&mut rounds) {
                    let ns = call(auth, credential, time)?;
                    say(&format!("  {what}: {ns:.0} ns"));
                    figures.push(ns);
                }
            }
            Ok(credentials.map(|(what, _)| what).into_iter().zip(rounds))
        }))?;
        for (what, rounds) in measured {
            let ns = middle(rounds.into_iter());
            self.rows.push(Row {
                goal: "P5",
                what: format!("  Auth::authenticate, {what} (ns)"),
                ours: format!("{ns:.0} ns"),
                other: String::new(),
                measure: ns,
                target: Target::None,
            });
        }
        Ok(())
    }
}

/// Nanoseconds of one call, which must let in.
fn call(auth: &Auth, credential: &str, time: std::time::Duration) -> Result<f64> {
    let (begun, mut calls) = (Instant::now(), 0_u64);
    while begun.elapsed() < time {
        for _ in 0..SLICE {
            black_box(auth.authenticate(black_box(credential))?);
        }
        calls += u64::from(SLICE);
    }
    Ok(begun.elapsed().as_nanos() as f64 / calls as f64)
}
