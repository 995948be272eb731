//! Signing keys change, and nobody notices.

use longhaul_auth::Role;
use longhaul_model::Span;
use tokio_util::sync::CancellationToken;

use super::support::*;

fn kid(token: &str) -> String {
    open(token).0["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_logs_nobody_out() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let before = place.login("anna").await;
    place.auth.rotate_signing_keys(by_admin()).await.unwrap();
    let after = place.login("anna").await;
    assert_ne!(kid(&before.access_token), kid(&after.access_token));
    for token in [&before.access_token, &after.access_token] {
        assert_eq!(&*place.who(token).unwrap().name, "anna");
    }
    // To the very end of its life, also by a process that starts meanwhile.
    place.env.advance(Span(3_660_000 - 1));
    assert!(place.who(&before.access_token).is_ok());
    let ring = ring(place.directory.path().join("keys.json"), &config());
    assert_eq!(ring.signer(place.env.now().0).id(), kid(&after.access_token));
    let renewed = place.auth.refresh(before.refresh_id).unwrap();
    assert_eq!(kid(&renewed), kid(&after.access_token));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_every_thirty_days_by_themselves() {
    let place = Place::new().await;
    let first = place.ring.signer(place.env.now().0).id().to_owned();
    place.env.advance(Span(30 * DAY.0 - 1));
    place.auth.tidy().await;
    assert_eq!(place.ring.signer(place.env.now().0).id(), first);
    place.env.advance(Span(1));
    let last = place.try_login("admin", ADMIN, HERE).await.unwrap().access_token;
    place.auth.tidy().await;
    assert_ne!(place.ring.signer(place.env.now().0).id(), first);
    assert!(place.who(&last).is_ok());
    place.env.advance(Span(2 * HOUR.0));
    place.auth.tidy().await;
    let file = std::fs::read_to_string(place.directory.path().join("keys.json")).unwrap();
    assert!(!file.contains(&first), "a key that counts no more is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn tidying_begins_at_once_and_ends_when_told() {
    let place = Place::new().await;
    let key = place.service("robot", Role::Viewer).await;
    let first = place.ring.signer(place.env.now().0).id().to_owned();
    place.env.advance(Span(30 * DAY.0));
    let stop = CancellationToken::new();
    let tidying = place.auth.spawn(stop.clone());
    while place.ring.signer(place.env.now().0).id() == first {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    place.env.advance(SECOND);
    place.who(&key).unwrap();
    stop.cancel();
    tidying.await.unwrap();
    let used = place.store_user("robot").api_keys[0].last_used_at;
    assert_eq!(used, Some(place.env.now()), "what is only in memory is stored at the end");
}
