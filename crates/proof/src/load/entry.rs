//! Calls about what lets people in: giving, trying, taking back. Each is recorded.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::Caller;
use crate::clock::Micros;
use crate::grants::{Grant, How, Means, Use, Withdrawal};
use crate::http::{Answer, NoAnswer, Peer, Request};

/// Outcome of a call.
pub(super) enum Done {
    /// The call was answered as wanted.
    Acked(Value),
    /// The call had no effect.
    Undone,
    /// The outcome is unknown.
    Unknown,
}

impl Caller {
    /// Records a credential that was given; returns its index.
    pub(super) fn given(&self, account: &str, means: Means, secret: &str) -> usize {
        let given = &mut self.shared.recorder.borrow_mut().history.grants.given;
        given.push(Grant { account: account.to_owned(), means, secret: secret.to_owned() });
        given.len() - 1
    }

    /// Tries to come in; nothing is recorded unless that was decided.
    pub(super) async fn try_grant(&mut self, index: usize) {
        let grant = self.shared.recorder.borrow().history.grants.given.get(index).cloned();
        let Some(Grant { account, means, secret }) = grant else { return };
        let (method, path, body) = match means {
            Means::Password => {
                ("POST", "/v1/tokens", Some(json!({ "username": account, "password": secret })))
            }
            Means::RefreshToken => ("PATCH", "/v1/tokens/access-token/refresh", Some(json!(secret))),
            Means::ApiKey | Means::AccessToken => ("GET", "/v1/users/me", None),
        };
        let body = body.as_ref().map(Value::to_string);
        let request = Request { method, path, headers: &[], body: body.as_ref().map(String::as_bytes) };
        let call_as = |own: &Peer| match means {
            // From a place of its own: failures from one place slow down all who come from there.
            Means::Password => Peer::stranger(own.address).from(place(index)),
            Means::RefreshToken => Peer::stranger(own.address),
            Means::ApiKey | Means::AccessToken => own.with(&secret),
        };
        let (call, answered, ret) = self.call_as(&request, call_as).await;
        let Ok(answer) = answered else { return };
        let let_in = match (means, answer.status) {
            (Means::Password, 201) => true,
            (Means::RefreshToken | Means::ApiKey | Means::AccessToken, 200) => true,
            (Means::Password | Means::ApiKey | Means::AccessToken, 401) | (Means::RefreshToken, 404) => false,
            // Tried too often: that says nothing.
            (Means::Password, 429) => return,
            _ => {
                self.unexpected(&request, &answer);
                return;
            }
        };
        let tried = Use { grant: index, call, ret, let_in };
        self.shared.recorder.borrow_mut().history.grants.uses.push(tried);
    }

    /// Tries everything that was ever given.
    pub async fn try_all_grants(&mut self) {
        let count = self.shared.recorder.borrow().history.grants.given.len();
        for index in 0..count {
            self.try_grant(index).await;
        }
    }

    /// Takes grants back.
    pub(super) async fn withdraw(
        &mut self,
        how: How,
        grants: Vec<usize>,
        (method, path, body): (&str, &str, Option<Value>),
    ) -> Done {
        let expected = if method == "PATCH" { 200 } else { 204 };
        let (call, done, ret) = self.administer(method, path, body, expected).await;
        let acked = matches!(done, Done::Acked(_));
        if !matches!(done, Done::Undone) {
            let withdrawal = Withdrawal { how, grants, call, ret, acked };
            self.shared.recorder.borrow_mut().history.grants.withdrawals.push(withdrawal);
        }
        done
    }

    /// A call of the administrator, with the one status that it should have.
    pub(super) async fn administer(
        &mut self,
        method: &str,
        path: &str,
        body: Option<Value>,
        expected: u16,
    ) -> (Micros, Done, Micros) {
        let body = body.as_ref().map(Value::to_string);
        let request = Request { method, path, headers: &[], body: body.as_ref().map(String::as_bytes) };
        let (call, answered, ret) = self.call(&request).await;
        let done = match answered {
            Ok(answer) if answer.status == expected => Done::Acked(answer.json().unwrap_or_default()),
            Ok(answer) if answer.status < 500 => {
                self.unexpected(&request, &answer);
                Done::Undone
            }
            Err(NoAnswer::Unsent) => Done::Undone,
            Ok(_) | Err(_) => Done::Unknown,
        };
        (call, done, ret)
    }

    fn unexpected(&self, request: &Request<'_>, answer: &Answer) {
        let body = String::from_utf8_lossy(&answer.body);
        let what = format!("{} {}: {} {body}", request.method, request.path, answer.status);
        self.shared.recorder.borrow_mut().odd(what);
    }
}

/// An address of this machine for each number.
fn place(number: usize) -> Ipv4Addr {
    let [.., b, c, d] = number.to_be_bytes();
    Ipv4Addr::new(127, b.wrapping_add(1).max(1), c, d)
}
