//! Tokens that nobody was given, or that count no more: each refused, and for its own reason, so that none of
//! the checks can go missing behind another.

use longhaul_auth::{Denied, Reason, Role, UserPatch};
use longhaul_crypto::{base64url, digest::HmacKey, random};
use longhaul_model::Span;
use serde_json::{Value, json};

use super::support::*;

/// A good token's parts, to be spoilt one by one.
struct Good<'a> {
    place: &'a Place,
    header: Value,
    claims: Value,
}

type Row = (&'static str, String, Denied);

impl Good<'_> {
    fn token(&self) -> String {
        self.place.sign(&self.header, &self.claims)
    }

    fn header(&self, member: &str, value: Value) -> String {
        let mut header = self.header.clone();
        header[member] = value;
        self.place.sign(&header, &self.claims)
    }

    fn without_header(&self, member: &str) -> String {
        let mut header = self.header.clone();
        header.as_object_mut().unwrap().remove(member);
        self.place.sign(&header, &self.claims)
    }

    fn claim(&self, member: &str, value: Value) -> String {
        let mut claims = self.claims.clone();
        claims[member] = value;
        self.place.sign(&self.header, &claims)
    }

    fn without(&self, member: &str) -> String {
        let mut claims = self.claims.clone();
        claims.as_object_mut().unwrap().remove(member);
        self.place.sign(&self.header, &claims)
    }

    /// Signed by the right key, whatever the parts are.
    fn raw(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", base64url::encode(header), base64url::encode(claims));
        let signature = self.place.ring.signer(self.place.env.now().0).sign(message.as_bytes());
        format!("{message}.{}", base64url::encode(&signature))
    }

    fn of(&self, name: &str, epoch: i64) -> String {
        let mut claims = self.claims.clone();
        claims["sub"] = name.into();
        claims["ep"] = epoch.into();
        self.place.sign(&self.header, &claims)
    }
}

