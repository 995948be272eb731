//! The first start, and the ones after it.

use std::sync::Mutex;

use longhaul_auth::{Auth, AuthConfig, Kind, OidcConfig, Role, StartError};
use longhaul_model::Env;
use longhaul_store::Store;
use longhaul_store::sqlite::Sqlite;

use super::support::*;

type Told = Mutex<Vec<(String, String)>>;

async fn start(directory: &tempfile::TempDir, config: AuthConfig, told: &Told) -> Result<String, StartError> {
    let env = Env::manual(START);
    let store = Sqlite::open(directory.path(), env.clone()).unwrap();
    let ring = ring(directory.path().join("keys.json"), &config);
    let announce =
        |name: &str, password: &str| told.lock().unwrap().push((name.to_owned(), password.to_owned()));
    let started = Auth::start(store.clone(), env, ring, config, announce).await;
    let users = started.map(|auth| format!("{:?}", auth.users()));
    let users_or_error = match users {
        Ok(_) => {
            let user = longhaul_store::Accounts::user(&*store, "admin").unwrap();
            assert_eq!((user.role.as_str(), user.kind.as_str()), (Role::Admin.code(), Kind::User.code()));
            Ok(user.password_hash.unwrap())
        }
        Err(e) => Err(e),
    };
    store.close().await;
    users_or_error
}

#[tokio::test(flavor = "multi_thread")]
async fn first_start_makes_an_administrator_and_tells_its_password_once() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::default();
    let hash = start(&directory, AuthConfig::default(), &told).await.unwrap();
    let (name, password) = told.lock().unwrap().pop().unwrap();
    assert_eq!((name.as_str(), password.len()), ("admin", 24));
    assert_eq!(longhaul_crypto::password::verify(&password, &hash), Ok(true));
    let again = start(&directory, config(), &told).await.unwrap();
    assert_eq!(again, hash, "a password in the configuration counts at the first start alone");
    assert!(told.lock().unwrap().is_empty());
    let other = tempfile::tempdir().unwrap();
    start(&other, AuthConfig::default(), &told).await.unwrap();
    assert_ne!(told.lock().unwrap()[0].1, password);
}

#[tokio::test(flavor = "multi_thread")]
async fn given_password_is_taken_and_not_told() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::default();
    let hash = start(&directory, config(), &told).await.unwrap();
    assert_eq!(longhaul_crypto::password::verify(ADMIN, &hash), Ok(true));
    assert!(told.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn given_password_must_be_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let told = Told::default();
    for (weak, why) in [("short", "at least 12"), ("password1234", "first that anybody tries")] {
        let config = AuthConfig { admin_password: Some(secret(weak)), ..AuthConfig::default() };
        let refusal = start(&directory, config, &told).await.unwrap_err().to_string();
        assert!(refusal.contains("LONGHAUL_ADMIN_PASSWORD") && refusal.contains(why), "{refusal}");
    }
    start(&directory, config(), &told).await.expect("nothing was left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_issuer_without_audience_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (issuer, audience, missing) in [("https://id.example", "", "audiences"), ("", "longhaul", "issuer")] {
        let config = AuthConfig { oidc: Some(OidcConfig::new(issuer, audience)), ..config() };
        let refusal = start(&directory, config, &Told::default()).await.unwrap_err().to_string();
        assert!(refusal.contains(missing), "{refusal}");
    }
}
