//! API keys: services come in with them, directly or by way of a login.

use longhaul_auth::{Kind, LoginError, LoginRequest, Reason, RefreshError, Role, UserError, UserPatch};
use longhaul_model::Span;
use longhaul_store::{AccountRefused, MOST_API_KEYS};

use super::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn key_stands_for_its_account() {
    let place = Place::new().await;
    let key = place.service("robot", Role::Worker).await;
    assert!(key.starts_with("lhk_") && key.len() == 47, "{key}");
    let hashes = place.hashes();
    let who = place.who(&key).unwrap();
    assert_eq!((&*who.name, who.role, who.kind), ("robot", Role::Worker, Kind::Service));
    assert_eq!(place.hashes(), hashes);
    let tail = key[4..].to_owned();
    let other = if tail.starts_with('A') { "B" } else { "A" };
    for (name, forged) in [
        ("unknown", format!("lhk_{}", "A".repeat(43))),
        ("one letter", format!("lhk_{other}{}", &tail[1..])),
        ("shorter", key[..46].to_owned()),
        ("longer", format!("{key}A")),
        ("padded", format!("{key}=")),
        ("spaced", format!("{key} ")),
        ("prefix alone", "lhk_".to_owned()),
        ("very long", format!("lhk_{}", "A".repeat(100_000))),
    ] {
        assert_eq!(place.who(&forged), Err(Reason::ApiKey.into()), "{name}");
    }
    assert_eq!(place.who(&tail), Err(Reason::Form.into()));
    assert_eq!(place.who(&key.to_uppercase()), Err(Reason::Form.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn key_ends_when_it_is_removed_or_its_account_disabled() {
    let place = Place::new().await;
    let first = place.service("robot", Role::Viewer).await;
    let second = place.auth.add_api_key("robot", Some("CI".to_owned()), by_admin()).await.unwrap();
    let disabled = |disabled| UserPatch { disabled: Some(disabled), ..UserPatch::default() };
    place.auth.change_user("robot", disabled(true), by_admin()).await.unwrap();
    assert_eq!(place.who(&first), Err(Reason::Disabled.into()));
    place.auth.change_user("robot", disabled(false), by_admin()).await.unwrap();
    assert!(place.who(&first).is_ok() && place.who(&second.key).is_ok());
    let view = place.auth.user("robot").unwrap();
    assert_eq!(view.api_keys.len(), 2);
    assert_eq!(view.api_keys.iter().find(|key| key.id == second.id).unwrap().name.as_deref(), Some("CI"));
    let login = async |key: &str| place.auth.login(LoginRequest::ApiKey(secret(key)), HERE).await;
    let pair = login(&second.key).await.unwrap();
    assert!(place.who(&pair.access_token).is_ok());
    place.auth.remove_api_key("robot", &second.id, by_admin()).await.unwrap();
    assert_eq!(place.who(&second.key), Err(Reason::ApiKey.into()));
    assert_eq!(place.who(&pair.access_token), Err(Reason::Epoch.into()), "what was given for it is over");
    assert!(matches!(place.auth.refresh(pair.refresh_id), Err(RefreshError::NotFound)));
    assert!(matches!(login(&second.key).await, Err(LoginError::Unauthorized)));
    assert!(place.who(&first).is_ok(), "other keys go on");
    let again = place.auth.remove_api_key("robot", &second.id, by_admin()).await;
    assert!(matches!(again, Err(UserError::NoApiKey(id)) if id == second.id));
    assert!(matches!(place.auth.remove_api_key("nobody", "x", by_admin()).await, Err(UserError::NoUser(_))));
    place.auth.delete_user("robot", by_admin()).await.unwrap();
    assert_eq!(place.who(&first), Err(Reason::ApiKey.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_counted_and_named_within_limits() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    for name in ["x".repeat(65), "a\nb".to_owned()] {
        assert!(matches!(
            place.auth.add_api_key("anna", Some(name), by_admin()).await,
            Err(UserError::BadKeyName)
        ));
    }
    for _ in 0..MOST_API_KEYS {
        place.auth.add_api_key("anna", None, by_admin()).await.unwrap();
    }
    let one_more = place.auth.add_api_key("anna", None, by_admin()).await;
    assert!(matches!(one_more, Err(UserError::Refused(AccountRefused::TooManyApiKeys))));
    assert!(matches!(place.auth.add_api_key("nobody", None, by_admin()).await, Err(UserError::NoUser(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_slow_their_network_down() {
    let place = Place::new().await;
    let key = place.service("robot", Role::Viewer).await;
    let login = async |key: &str, from| place.auth.login(LoginRequest::ApiKey(secret(key)), from).await;
    for _ in 0..5 {
        assert!(matches!(login("lhk_wrong", HERE).await, Err(LoginError::Unauthorized)));
    }
    assert!(matches!(login("lhk_wrong", HERE).await, Err(LoginError::TooMany { after: Span(12_000) })));
    login(&key, HERE).await.expect("a right key cannot be guessed, so it is never slowed down");
    assert!(matches!(login("lhk_wrong", address(1)).await, Err(LoginError::Unauthorized)));
}

#[tokio::test(flavor = "multi_thread")]
async fn last_use_is_known_at_once_and_stored_when_tidying() {
    let place = Place::new().await;
    let key = place.service("robot", Role::Viewer).await;
    let known = || place.auth.user("robot").unwrap().api_keys[0].last_used_at;
    let stored = || place.store_user("robot").api_keys[0].last_used_at;
    assert_eq!((known(), stored()), (None, None));
    place.env.advance(HOUR);
    place.who(&key).unwrap();
    let at = Some(place.env.now());
    assert_eq!((known(), stored()), (at, None));
    place.auth.tidy().await;
    assert_eq!(stored(), at);
    place.auth.add_api_key("robot", None, by_admin()).await.unwrap();
    assert_eq!(known(), at, "a change of the account forgets nothing");
}
