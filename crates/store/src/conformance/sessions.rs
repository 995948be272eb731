//! Refresh tokens and sessions: kept, found, listed, and ended together with their account or credential.

use std::cmp::Reverse;

use longhaul_model::Span;

use super::accounts::{create, reopen, settings, token, user};
use super::support::*;
use crate::{Basis, RefreshToken, SessionId, SessionQuery, StoreError, Whose};

fn external(granted: &[&str]) -> Basis {
    Basis::External {
        role: "VIEWER".to_owned(),
        issuer: Some("https://issuer".to_owned()),
        granted: granted.iter().map(|&role| role.to_owned()).collect(),
    }
}

/// Durable until they are revoked, and then gone for good.
pub async fn refresh_tokens_are_kept_until_revoked(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let anna = create(&accounts, user("anna", "ADMIN")).await;
    let (first, second) = (token(1, &anna), token(2, &anna));
    let external = RefreshToken {
        user: "someone else".to_owned(),
        basis: external(&["\"lab\""]),
        means: None,
        origin: None,
        ..token(3, &anna)
    };
    for token in [&first, &second, &external] {
        accounts.put_refresh_token(token.clone(), None).await.expect("kept");
    }
    let (store, accounts) = reopen(fixture, &store).await;
    for token in [first, second, external] {
        assert_eq!(accounts.refresh_token(&token.hash).expect("readable"), Some(token));
    }
    assert!(accounts.revoke_refresh_token([1; 32], None).await.expect("revoked"));
    assert!(!accounts.revoke_refresh_token([1; 32], None).await.expect("nothing to do"));
    let (store, accounts) = reopen(fixture, &store).await;
    assert_eq!(accounts.refresh_token(&[1; 32]).expect("readable"), None);
    assert!(accounts.refresh_token(&[2; 32]).expect("readable").is_some());
    store.close().await;
}

/// A token that is in use lasts longer; never shorter, and none comes back by it.
pub async fn refresh_tokens_can_last_longer(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let anna = create(&accounts, user("anna", "ADMIN")).await;
    let (first, second) = (token(1, &anna), token(2, &anna));
    for token in [&first, &second] {
        accounts.put_refresh_token(token.clone(), None).await.expect("kept");
    }
    let later = first.expires_at.after(Span(1000));
    assert!(accounts.prolong_refresh_token(first.hash, later).await.expect("prolonged"));
    for sooner in [later, first.expires_at] {
        assert!(!accounts.prolong_refresh_token(first.hash, sooner).await.expect("nothing to do"));
    }
    assert!(!accounts.prolong_refresh_token([9; 32], later).await.expect("no such token"));
    assert!(accounts.revoke_refresh_token(second.hash, None).await.expect("revoked"));
    assert!(!accounts.prolong_refresh_token(second.hash, later).await.expect("it is gone"));
    let (store, accounts) = reopen(fixture, &store).await;
    let kept = RefreshToken { expires_at: later, ..first.clone() };
    assert_eq!(accounts.refresh_token(&first.hash).expect("readable"), Some(kept));
    assert_eq!(accounts.refresh_token(&second.hash).expect("readable"), None);
    store.close().await;
}

/// A new password, disabling and deletion end sessions, also those that are just being created.
pub async fn refresh_tokens_end_with_what_they_rest_on(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    create(&accounts, user("admin", "ADMIN")).await;
    let mut anna = create(&accounts, user("anna", "VIEWER")).await;
    let bert = create(&accounts, user("bert", "VIEWER")).await;
    accounts.put_refresh_token(token(99, &bert), None).await.expect("kept");
    for change in [
        settings(None, None, Some("new")),
        settings(None, Some(true), None),
        settings(None, Some(false), Some("newer")),
    ] {
        if !anna.disabled {
            accounts.put_refresh_token(token(1, &anna), None).await.expect("kept");
        }
        let stale = anna;
        anna = accounts.change_user("anna", change, None).await.expect("changed");
        assert_eq!(accounts.refresh_token(&[1; 32]).expect("readable"), None);
        let late = accounts.put_refresh_token(token(2, &stale), None).await;
        assert!(matches!(late, Err(StoreError::NotFound)), "given for the epoch before");
    }
    accounts.put_refresh_token(token(3, &anna), None).await.expect("kept");
    accounts.delete_user("anna", None).await.expect("deleted");
    assert_eq!(accounts.refresh_token(&[3; 32]).expect("readable"), None);
    assert!(matches!(accounts.put_refresh_token(token(4, &anna), None).await, Err(StoreError::NotFound)));
    assert!(accounts.refresh_token(&[99; 32]).expect("readable").is_some(), "others' sessions go on");
    store.close().await;
}

