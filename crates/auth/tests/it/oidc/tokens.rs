//! Tokens of a foreign issuer: those that are accepted, and their principals.

use longhaul_auth::{Denied, Kind, OidcConfig, Reason, Role};
use longhaul_crypto::base64url;
use longhaul_crypto::digest::HmacKey;
use serde_json::{Value, json};

use super::issuer::*;
use crate::it::support::*;

fn with(of: &Value, member: &str, value: Value) -> Value {
    let mut of = of.clone();
    of[member] = value;
    of
}

fn without(of: &Value, member: &str) -> Value {
    let mut of = of.clone();
    of.as_object_mut().unwrap().remove(member);
    of
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_sign() {
    let keys = ["RS256", "PS256", "ES256", "EdDSA"].map(Key::new);
    let published: Vec<(&str, &Key)> = keys.iter().map(|key| (key.algorithm(), key)).collect();
    let issuer = Issuer::new(&published).await;
    let place = place(issuer.config()).await;
    for key in &keys {
        let token = key.sign(&header(key, key.algorithm()), &issuer.claims());
        let who = place
            .auth
            .authenticate_fetching(&token)
            .await
            .unwrap_or_else(|e| panic!("{}: {e}", key.algorithm()));
        assert_eq!((&*who.name, who.role, who.kind), ("anna@corp", Role::Operator, Kind::External));
        // Under the name of another algorithm, or with a signature by another key.
        for other in &keys {
            if other.algorithm() != key.algorithm() {
                let claimed = json!({ "alg": other.algorithm(), "kid": key.algorithm() });
                let token = key.sign(&claimed, &issuer.claims());
                assert_eq!(place.who(&token), Err(Reason::Algorithm.into()));
                let token = other.sign(&header(key, key.algorithm()), &issuer.claims());
                assert_eq!(place.who(&token), Err(Reason::Signature.into()));
            }
        }
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_of_the_issuer_are_refused() {
    let key = Key::new("ES256");
    let issuer = Issuer::new(&[("e1", &key)]).await;
    let place = place(issuer.config()).await;
    place.person("anna", Role::Viewer).await;
    let (head, claims) = (header(&key, "e1"), issuer.claims());
    let good = key.sign(&head, &claims);
    assert!(place.auth.authenticate_fetching(&good).await.is_ok());
    let now = START.0 / 1000;
    let signed = |claims: Value| key.sign(&head, &claims);
    let headed = |header: Value| key.sign(&header, &claims);
    let public = key.published("e1");
    let secret: [u8; 32] = base64url::decode(public["x"].as_str().unwrap()).unwrap().try_into().unwrap();
    let confused = {
        let message = format!("{}.{}", part(&with(&head, "alg", "HS256".into())), part(&claims));
        format!("{message}.{}", base64url::encode(&HmacKey::new(&secret).sign(message.as_bytes())))
    };
    let (message, _) = good.rsplit_once('.').unwrap();
    let refused = |reason| Denied::Refused(reason);
    for (name, token, expected) in [
        ("the public key as secret", confused, refused(Reason::Signature)),
        ("no algorithm", headed(with(&head, "alg", "none".into())), refused(Reason::Algorithm)),
        (
            "another algorithm of the kind",
            headed(with(&head, "alg", "ES384".into())),
            refused(Reason::Algorithm),
        ),
        ("no signature", format!("{message}."), refused(Reason::Signature)),
        ("another key", Key::new("ES256").sign(&head, &claims), refused(Reason::Signature)),
        ("a key of its own", headed(with(&head, "jwk", public)), refused(Reason::Header)),
        (
            "an address of keys",
            headed(with(&head, "jku", "https://evil.example".into())),
            refused(Reason::Header),
        ),
        ("crit", headed(with(&head, "crit", json!(["exp"]))), refused(Reason::Header)),
        ("an unknown key", headed(with(&head, "kid", "e2".into())), refused(Reason::Signature)),
        ("a notice of logout", headed(with(&head, "typ", "logout+jwt".into())), refused(Reason::Type)),
        ("an older notice of logout", signed(with(&claims, "events", json!({}))), refused(Reason::Type)),
        ("an ID token", signed(with(&claims, "typ", "ID".into())), refused(Reason::Type)),
        ("a refresh token", signed(with(&claims, "typ", "Refresh".into())), refused(Reason::Type)),
        (
            "another issuer",
            signed(with(&claims, "iss", format!("{}/", issuer.url).into())),
            refused(Reason::Issuer),
        ),
        ("no issuer", signed(without(&claims, "iss")), refused(Reason::Issuer)),
        ("another audience", signed(with(&claims, "aud", "mail".into())), refused(Reason::Audience)),
        (
            "other audiences",
            signed(with(&claims, "aud", json!(["mail", "longhaul2", 7]))),
            refused(Reason::Audience),
        ),
        ("no audience", signed(without(&claims, "aud")), refused(Reason::Audience)),
        ("over", signed(with(&claims, "exp", (now - 60).into())), Denied::Expired),
        ("never over", signed(without(&claims, "exp")), refused(Reason::Claims)),
        ("over in words", signed(with(&claims, "exp", "tomorrow".into())), refused(Reason::Claims)),
        ("not given", signed(without(&claims, "iat")), refused(Reason::Claims)),
        ("given later", signed(with(&claims, "iat", (now + 61).into())), refused(Reason::NotYet)),
        ("begins later", signed(with(&claims, "nbf", (now + 61).into())), refused(Reason::NotYet)),
        ("no subject", signed(without(&claims, "sub")), refused(Reason::Claims)),
        (
            "a name of two lines",
            signed(with(&claims, "preferred_username", "a\nb".into())),
            refused(Reason::Claims),
        ),
        (
            "the administrator's name",
            signed(with(&claims, "preferred_username", "Admin".into())),
            refused(Reason::NameTaken),
        ),
        (
            "a name that looks like the administrator's",
            signed(with(&claims, "preferred_username", "adrnin".into())),
            refused(Reason::NameTaken),
        ),
        (
            "the administrator's name in letters of two scripts",
            signed(with(&claims, "preferred_username", "\u{430}dmin".into())),
            refused(Reason::Claims),
        ),
        (
            "the administrator's name and what cannot be seen",
            signed(with(&claims, "preferred_username", "admin\u{200b}".into())),
            refused(Reason::Claims),
        ),
        (
            "the server's own name",
            signed(with(&claims, "preferred_username", "Server".into())),
            refused(Reason::NameTaken),
        ),
        ("no roles", signed(without(&claims, "roles")), Denied::NoRole),
        ("other roles", signed(with(&claims, "roles", json!(["staff", 7]))), Denied::NoRole),
        (
            "roles that are an object",
            signed(with(&claims, "roles", json!({ "ADMIN": true }))),
            Denied::NoRole,
        ),
    ] {
        assert_eq!(place.auth.authenticate_fetching(&token).await, Err(expected), "{name}");
    }
    for (name, token) in [
        ("several audiences", signed(with(&claims, "aud", json!(["mail", "longhaul"])))),
        ("an end with a fraction", signed(with(&claims, "exp", json!(now as f64 + 10.5)))),
        ("an access token by its type", headed(with(&head, "typ", "at+jwt".into()))),
        ("no type", headed(without(&head, "typ"))),
        ("a bearer token", signed(with(&claims, "typ", "Bearer".into()))),
        ("no name of the only key", headed(without(&head, "kid"))),
    ] {
        assert!(place.auth.authenticate_fetching(&token).await.is_ok(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_roles_come_from_the_claims() {
    let key = Key::new("EdDSA");
    let issuer = Issuer::new(&[("k", &key)]).await;
    let who = async |config: OidcConfig, claims: Value| {
        let token = key.sign(&header(&key, "k"), &claims);
        place(config).await.auth.authenticate_fetching(&token).await
    };
    let (config, claims) = (issuer.config(), issuer.claims());
    let unnamed = who(config.clone(), without(&claims, "preferred_username")).await.unwrap();
    assert_eq!(&*unnamed.name, "248289761001");
    for (roles, expected) in [
        (json!(["viewer", "ADMIN", "OPERATOR"]), Role::Admin),
        (json!(["WORKER", "VIEWER"]), Role::Viewer),
        (json!("worker"), Role::Worker),
        (json!("openid operator"), Role::Operator),
    ] {
        assert_eq!(who(config.clone(), with(&claims, "roles", roles)).await.unwrap().role, expected);
    }
    let mapped = OidcConfig {
        roles_claim: "realm_access.roles".to_owned(),
        roles: [("lab-admins".to_owned(), Role::Admin), ("lab".to_owned(), Role::Viewer)].into(),
        ..config.clone()
    };
    let nested = |roles: Value| with(&claims, "realm_access", json!({ "roles": roles }));
    assert_eq!(who(mapped.clone(), nested(json!(["lab"]))).await.unwrap().role, Role::Viewer);
    assert_eq!(who(mapped.clone(), nested(json!(["lab", "lab-admins"]))).await.unwrap().role, Role::Admin);
    // With a mapping nothing else counts: not our own names, nor the claim of another place.
    assert_eq!(who(mapped, nested(json!(["ADMIN"]))).await, Err(Denied::NoRole));
    let dotted = OidcConfig { roles_claim: "https://lab.example/roles".to_owned(), ..config };
    let claims = with(&claims, "https://lab.example/roles", json!(["ADMIN"]));
    assert_eq!(who(dotted, claims).await.unwrap().role, Role::Admin);
}
