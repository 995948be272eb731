//! The issuer: it publishes its keys at an address, counts who asks, and signs whatever the tests want.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::get;
use longhaul_auth::{AuthConfig, OidcConfig};
use longhaul_crypto::base64url::encode;
use serde_json::{Value, json};

use crate::it::support::*;

/// A key of the issuer.
pub(crate) enum Key {
    Rsa(Box<RsaKeyPair>, &'static str),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Key {
    /// `RS256`, `PS256`, `ES256` or `EdDSA`.
    pub(crate) fn new(algorithm: &'static str) -> Key {
        match algorithm {
            "ES256" => Key::Ec(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            "EdDSA" => Key::Ed(Ed25519KeyPair::generate().unwrap()),
            rsa => Key::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()), rsa),
        }
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Key::Rsa(_, algorithm) => algorithm,
            Key::Ec(_) => "ES256",
            Key::Ed(_) => "EdDSA",
        }
    }

    /// Returns the key as it is published.
    pub(crate) fn published(&self, id: &str) -> Value {
        match self {
            Key::Rsa(pair, algorithm) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                json!({ "kid": id, "use": "sig", "kty": "RSA", "alg": algorithm, "n": encode(n), "e": encode(e) })
            }
            Key::Ec(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (encode(&point[1..33]), encode(&point[33..]));
                json!({ "kid": id, "kty": "EC", "crv": "P-256", "x": x, "y": y })
            }
            Key::Ed(pair) => {
                json!({ "kid": id, "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) })
            }
        }
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", part(header), part(claims));
        let random = SystemRandom::new();
        let signed = match self {
            Key::Rsa(pair, algorithm) => {
                let mut signed = vec![0; pair.public_modulus_len()];
                let how: &dyn signature::RsaEncoding = if *algorithm == "PS256" {
                    &signature::RSA_PSS_SHA256
                } else {
                    &signature::RSA_PKCS1_SHA256
                };
                pair.sign(how, &random, message.as_bytes(), &mut signed).unwrap();
                signed
            }
            Key::Ec(pair) => pair.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Key::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encode(&signed))
    }
}

/// Answer of the issuer.
#[derive(Clone)]
struct Served {
    url: String,
    keys: Arc<parking_lot::Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

pub(crate) struct Issuer {
    pub(crate) url: String,
    served: Served,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Issuer {
    /// Publishes these keys.
    pub(crate) async fn new(keys: &[(&str, &Key)]) -> Issuer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = Served { url: url.clone(), keys: Arc::default(), asked: Arc::default() };
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(served): State<Served>| {
                    json!({ "issuer": served.url, "jwks_uri": format!("{}/keys", served.url) }).to_string()
                }),
            )
            .route(
                "/keys",
                get(async |State(served): State<Served>| {
                    served.asked.fetch_add(1, Ordering::SeqCst);
                    // Long enough for everybody to come at once.
                    tokio::time::sleep(std::time::Duration::from_millis(30)).await;
                    served.keys.lock().to_string()
                }),
            )
            .route("/moved", get(async || Redirect::temporary("/keys")))
            .route("/huge", get(async || " ".repeat(2 * 1024 * 1024)))
            .with_state(served.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let issuer = Issuer { url, served, server };
        issuer.publish(keys);
        issuer
    }

    pub(crate) fn publish(&self, keys: &[(&str, &Key)]) {
        let keys: Vec<Value> = keys.iter().map(|(id, key)| key.published(id)).collect();
        self.publish_raw(json!({ "keys": keys }));
    }

    pub(crate) fn publish_raw(&self, set: Value) {
        *self.served.keys.lock() = set;
    }

    /// Returns the number of requests for the keys.
    pub(crate) fn asked(&self) -> usize {
        self.served.asked.load(Ordering::SeqCst)
    }

    pub(crate) fn config(&self) -> OidcConfig {
        OidcConfig::new(&self.url, "longhaul")
    }

    /// Claims of a good access token.
    pub(crate) fn claims(&self) -> Value {
        let now = START.0 / 1000;
        json!({ "iss": self.url, "aud": "longhaul", "sub": "248289761001", "preferred_username": "anna@corp",
            "iat": now, "exp": now + 300, "roles": ["OPERATOR"] })
    }
}

/// An installation that accepts an issuer.
pub(crate) async fn place(oidc: OidcConfig) -> Place {
    let fetch = longhaul_auth::HttpFetch::new(None).unwrap();
    Place::with(AuthConfig { oidc: Some(oidc), ..config() }, Some(Arc::new(fetch))).await
}

/// The header of a token by that key.
pub(crate) fn header(key: &Key, id: &str) -> Value {
    json!({ "alg": key.algorithm(), "typ": "JWT", "kid": id })
}