/// Sessions are found by their identity and by their owner, and listed newest first while they last.
pub async fn sessions_are_found_and_listed(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let anna = create(&accounts, user("Anna", "ADMIN")).await;
    let other = |n: u8, name: &str| RefreshToken {
        user: name.to_owned(),
        basis: external(&[]),
        created_at: START.after(Span(u64::from(n))),
        ..token(n, &anna)
    };
    let mut kept =
        vec![token(1, &anna), token(9, &anna), other(5, "anna"), other(6, "Anna"), other(7, "bert")];
    for token in &kept {
        accounts.put_refresh_token(token.clone(), None).await.expect("kept");
        assert_eq!(accounts.session(token.session()).expect("readable").as_ref(), Some(token));
    }
    assert_eq!(accounts.session(SessionId::of(&[8; 32])).expect("readable"), None);
    // Half of the digest is all of the identity.
    let mut near = [1; 32];
    near[31] = 2;
    assert_eq!(accounts.session(SessionId::of(&near)).expect("readable").as_ref(), kept.first());
    kept.sort_by_key(|token| (Reverse(token.created_at), token.hash));
    let exactly = |name: &str, external| Whose::Of { name: name.to_owned(), external };
    for now in [START, START.after(Span(1000)), START.after(Span(6500)), START.after(Span(60_000))] {
        for (whose, of) in [
            (Whose::Anybody, None),
            (Whose::Named("ANNA".to_owned()), Some(("anna", None))),
            (Whose::Named("b%".to_owned()), Some(("b%", None))),
            (exactly("Anna", false), Some(("Anna", Some(false)))),
            (exactly("Anna", true), Some(("Anna", Some(true)))),
            (exactly("anna", true), Some(("anna", Some(true)))),
            (exactly("anna", false), Some(("nobody", Some(false)))),
        ] {
            let is_of = |token: &&RefreshToken| match of {
                None => true,
                Some((name, None)) => token.user.eq_ignore_ascii_case(name),
                Some((name, Some(external))) => {
                    token.user == name && external == matches!(token.basis, Basis::External { .. })
                }
            };
            let all: Vec<_> =
                kept.iter().filter(is_of).filter(|token| token.expires_at > now).cloned().collect();
            for offset in 0..=all.len() as u64 {
                let query = SessionQuery { whose: whose.clone(), now, offset, limit: 2 };
                let page = accounts.sessions(&query).expect("readable");
                let expected: Vec<_> = all.iter().skip(offset as usize).take(2).cloned().collect();
                assert_eq!((page.sessions, page.total), (expected, all.len() as u64), "{query:?}");
            }
        }
    }
    store.close().await;
}

/// Expired refresh tokens are removed in batches, oldest first.
pub async fn refresh_tokens_are_pruned_in_batches(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let anna = create(&accounts, user("anna", "ADMIN")).await;
    for n in 1..=10 {
        accounts.put_refresh_token(token(n, &anna), None).await.expect("kept");
    }
    let later = START.after(Span(7000));
    assert_eq!(accounts.prune_refresh_tokens(later, 5).await.expect("pruned"), 5);
    assert_eq!(accounts.refresh_token(&[5; 32]).expect("readable"), None);
    assert!(accounts.refresh_token(&[6; 32]).expect("readable").is_some());
    assert_eq!(accounts.prune_refresh_tokens(later, 5).await.expect("pruned"), 2);
    assert_eq!(accounts.prune_refresh_tokens(later, 5).await.expect("pruned"), 0);
    assert!(accounts.refresh_token(&[8; 32]).expect("readable").is_some());
    store.close().await;
}
