//! An ID token is exchanged for tokens of our own, as clients that know only those need it.

use longhaul_auth::{
    AuthConfig, Kind, LoginError, LoginRequest, NewUser, OidcConfig, Reason, RefreshError, Role, TokenPair,
};
use longhaul_model::Span;
use serde_json::{Value, json};

use super::issuer::*;
use crate::it::support::*;

async fn login(place: &Place, token: &str) -> Result<TokenPair, LoginError> {
    place.auth.login(LoginRequest::IdToken(secret(token)), HERE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn id_token_opens_a_session() {
    let key = Key::new("ES256");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let place = place(issuer.config()).await;
    let mut claims = issuer.claims();
    claims["typ"] = "ID".into();
    let token = key.sign(&header(&key, "k"), &claims);
    let pair = login(&place, &token).await.unwrap();
    assert_eq!((&*pair.principal.name, pair.principal.role), ("anna@corp", Role::Operator));
    let ours = open(&pair.access_token).1;
    assert_eq!(
        (&ours["iss"], &ours["kind"], &ours["ep"]),
        (&json!("vcf-auth"), &json!("EXTERNAL"), &Value::Null)
    );
    place.env.advance(Span(HOUR.0 - 1));
    let renewed = place.auth.refresh(pair.refresh_id).unwrap();
    let who = place.who(&renewed).unwrap();
    assert_eq!((&*who.name, who.role, who.kind), ("anna@corp", Role::Operator, Kind::External));
    // An account of that name shuts the external out, in whatever state the account is.
    let new = NewUser {
        name: "anna@corp".to_owned(),
        role: Role::Viewer,
        password: None,
        service: true,
        bounds: Default::default(),
    };
    place.auth.create_user(new, by_admin()).await.unwrap();
    assert_eq!(place.who(&renewed), Err(Reason::NameTaken.into()));
    assert!(matches!(place.auth.refresh(pair.refresh_id), Err(RefreshError::NotFound)));
    assert!(matches!(login(&place, &token).await, Err(LoginError::Unauthorized)));
}

/// For each role that a session may rest on and each that the issuer may give later: the session goes on only
/// if that covers it.
#[tokio::test(flavor = "multi_thread")]
async fn session_ends_when_its_role_does_at_the_issuer() {
    let key = Key::new("ES256");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let place = place(issuer.config()).await;
    let token = |name: &str, roles: &[&str], iat: i64| {
        let mut claims = issuer.claims();
        claims["preferred_username"] = name.into();
        claims["roles"] = json!(roles);
        claims["iat"] = iat.into();
        claims["exp"] = (iat + 3600).into();
        key.sign(&header(&key, "k"), &claims)
    };
    let mut tried = 0;
    for held in Role::ALL {
        for given in Role::ALL.map(Some).into_iter().chain([None]) {
            tried += 1;
            let (name, now) = (format!("anna{tried}"), place.env.now().0 / 1000);
            let before = login(&place, &token(&name, &[held.code()], now)).await.unwrap();
            let stranger = login(&place, &token("bert", &[held.code()], now)).await.unwrap();
            // A word from before says nothing about this session.
            let _ = login(&place, &token(&name, &[], now - 300)).await;
            assert!(place.who(&before.access_token).is_ok(), "{held} {given:?}");
            place.env.advance(Span(1000));
            let roles: Vec<&str> = given.iter().map(|role| role.code()).collect();
            let after = login(&place, &token(&name, &roles, now + 1)).await;
            assert_eq!(after.is_ok(), given.is_some());
            let lasts = given.is_some_and(|given| given.covers(held));
            assert_eq!(place.who(&before.access_token).is_ok(), lasts, "{held} {given:?}");
            assert_eq!(place.auth.refresh(before.refresh_id).is_ok(), lasts, "{held} {given:?}");
            assert!(place.who(&stranger.access_token).is_ok(), "{held} {given:?}");
            // So that the failures of one round slow no other one down.
            place.env.advance(Span(1_000_000));
        }
    }
    assert_eq!(tried, 20);
}

/// Changes of the configured role mapping apply to sessions that exist already.
#[tokio::test(flavor = "multi_thread")]
async fn session_of_an_issuer_follows_the_configuration() {
    let key = Key::new("EdDSA");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let mapped = |roles: &[(&str, Role)]| OidcConfig {
        roles: roles.iter().map(|(theirs, ours)| ((*theirs).to_owned(), *ours)).collect(),
        session_life: Span(30 * 60_000),
        ..issuer.config()
    };
    let place = place(mapped(&[("lab", Role::Operator), ("guests", Role::Viewer)])).await;
    let mut claims = issuer.claims();
    claims["roles"] = json!(["lab", "guests", "staff"]);
    let pair = login(&place, &key.sign(&header(&key, "k"), &claims)).await.unwrap();
    for (name, oidc, expected) in [
        ("the same", mapped(&[("lab", Role::Operator)]), Some(Role::Operator)),
        ("less", mapped(&[("lab", Role::Viewer)]), Some(Role::Viewer)),
        ("the other role", mapped(&[("guests", Role::Viewer)]), Some(Role::Viewer)),
        ("none", mapped(&[("others", Role::Admin)]), None),
        ("a role that meant nothing then", mapped(&[("staff", Role::Admin)]), None),
        (
            "another issuer",
            OidcConfig { issuer: "https://other".to_owned(), ..mapped(&[("lab", Role::Operator)]) },
            None,
        ),
    ] {
        let fetch = longhaul_auth::HttpFetch::new(None).unwrap();
        let config = AuthConfig { oidc: Some(oidc), ..config() };
        let node = place.second(config, Some(std::sync::Arc::new(fetch))).await;
        let who = node.authenticate(&pair.access_token).ok().map(|who| who.role);
        assert_eq!(who, expected, "{name}");
        let renewed = node.refresh(pair.refresh_id).ok();
        assert_eq!(renewed.map(|token| node.authenticate(&token).unwrap().role), expected, "{name}");
    }
    place.env.advance(Span(30 * 60_000));
    assert!(place.who(&pair.access_token).is_err(), "no session lasts longer than it may");
    assert!(place.auth.refresh(pair.refresh_id).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_tokens_open_none() {
    let key = Key::new("ES256");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let place = place(issuer.config()).await;
    let signed = |typ: &str, member: &str, value: Value| {
        let mut claims = issuer.claims();
        claims[member] = value;
        key.sign(&json!({ "alg": "ES256", "typ": typ, "kid": "k" }), &claims)
    };
    let ours = place.try_login("admin", ADMIN, HERE).await.unwrap();
    for (n, (name, token)) in [
        ("an access token by its header", signed("at+jwt", "x", json!(1))),
        ("an access token by its claims", signed("JWT", "typ", "Bearer".into())),
        ("for another audience", signed("JWT", "aud", "mail".into())),
        ("of nobody with a role", signed("JWT", "roles", json!([]))),
        ("one of ours", ours.access_token.to_string()),
        ("none at all", "x".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let login = place.auth.login(LoginRequest::IdToken(secret(&token)), address(n as u32)).await;
        assert!(matches!(login, Err(LoginError::Unauthorized)), "{name}");
    }
    for _ in 0..5 {
        let _ = login(&place, "x").await;
    }
    assert!(matches!(login(&place, "x").await, Err(LoginError::TooMany { .. })));
    let without = Place::new().await;
    let good = signed("JWT", "x", json!(1));
    assert!(login(&place, &good).await.is_ok());
    assert!(matches!(login(&without, &good).await, Err(LoginError::Unauthorized)));
    assert_eq!(without.who(&good), Err(Reason::Algorithm.into()));
}
