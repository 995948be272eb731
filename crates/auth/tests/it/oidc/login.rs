//! An ID token is exchanged for tokens of our own, as clients that know only those need it.

use longhaul_auth::{Kind, LoginError, LoginRequest, NewUser, Reason, RefreshError, Role, TokenPair};
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
    place.env.advance(HOUR);
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
