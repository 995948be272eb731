//! Refresh tokens: a day of new access tokens, until they are revoked or what they rest on changes.

use longhaul_auth::{RefreshError, Role, UserPatch};
use longhaul_crypto::random;
use longhaul_model::Span;
use longhaul_store::Store;

use super::support::*;

fn is_over<T>(outcome: Result<T, RefreshError>) -> bool {
    matches!(outcome, Err(RefreshError::NotFound))
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_token_works_again_and_again_for_a_day() {
    let place = Place::new().await;
    place.person("anna", Role::Operator).await;
    let pair = place.login("anna").await;
    assert_eq!(pair.refresh_id.get_version_num(), 4);
    for _ in 0..24 {
        let token = place.auth.refresh(pair.refresh_id).unwrap();
        assert_eq!(&*place.who(&token).unwrap().name, "anna");
        place.env.advance(Span(HOUR.0 - 1000));
    }
    place.env.advance(Span(24_000 - 1));
    assert!(place.auth.refresh(pair.refresh_id).is_ok());
    place.env.advance(Span(1));
    assert!(is_over(place.auth.refresh(pair.refresh_id)));
    assert!(is_over(place.auth.refresh(random::uuid())));
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshed_token_has_the_role_of_now() {
    let place = Place::new().await;
    place.person("anna", Role::Operator).await;
    let pair = place.login("anna").await;
    let demote = UserPatch { role: Some(Role::Viewer), ..UserPatch::default() };
    place.auth.change_user("anna", demote, by_admin()).await.unwrap();
    let token = place.auth.refresh(pair.refresh_id).unwrap();
    assert_eq!(open(&token).1["role"], "VIEWER");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_token_never_comes_back() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let (one, two) = (place.login("anna").await, place.login("anna").await);
    for _ in 0..2 {
        place.auth.revoke(one.refresh_id, Some(HERE)).await.unwrap();
        assert!(is_over(place.auth.refresh(one.refresh_id)));
    }
    assert!(place.auth.refresh(two.refresh_id).is_ok(), "others go on");
    place.auth.revoke(random::uuid(), Some(HERE)).await.expect("nothing to do");
    place.store.close().await;
    let env = place.env.clone();
    let reopened = longhaul_store::sqlite::Sqlite::open(place.directory.path(), env.clone()).unwrap();
    let starting =
        longhaul_auth::Auth::start(reopened.clone(), env, place.ring.clone(), config(), |_, _| panic!());
    let auth = starting.await.unwrap();
    assert!(is_over(auth.refresh(one.refresh_id)));
    let token = auth.refresh(two.refresh_id).expect("sessions outlive the process");
    assert!(auth.authenticate(&token).is_ok());
    assert!(auth.authenticate(&one.access_token).is_ok(), "and so do access tokens");
    reopened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_with_password_and_account() {
    let place = Place::new().await;
    let disable = || UserPatch { disabled: Some(true), ..UserPatch::default() };
    let new = || UserPatch { password: Some(secret("another password")), ..UserPatch::default() };
    for (name, patch) in [("anna", Some(new())), ("bert", Some(disable())), ("carl", None)] {
        place.person(name, Role::Viewer).await;
        let pair = place.login(name).await;
        match patch {
            Some(patch) => drop(place.auth.change_user(name, patch, by_admin()).await.unwrap()),
            None => place.auth.delete_user(name, by_admin()).await.unwrap(),
        }
        assert!(is_over(place.auth.refresh(pair.refresh_id)), "{name}");
        assert!(place.who(&pair.access_token).is_err(), "{name}");
    }
    // Neither enabling nor another account of that name brings them back.
    let pair = place.try_login("anna", "another password", HERE).await.unwrap();
    place.auth.change_user("anna", disable(), by_admin()).await.unwrap();
    let enable = UserPatch { disabled: Some(false), ..UserPatch::default() };
    place.auth.change_user("anna", enable, by_admin()).await.unwrap();
    assert!(is_over(place.auth.refresh(pair.refresh_id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_stored_as_digests_only() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let key = place.service("robot", Role::Viewer).await;
    let pair = place.login("anna").await;
    place.store.close().await;
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(place.directory.path()).unwrap() {
        stored.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let has = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"anna") && has(b"robot"), "the files hold what they should");
    let id = pair.refresh_id;
    let password = password("anna");
    for secret in [
        id.to_string().as_bytes(),
        id.as_bytes(),
        key.as_bytes(),
        &key.as_bytes()[4..],
        password.as_bytes(),
        ADMIN.as_bytes(),
    ] {
        assert!(!has(secret), "{}", String::from_utf8_lossy(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_over_are_taken_away() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let hash = |pair: &longhaul_auth::TokenPair| longhaul_crypto::digest::sha256(pair.refresh_id.as_bytes());
    let old = place.login("anna").await;
    place.env.advance(DAY);
    let new = place.login("anna").await;
    assert!(place.accounts.refresh_token(&hash(&old)).unwrap().is_some());
    place.auth.tidy().await;
    assert!(place.accounts.refresh_token(&hash(&old)).unwrap().is_none());
    assert!(place.accounts.refresh_token(&hash(&new)).unwrap().is_some());
}
