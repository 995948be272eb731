//! What lets people in: how it was given, used and taken back, as the outside saw it.

use crate::clock::Micros;
use crate::history::Life;

/// One run's record of it.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// Everything whose giving was answered. Others name one by its place here.
    pub given: Vec<Grant>,
    /// Every attempt to come in that was answered.
    pub uses: Vec<Use>,
    /// Everything that was taken back, or may have been.
    pub withdrawals: Vec<Withdrawal>,
}

/// Something that lets somebody in.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Whom.
    pub account: String,
    /// What it is.
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
    /// In words.
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
    /// With which grant.
    pub grant: usize,
    /// When it was sent.
    pub call: Micros,
    /// When its answer was there.
    pub ret: Micros,
    /// Whether it succeeded.
    pub let_in: bool,
}

/// Something that ends grants for good.
#[derive(Clone, Debug)]
pub struct Withdrawal {
    /// What was asked.
    pub how: How,
    /// The grants that it ends.
    pub grants: Vec<usize>,
    /// When it was sent.
    pub call: Micros,
    /// When its answer was there, or was given up.
    pub ret: Micros,
    /// Whether it was answered; otherwise nobody knows.
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

    /// For each grant when it was first told that it had ended.
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

    /// For each grant when something was first sent that may have ended it.
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
