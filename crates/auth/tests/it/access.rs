//! Access tokens: what clients read in them, and what they stand for.

use longhaul_auth::{Kind, Reason, Role, UserPatch};
use serde_json::json;

use super::support::*;

#[tokio::test(flavor = "multi_thread")]
async fn token_has_the_claims_that_clients_read() {
    let place = Place::new().await;
    place.person("anna@lab.local", Role::Operator).await;
    let pair = place.login("anna@lab.local").await;
    let token = pair.access_token;
    let (header, mut claims) = open(&token);
    assert_eq!(
        header,
        json!({ "alg": "HS256", "typ": "JWT", "kid": place.ring.signer(place.env.now().0).id() })
    );
    let members = claims.as_object_mut().unwrap();
    let jti = members.remove("jti").unwrap();
    assert!(uuid::Uuid::parse_str(jti.as_str().unwrap()).is_ok());
    assert_eq!(members.remove("sid"), Some(pair.principal.session.unwrap().to_string().into()));
    let epoch = members.remove("ep").unwrap();
    assert_eq!(epoch, json!(place.store_user("anna@lab.local").epoch));
    let iat = START.0 / 1000;
    assert_eq!(
        claims,
        json!({ "iat": iat, "sub": "anna@lab.local", "iss": "vcf-auth", "aud": "sddc-services", "nbf": iat,
            "exp": iat + 3600, "user": "anna@lab.local", "name": "anna@lab.local",
            "scope": ["OTHER_READ", "OTHER_WRITE", "BACKUP_CONFIG_READ"], "role": "OPERATOR", "kind": "USER",
            "typ": "access" })
    );
    assert!(token.len() < 1024, "{} bytes with every request", token.len());
    assert_ne!(jti, open(&place.login("anna@lab.local").await.access_token).1["jti"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_stands_for_the_account_as_it_is_now() {
    let place = Place::new().await;
    place.person("Anna", Role::Admin).await;
    let token = place.try_login("anna", &password("Anna"), HERE).await.unwrap().access_token;
    let who = place.who(&token).unwrap();
    assert_eq!((&*who.name, who.role, who.kind), ("Anna", Role::Admin, Kind::User));
    let patch = UserPatch { role: Some(Role::Viewer), ..UserPatch::default() };
    place.auth.change_user("ANNA", patch, by_admin()).await.unwrap();
    assert_eq!(place.who(&token).unwrap().role, Role::Viewer, "though the token says ADMIN");
    let patch = UserPatch { disabled: Some(true), ..UserPatch::default() };
    place.auth.change_user("anna", patch, by_admin()).await.unwrap();
    assert_eq!(place.who(&token), Err(Reason::Disabled.into()));
    let patch = UserPatch { disabled: Some(false), ..UserPatch::default() };
    place.auth.change_user("anna", patch, by_admin()).await.unwrap();
    assert_eq!(place.who(&token), Err(Reason::Epoch.into()), "what was given before stays void");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_lives_an_hour_and_a_minute_of_leeway() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let token = place.login("anna").await.access_token;
    place.env.advance(longhaul_model::Span(3_660_000 - 1));
    assert!(place.who(&token).is_ok());
    place.env.advance(longhaul_model::Span(1));
    let denied = place.who(&token).unwrap_err();
    assert_eq!(denied, longhaul_auth::Denied::Expired);
    assert!(denied.to_string().contains("JWT expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_changed_by_another_process_are_seen_within_five_seconds() {
    let place = Place::new().await;
    place.person("anna", Role::Admin).await;
    let token = place.login("anna").await.access_token;
    let demote = longhaul_store::UserChange::Settings {
        bounds: None,
        role: Some("VIEWER".to_owned()),
        disabled: None,
        password_hash: None,
    };
    place.accounts.change_user("anna", demote, None).await.unwrap();
    assert_eq!(place.who(&token).unwrap().role, Role::Admin);
    place.env.advance(longhaul_model::Span(5000));
    assert_eq!(place.who(&token).unwrap().role, Role::Viewer);
}

#[tokio::test(flavor = "multi_thread")]
async fn account_of_an_unknown_role_is_left_out_alone() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let token = place.login("anna").await.access_token;
    let future =
        longhaul_store::User { role: "AUDITOR".to_owned(), name: "x".to_owned(), ..place.store_user("anna") };
    place.accounts.create_user(future, None).await.unwrap();
    place.env.advance(longhaul_model::Span(5000));
    assert!(place.who(&token).is_ok());
    assert_eq!(place.auth.users().unwrap().len(), 2, "the administrator and anna");
}
