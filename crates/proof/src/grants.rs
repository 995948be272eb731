//! Credentials as the outside saw them: given, used, revoked.

use crate::clock::Micros;
use crate::history::Life;

/// Record of a run's credentials.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Credentials whose giving was answered. Other members name them by their index.
    pub given: Vec<Grant>,
    /// Every attempt to come in that was answered.
    pub uses: Vec<Use>,
    /// Credentials that were revoked, or may have been.
    pub withdrawals: Vec<Withdrawal>,
}

/// Credential.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Account of the credential.
    pub account: String,
    /// Kind of credential.
    pub means: Means,
    /// The thing itself.
    pub secret: String,
}

/// The kinds of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// The password of a user.
    Password,
    /// An API key.
    ApiKey,
    /// The id of a refresh token.
    RefreshToken,
    /// An access token; lives longer than any run.
    AccessToken,
}

impl Means {
    /// Name of the kind, in words.
    pub fn words(self) -> &'static str {
        match self {
            Means::Password => "the password",
            Means::ApiKey => "an API key",
            Means::RefreshToken => "a refresh token",
            Means::AccessToken => "an access token",
        }
    }
}

/// An attempt to come in.
#[derive(Clone, Debug)]
pub struct Use {
    /// Index of the grant.
    pub grant: usize,
    /// Time of the request.
    pub call: Micros,
    /// Time of the answer.
    pub ret: Micros,
    /// True if the use succeeded.
    pub let_in: bool,
}

/// Call that revokes credentials for good.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// Kind of call.
    pub how: How,
    /// The grants that it ends.
    pub grants: Vec<usize>,
    /// Time of the request.
    pub call: Micros,
    /// Time of the answer, or of giving it up.
    pub ret: Micros,
    /// True if the call was answered; otherwise its outcome is unknown.
    pub acked: bool,
}

/// The ways to end grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// `DELETE` of the refresh token.
    LogOut,
    /// `DELETE` of the API key: every session of the account ends, too.
    DeleteKey,
    /// A new password: the old one ends, and every session.
    ChangePassword,
    /// The account is disabled, and stays so.
    Disable,
    /// `DELETE` of the account. Another one may get its name.
    DeleteUser,
}

impl Grants {
    /// Uses of what had been taken back before a kill that lies between.
    pub fn uses_over_a_kill(&self, lives: &[Life]) -> usize {
        let ended = self.ended();
        let over = |one: &&Use| {
            let Some(at) = ended.get(one.grant).copied().flatten() else { return false };
            let kills = lives.iter().filter(|life| life.killed).filter_map(|life| life.dead);
            kills.into_iter().any(|dead| at < dead && dead < one.call)
        };
        self.uses.iter().filter(over).count()
    }

    /// Returns for each grant the time at which its end was first answered.
    pub fn ended(&self) -> Vec<Option<Micros>> {
        let mut ended: Vec<Option<Micros>> = vec![None; self.given.len()];
        for withdrawal in self.withdrawals.iter().filter(|withdrawal| withdrawal.acked) {
            for grant in &withdrawal.grants {
                if let Some(at) = ended.get_mut(*grant) {
                    *at = Some(at.map_or(withdrawal.ret, |at| at.min(withdrawal.ret)));
                }
            }
        }
        ended
    }

    /// Returns for each grant the time at which a call that may have ended it was first sent.
    pub fn doubtful(&self) -> Vec<Option<Micros>> {
        let mut doubtful: Vec<Option<Micros>> = vec![None; self.given.len()];
        for withdrawal in &self.withdrawals {
            for grant in &withdrawal.grants {
                if let Some(at) = doubtful.get_mut(*grant) {
                    *at = Some(at.map_or(withdrawal.call, |at| at.min(withdrawal.call)));
                }
            }
        }
        doubtful
    }
}
