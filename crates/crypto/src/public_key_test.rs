//! Published keys verify what they should, and symmetric or foreign ones are not taken.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use serde_json::json;

use super::*;
use crate::base64url::encode;

fn rsa() -> (RsaKeyPair, Value) {
    let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
    let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
    let jwk = json!({ "kty": "RSA", "kid": "r1", "use": "sig",
        "n": encode(n.big_endian_without_leading_zero()), "e": encode(e.big_endian_without_leading_zero()) });
    (pair, jwk)
}

fn with(jwk: &Value, member: &str, value: &str) -> Value {
    let mut jwk = jwk.clone();
    jwk[member] = value.into();
    jwk
}

#[test]
fn rsa_keys_verify_by_their_own_algorithm() {
    let (pair, jwk) = rsa();
    let sign = |how| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(how, &SystemRandom::new(), b"message", &mut signature).expect("signed");
        encode(&signature)
    };
    let (pkcs, pss) = (sign(&signature::RSA_PKCS1_SHA256), sign(&signature::RSA_PSS_SHA256));
    let rs = PublicKey::from_jwk(&jwk).expect("a key");
    let ps = PublicKey::from_jwk(&with(&jwk, "alg", "PS256")).expect("a key");
    assert_eq!((rs.algorithm(), ps.algorithm(), rs.id()), ("RS256", "PS256", Some("r1")));
    assert!(rs.verify(b"message", &pkcs) && ps.verify(b"message", &pss));
    assert!(!rs.verify(b"message", &pss) && !ps.verify(b"message", &pkcs));
    assert!(!rs.verify(b"massage", &pkcs) && !rs.verify(b"message", "") && !rs.verify(b"message", "%"));
}

#[test]
fn elliptic_keys_verify() {
    let pair = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let point = pair.public_key().as_ref();
    let jwk = json!({ "kty": "EC", "crv": "P-256", "x": encode(&point[1..33]), "y": encode(&point[33..]) });
    let key = PublicKey::from_jwk(&jwk).expect("a key");
    let signature = encode(pair.sign(&SystemRandom::new(), b"message").expect("signed").as_ref());
    assert_eq!((key.algorithm(), key.id()), ("ES256", None));
    assert!(key.verify(b"message", &signature) && !key.verify(b"massage", &signature));

    let pair = Ed25519KeyPair::generate().expect("a key");
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) });
    let key = PublicKey::from_jwk(&jwk).expect("a key");
    let signature = encode(pair.sign(b"message").as_ref());
    assert_eq!(key.algorithm(), "EdDSA");
    assert!(key.verify(b"message", &signature) && !key.verify(b"massage", &signature));
}

#[test]
fn other_keys_are_refused() {
    let (_, rsa) = rsa();
    for (name, jwk) in [
        ("a symmetric key", json!({ "kty": "oct", "k": encode(&[7; 32]), "alg": "HS256" })),
        ("an RSA key that says HS256", with(&rsa, "alg", "HS256")),
        ("an RSA key that says none", with(&rsa, "alg", "none")),
        ("an RSA key that says RS512", with(&rsa, "alg", "RS512")),
        ("an RSA key that says ES256", with(&rsa, "alg", "ES256")),
        ("a key for encryption", with(&rsa, "use", "enc")),
        (
            "another curve",
            json!({ "kty": "EC", "crv": "P-384", "x": encode(&[1; 48]), "y": encode(&[1; 48]) }),
        ),
        ("an unknown type", json!({ "kty": "AKP", "pub": "AAAA" })),
        ("no object", json!("key")),
    ] {
        assert!(PublicKey::from_jwk(&jwk).is_err(), "{name}");
    }
}
