//! Fetching the issuer's keys: seldom, once for all who wait, and from nowhere else.

use longhaul_auth::{Denied, Fetch, HttpFetch, OidcConfig, Reason};
use longhaul_model::Span;
use serde_json::json;

use super::issuer::*;
use crate::it::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_are_asked_for_once_in_thirty_seconds() {
    let (old, new) = (Key::new("EdDSA"), Key::new("EdDSA"));
    let issuer = Issuer::new(&[("old", &old)]).await;
    let place = place(issuer.config()).await;
    let good = old.sign(&header(&old, "old"), &issuer.claims());
    assert_eq!(place.who(&good), Err(Denied::NeedsFetch));
    assert_eq!(issuer.asked(), 0, "asking is for those who can wait");
    assert!(place.auth.authenticate_fetching(&good).await.is_ok());
    for n in 0..50 {
        let token = old.sign(&header(&old, &format!("unknown{n}")), &issuer.claims());
        assert_eq!(place.auth.authenticate_fetching(&token).await, Err(Reason::Signature.into()));
    }
    assert_eq!(issuer.asked(), 1, "whatever anybody sends");
    // The issuer changes its keys: seen with the first token of the new one, once that may be asked.
    issuer.publish(&[("new", &new)]);
    let token = new.sign(&header(&new, "new"), &issuer.claims());
    place.env.advance(Span(30_000 - 1));
    assert_eq!(place.auth.authenticate_fetching(&token).await, Err(Reason::Signature.into()));
    place.env.advance(Span(1));
    assert!(place.auth.authenticate_fetching(&token).await.is_ok());
    assert_eq!(issuer.asked(), 2);
    assert_eq!(place.auth.authenticate_fetching(&good).await, Err(Reason::Signature.into()), "taken back");
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_waits_for_one_fetch() {
    let key = Key::new("EdDSA");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let place = place(issuer.config()).await;
    let token = key.sign(&header(&key, "k"), &issuer.claims());
    let requests = (0..50).map(|_| {
        let (auth, token) = (place.auth.clone(), token.clone());
        tokio::spawn(async move { auth.authenticate_fetching(&token).await })
    });
    for request in requests.collect::<Vec<_>>() {
        assert!(request.await.unwrap().is_ok(), "nobody is refused because somebody else was first");
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_off_does_not_keep_the_keys_from_others() {
    let key = Key::new("EdDSA");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let place = place(issuer.config()).await;
    let gone = tokio::time::timeout(std::time::Duration::from_millis(5), place.auth.fetch_keys()).await;
    assert!(gone.is_err(), "the answer takes 30 ms");
    let token = key.sign(&header(&key, "k"), &issuer.claims());
    assert!(place.auth.authenticate_fetching(&token).await.is_ok());
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn issuer_that_is_away_is_believed_for_a_day() {
    let key = Key::new("EdDSA");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let place = place(issuer.config()).await;
    let mut claims = issuer.claims();
    claims["exp"] = (START.0 / 1000 + 1_000_000).into();
    let token = key.sign(&header(&key, "k"), &claims);
    place.auth.tidy().await;
    assert_eq!(issuer.asked(), 1, "the keys are there before anybody asks");
    assert!(place.who(&token).is_ok());
    issuer.publish_raw(json!("maintenance"));
    place.env.advance(HOUR);
    place.auth.tidy().await;
    assert_eq!(issuer.asked(), 2);
    place.env.advance(Span(23 * HOUR.0 - 1));
    assert!(place.who(&token).is_ok());
    place.env.advance(Span(1));
    assert_eq!(place.auth.authenticate_fetching(&token).await, Err(Reason::Signature.into()));
    issuer.publish(&[("k", &key)]);
    place.env.advance(Span(30_000));
    assert!(place.auth.authenticate_fetching(&token).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_sets_of_keys_do_no_harm() {
    let (key, other) = (Key::new("ES256"), Key::new("ES256"));
    let issuer = Issuer::new(&[]).await;
    let place = place(issuer.config()).await;
    let token = key.sign(&header(&key, "k"), &issuer.claims());
    let secret = json!({ "kty": "oct", "kid": "k", "k": "AAAA" });
    for set in [
        json!({}),
        json!({ "keys": [] }),
        json!([key.published("k")]),
        json!({ "keys": [secret, 7, null, { "kty": "RSA", "kid": "k" }] }),
        json!({ "keys": [key.published("k"), other.published("k")] }),
    ] {
        issuer.publish_raw(set);
        place.env.advance(Span(30_000));
        assert!(place.auth.authenticate_fetching(&token).await.is_err());
    }
    issuer.publish_raw(json!({ "keys": [7, { "kty": "new" }, key.published("k")], "more": true }));
    place.env.advance(Span(30_000));
    place.auth.fetch_keys().await;
    assert!(place.auth.authenticate_fetching(&token).await.is_ok(), "one good key among others");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_taken_from_where_it_was_said_only() {
    let key = Key::new("EdDSA");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let token = key.sign(&header(&key, "k"), &issuer.claims());
    let from = |jwks_uri: String| OidcConfig { jwks_uri: Some(jwks_uri), ..issuer.config() };
    for bad in ["/moved", "/huge", "/missing"] {
        let place = place(from(format!("{}{bad}", issuer.url))).await;
        assert!(place.auth.authenticate_fetching(&token).await.is_err(), "{bad}");
    }
    assert!(
        place(from(format!("{}/keys", issuer.url))).await.auth.authenticate_fetching(&token).await.is_ok()
    );
    // One that describes another issuer than the one that was asked.
    let aside = OidcConfig { issuer: format!("{}/", issuer.url), ..issuer.config() };
    let asked = issuer.asked();
    assert!(place(aside).await.auth.authenticate_fetching(&token).await.is_err());
    assert_eq!(issuer.asked(), asked);
    let fetch = HttpFetch::new(None).unwrap();
    let refused = fetch.get("http://192.0.2.1/keys").await.unwrap_err();
    assert!(refused.to_string().contains("https only"), "{refused}");
    assert!(fetch.get("http://127.0.0.1:9/keys").await.is_err());
    assert!(HttpFetch::new(Some(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")).is_err());
}