/// The key and the header.
fn keys(good: &Good) -> Vec<Row> {
    let token = good.token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let whole = base64url::decode(signature).unwrap();
    let with = |signature: &[u8]| format!("{message}.{}", base64url::encode(signature));
    let flipped = with(&[&whole[..31], &[whole[31] ^ 1]].concat());
    let other = good.claim("name", "somebody".into());
    let others_signature = other.rsplit_once('.').unwrap().1;
    let foreign = |key: &HmacKey, claims: &Value| {
        let message = format!("{}.{}", part(&good.header), part(claims));
        format!("{message}.{}", base64url::encode(&key.sign(message.as_bytes())))
    };
    let mut kid_as_key = [0; 32];
    let kid = good.header["kid"].as_str().unwrap().as_bytes();
    kid_as_key[..kid.len()].copy_from_slice(kid);
    let mut admin = good.claims.clone();
    admin["role"] = "ADMIN".into();
    let signature_reason = Denied::Refused(Reason::Signature);
    let header = Denied::Refused(Reason::Header);
    let algorithm = Denied::Refused(Reason::Algorithm);
    let spaced = String::from_utf8(serde_json::to_vec_pretty(&good.header).unwrap()).unwrap();
    let alg_twice = spaced.replacen('{', r#"{"alg":"none","#, 1);
    vec![
        ("no algorithm", good.header("alg", "none".into()), algorithm),
        (
            "no algorithm, no signature",
            good.header("alg", "none".into()).rsplit_once('.').unwrap().0.to_owned() + ".",
            algorithm,
        ),
        ("no algorithm in other letters", good.header("alg", "nOnE".into()), algorithm),
        ("RS256 with an HMAC", good.header("alg", "RS256".into()), algorithm),
        ("ES256 with an HMAC", good.header("alg", "ES256".into()), algorithm),
        ("another HMAC", good.header("alg", "HS512".into()), algorithm),
        ("the algorithm in small letters", good.header("alg", "hs256".into()), algorithm),
        ("the algorithm is missing", good.without_header("alg"), header),
        ("the algorithm is a number", good.header("alg", 256.into()), header),
        (
            "the algorithm is there twice",
            good.raw(alg_twice.as_bytes(), good.claims.to_string().as_bytes()),
            header,
        ),
        ("an empty signature", format!("{message}."), signature_reason),
        ("the signature of another token", format!("{message}.{others_signature}"), signature_reason),
        ("half a signature", with(&whole[..16]), signature_reason),
        ("a longer signature", with(&[&whole[..], &[0]].concat()), signature_reason),
        ("one bit of the signature", flipped, signature_reason),
        ("a signature of zeros", with(&[0; 32]), signature_reason),
        ("another key under the same name", foreign(&HmacKey::random(), &good.claims), signature_reason),
        ("the key's name as key", foreign(&HmacKey::new(&kid_as_key), &good.claims), signature_reason),
        ("a key of zeros", foreign(&HmacKey::new(&[0; 32]), &good.claims), signature_reason),
        ("a better role with another key", foreign(&HmacKey::random(), &admin), signature_reason),
        (
            "a better role with the old signature",
            format!("{}.{}.{signature}", part(&good.header), part(&admin)),
            signature_reason,
        ),
        ("crit", good.header("crit", json!(["exp"])), header),
        ("crit that says nothing", good.header("crit", Value::Null), header),
        (
            "a key of its own",
            good.header("jwk", json!({ "kty": "oct", "k": base64url::encode(&[7; 32]) })),
            header,
        ),
        ("an address of keys", good.header("jku", "https://evil.example/keys".into()), header),
        ("an address of certificates", good.header("x5u", "https://evil.example/cert".into()), header),
        ("a payload that is not encoded", good.header("b64", false.into()), header),
        ("compression", good.header("zip", "DEF".into()), header),
        ("encryption", good.header("enc", "A256GCM".into()), header),
        ("a key in a file", good.header("kid", "../../../dev/null".into()), signature_reason),
        ("a key in a table", good.header("kid", "x' UNION SELECT 'AAAA".into()), signature_reason),
        ("an unknown key", good.header("kid", format!("k{}", random::token::<9>()).into()), signature_reason),
        ("an empty name of a key", good.header("kid", "".into()), signature_reason),
        ("no name of a key", good.without_header("kid"), header),
        ("a list of keys", good.header("kid", json!([good.header["kid"]])), header),
        ("another type", good.header("typ", "at+jwt".into()), Reason::Type.into()),
        ("no type", good.without_header("typ"), Reason::Type.into()),
        ("a header that is a list", good.raw(br#"["HS256","JWT"]"#, b"{}"), Reason::Form.into()),
        ("a header that is no JSON", good.raw(b"{alg:HS256}", b"{}"), header),
    ]
}

/// The claims, with a signature that is right: what we might have signed for another purpose, or in another
/// time.
fn claims(good: &Good) -> Vec<Row> {
    let now = START.0 / 1000;
    let wrong = Denied::Refused(Reason::Claims);
    let not_yet = Denied::Refused(Reason::NotYet);
    let header = good.header.to_string();
    let text = good.claims.to_string();
    let raw = |claims: &str| good.raw(header.as_bytes(), claims.as_bytes());
    let twice = |extra: &str| raw(&text.replacen('{', &format!("{{{extra},"), 1));
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(1000), "]".repeat(1000));
    vec![
        ("over", good.claim("exp", (now - 60).into()), Denied::Expired),
        ("over long ago", good.claim("exp", i64::MIN.into()), Denied::Expired),
        ("begins later", good.claim("nbf", (now + 61).into()), not_yet),
        ("given later", good.claim("iat", (now + 61).into()), not_yet),
        ("begins at the end of time", good.claim("nbf", i64::MAX.into()), not_yet),
        ("not given", good.without("iat"), wrong),
        ("never over", good.without("exp"), wrong),
        ("never begun", good.without("nbf"), wrong),
        ("the end is null", good.claim("exp", Value::Null), wrong),
        ("the end is a text", good.claim("exp", (now + 600).to_string().into()), wrong),
        ("the end has a fraction", good.claim("exp", json!(now as f64 + 600.5)), wrong),
        ("the end is beyond all numbers", raw(&text.replacen("\"exp\":", "\"exp\":1e400,\"e\":", 1)), wrong),
        ("the end is there twice", twice(r#""exp":99999999999"#), wrong),
        ("the subject is there twice", twice(r#""sub":"admin""#), wrong),
        ("another issuer", good.claim("iss", "vcf-auth2".into()), Reason::Issuer.into()),
        ("no issuer", good.without("iss"), wrong),
        ("another audience", good.claim("aud", "workers".into()), Reason::Audience.into()),
        ("no audience", good.without("aud"), wrong),
        ("several audiences", good.claim("aud", json!(["sddc-services", "workers"])), wrong),
        ("a token for refreshing", good.claim("typ", "refresh".into()), Reason::Type.into()),
        ("a token for nothing", good.without("typ"), wrong),
        ("no subject", good.without("sub"), wrong),
        ("the subject is a list", good.claim("sub", json!(["anna"])), wrong),
        ("no epoch", good.without("ep"), wrong),
        ("the epoch is a text", good.claim("ep", "1".into()), wrong),
        ("no session", good.without("sid"), Denied::Expired),
        ("the session is a number", good.claim("sid", 7.into()), wrong),
        ("the session is a word", good.claim("sid", "x".into()), wrong),
        ("a session that never was", good.claim("sid", "0".repeat(32).into()), Reason::Session.into()),
        ("the session of somebody else", good.claim("sid", good.place.other_session().into()), wrong),
        ("external, with an epoch", good.claim("kind", "EXTERNAL".into()), wrong),
        ("claims that are a list", raw("[]"), Reason::Form.into()),
        ("claims that are a text", raw("\"admin\""), Reason::Form.into()),
        ("claims that are deep", raw(&deep), wrong),
        ("claims that are not UTF-8", good.raw(header.as_bytes(), b"{\"sub\":\"\xff\"}"), wrong),
        ("no claims", raw("{}"), wrong),
    ]
}

/// Returns texts that are no tokens at all.
fn forms(good: &Good) -> Vec<Row> {
    let token = good.token();
    let parts: Vec<&str> = token.split('.').collect();
    let form = Denied::Refused(Reason::Form);
    let last = parts[2].chars().last().unwrap();
    // 32 bytes leave four bits over in the last character: another one there would be the same bytes.
    let twin = char::from(if last == 'A' { b'B' } else { last as u8 + 1 });
    let twin = format!("{}{twin}", &token[..token.len() - 1]);
    let long = good.claim("padding", "x".repeat(9 * 1024).into());
    let barely = format!("{token}{}", "x".repeat(8193 - token.len()));
    vec![
        ("nine KiB", long, Reason::TooLong.into()),
        ("one byte too long", barely, Reason::TooLong.into()),
        ("nothing", String::new(), form),
        ("a word", "admin".to_owned(), form),
        ("no dots", parts.concat(), form),
        ("one dot", parts[..2].join("."), form),
        ("three dots", format!("{token}.{}", parts[2]), form),
        ("five parts", ["e30", "", "", "", ""].join("."), form),
        ("only dots", "..".to_owned(), form),
        ("padding", format!("{token}="), form),
        ("another spelling of the same signature", twin, form),
        ("a space before", format!(" {token}"), form),
        ("a space behind", format!("{token} "), form),
        ("a line break behind", format!("{token}\n"), form),
        ("a tab inside", token.replacen('.', ".\t", 1), form),
        ("a zero byte", format!("{token}\0"), form),
        ("the other alphabet", format!("{}.{}.+/+/", parts[0], parts[1]), form),
        ("letters that look alike", token.replacen('e', "е", 1), form),
        ("the wide form of a dot", token.replacen('.', "．", 1), form),
        (
            "JSON serialisation",
            json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string(),
            form,
        ),
        ("twice with a comma", format!("{token},{token}"), form),
        ("with its scheme", format!("Bearer {token}"), form),
        ("a refresh token", random::uuid().to_string(), form),
        ("a name and a password", "YWRtaW46dGhlIGZpcnN0IHBhc3N3b3Jk".to_owned(), form),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_tokens_are_refused_each_for_its_own_reason() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    place.try_login("admin", ADMIN, HERE).await.unwrap();
    let (header, claims_) = open(&place.login("anna").await.access_token);
    let good = Good { place: &place, header, claims: claims_ };
    assert_eq!(place.who(&good.token()).unwrap().role, Role::Viewer, "what is spoilt below is good");
    let mut rows = keys(&good);
    rows.extend(claims(&good));
    rows.extend(forms(&good));
    assert!(rows.len() > 80, "{} rows", rows.len());
    for (name, token, expected) in rows {
        assert_eq!(place.who(&token), Err(expected), "{name}: {token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_accounts_that_are_gone_or_changed_are_refused() {
    let place = Place::new().await;
    for name in ["anna", "off", "gone", "again"] {
        place.person(name, Role::Operator).await;
    }
    let (header, claims) = open(&place.login("anna").await.access_token);
    let good = Good { place: &place, header, claims };
    let gone = place.login("gone").await.access_token;
    let again = place.login("again").await.access_token;
    let disable = UserPatch { disabled: Some(true), ..UserPatch::default() };
    place.auth.change_user("off", disable, by_admin()).await.unwrap();
    place.auth.delete_user("gone", by_admin()).await.unwrap();
    place.auth.delete_user("again", by_admin()).await.unwrap();
    place.person("again", Role::Admin).await;
    let old = good.token();
    let new = UserPatch { password: Some(secret("another password")), ..UserPatch::default() };
    place.auth.change_user("anna", new, by_admin()).await.unwrap();
    let epoch = place.store_user("anna").epoch;
    let now = place.try_login("anna", "another password", HERE).await.unwrap().access_token;
    let good = Good { claims: open(&now).1, ..good };
    assert!(place.who(&good.of("anna", epoch)).is_ok(), "only the epoch is at fault below");
    for (name, token, expected) in [
        ("an account that never was", good.of("nobody", epoch), Reason::NoAccount),
        ("a name that cannot be", good.of("", epoch), Reason::NoAccount),
        ("a name with a quote", good.of("anna' OR '1'='1", epoch), Reason::NoAccount),
        ("a deleted account", gone.to_string(), Reason::NoAccount),
        ("a deleted account whose name somebody else has", again.to_string(), Reason::Epoch),
        ("a disabled account", good.of("off", place.store_user("off").epoch), Reason::Disabled),
        ("before the password changed", old, Reason::Epoch),
        ("an epoch to come", good.of("anna", epoch + 1), Reason::Epoch),
        ("the epoch of another account", good.of("anna", place.store_user("admin").epoch), Reason::Epoch),
    ] {
        assert_eq!(place.who(&token), Err(expected.into()), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_elsewhere_are_refused() {
    let (place, other) = (Place::new().await, Place::new().await);
    let theirs = other.try_login("admin", ADMIN, HERE).await.unwrap();
    assert_eq!(place.who(&theirs.access_token), Err(Reason::Signature.into()));
    let (header, mut claims) = open(&theirs.access_token);
    claims["kind"] = "EXTERNAL".into();
    claims.as_object_mut().unwrap().remove("ep");
    let mut header = header;
    header["kid"] = place.ring.signer(place.env.now().0).id().into();
    let external = place.sign(&header, &claims);
    assert_eq!(place.who(&external), Err(Reason::Issuer.into()), "there is no other issuer here");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_a_key_that_is_over_is_refused() {
    let place = Place::new().await;
    let (header, mut claims) = open(&place.try_login("admin", ADMIN, HERE).await.unwrap().access_token);
    claims["exp"] = (START.0 / 1000 + 1_000_000).into();
    let long = place.sign(&header, &claims);
    place.auth.rotate_signing_keys(by_admin()).await.unwrap();
    place.env.advance(Span(2 * HOUR.0 - 1));
    assert!(place.who(&long).is_ok());
    place.env.advance(Span(1));
    assert_eq!(place.who(&long), Err(Reason::Signature.into()), "whatever its own end says");
}
