//! I18: what was taken back stays so. A session that was ended, a deleted key, a disabled user, an old
//! password: once that was answered, none of them lets anybody in again, across any number of crashes. What
//! nobody took back goes on.

use super::{Evidence, Verdict};
use crate::clock::Micros;
use crate::grants::Means;

/// Longest time for which another node may rely on what it knows of accounts.
const KNOWN: Micros = 5_000_000;

pub(super) fn check(evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new("I18", "what was taken back lets nobody in again, what was not goes on");
    let grants = &evidence.history.grants;
    let (ended, doubtful) = (grants.ended(), grants.doubtful());
    // The end of the first refusal: whoever was refused once is refused for ever.
    let mut refused = vec![None; grants.given.len()];
    let shared = evidence.history.lives.iter().any(|life| life.shared);
    let mut uses: Vec<_> = grants.uses.iter().collect();
    uses.sort_by_key(|one| one.call);
    for one in uses {
        let i = one.grant;
        let Some(grant) = grants.given.get(i) else { continue };
        let kills = |since: u64| {
            let dead = evidence.history.lives.iter().filter_map(|life| life.dead.filter(|_| life.killed));
            dead.filter(|dead| since < *dead && *dead < one.call).count()
        };
        let who = || format!("{} of {}", grant.means.words(), grant.account);
        let elsewhere = shared && matches!(grant.means, Means::ApiKey | Means::AccessToken | Means::Password);
        let known = if elsewhere { KNOWN } else { 0 };
        if let Some(at) = ended[i].filter(|at| *at < one.call) {
            if one.let_in && one.call - at < known {
                continue;
            }
            verdict.that(!one.let_in, || {
                format!(
                    "{}: let in {} µs after it was taken back, {} kills later",
                    who(),
                    one.call - at,
                    kills(at)
                )
            });
        } else if doubtful[i].is_none_or(|at| at > one.ret) {
            verdict.that(one.let_in, || format!("{}: refused, and nobody had taken it back", who()));
        } else if let Some(at) = refused[i] {
            verdict.that(!one.let_in, || {
                format!("{}: let in after it had been refused, {} kills later", who(), kills(at))
            });
        }
        if !one.let_in {
            refused[i].get_or_insert(one.ret);
        }
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::super::sample::Sample;
    use super::*;
    use crate::grants::{How, Use, Withdrawal};

    /// A session that was taken back at 300 to 310, if that was answered, and uses of it.
    fn sample(acked: bool, uses: &[(u64, bool)]) -> Vec<String> {
        let mut sample = Sample::good();
        let grants = &mut sample.history.grants;
        let ended = Withdrawal { how: How::LogOut, grants: vec![0], call: 300, ret: 310, acked };
        grants.withdrawals.push(ended);
        for (call, let_in) in uses.iter().copied() {
            grants.uses.push(Use { grant: 0, call, ret: call + 5, let_in });
        }
        sample.broken(check)
    }

    #[test]
    fn what_comes_back_is_found() {
        assert_eq!(sample(true, &[(200, true), (320, false), (900, false)]), Vec::<String>::new());
        assert!(sample(true, &[(320, false), (900, true)])[0].contains("after it was taken back"));
        assert!(sample(true, &[(320, true)])[0].contains("10 µs after"));
    }

    #[test]
    fn what_nobody_took_back_must_go_on() {
        assert_eq!(Sample::good().broken(check), Vec::<String>::new());
        assert!(sample(true, &[(200, false)])[0].contains("nobody had taken it back"));
    }

    #[test]
    fn what_was_not_answered_may_be_either_but_not_both() {
        for fate in [true, false] {
            assert_eq!(sample(false, &[(320, fate), (900, fate)]), Vec::<String>::new());
        }
        assert_eq!(sample(false, &[(320, true), (900, false)]), Vec::<String>::new());
        assert!(sample(false, &[(320, false), (900, true)])[0].contains("had been refused"));
    }
}
