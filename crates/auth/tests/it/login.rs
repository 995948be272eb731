//! Logging in with a password: what it costs, what it tells, and how failures are slowed down.

use std::time::Duration;

use longhaul_auth::{LoginError, Role, UserPatch};
use longhaul_model::{Span, Timestamp};
use longhaul_store::User;

use super::support::*;

fn is_unauthorized<T>(outcome: Result<T, LoginError>) -> bool {
    matches!(outcome, Err(LoginError::Unauthorized))
}

fn wait<T>(outcome: Result<T, LoginError>) -> Option<u64> {
    match outcome {
        Err(LoginError::TooMany { after }) => Some(after.0.div_ceil(1000)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_costs_one_hash_and_says_the_same() {
    let place = Place::new().await;
    for name in ["anna", "off"] {
        place.person(name, Role::Viewer).await;
    }
    place.service("robot", Role::Viewer).await;
    let disable = UserPatch { disabled: Some(true), ..UserPatch::default() };
    place.auth.change_user("off", disable, by_admin()).await.unwrap();
    for (n, (case, name, password)) in [
        ("a wrong password", "anna", "a wrong password".to_owned()),
        ("an unknown name", "nobody", "a wrong password".to_owned()),
        ("a name that cannot be", "no body\n", "a wrong password".to_owned()),
        ("an empty name", "", "a wrong password".to_owned()),
        ("a disabled account", "off", password("off")),
        ("a disabled account, wrong", "off", "a wrong password".to_owned()),
        ("a service", "robot", "a wrong password".to_owned()),
        ("an empty password", "anna", String::new()),
    ]
    .into_iter()
    .enumerate()
    {
        let before = place.hashes();
        let outcome = place.try_login(name, &password, address(n as u32)).await;
        assert_eq!(
            outcome.as_ref().err().map(ToString::to_string).as_deref(),
            Some("User is not authorized")
        );
        assert!(is_unauthorized(outcome), "{case}");
        assert_eq!(place.hashes() - before, 1, "{case}");
    }
    let before = place.hashes();
    assert!(is_unauthorized(place.try_login("anna", &"x".repeat(1025), HERE).await));
    assert_eq!(place.hashes(), before, "what cannot be a password is not hashed");
}

#[tokio::test(flavor = "multi_thread")]
async fn right_password_is_remembered_for_five_minutes_in_its_place() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let cost = async |from| {
        let before = place.hashes();
        place.try_login("Anna", &password("anna"), from).await.unwrap();
        place.hashes() - before
    };
    assert_eq!(cost(HERE).await, 1);
    assert_eq!(cost(HERE).await, 0);
    assert_eq!(cost(address(7)).await, 1, "who is elsewhere knows nothing of it");
    place.env.advance(Span(300_000 - 1));
    assert_eq!(cost(HERE).await, 0);
    place.env.advance(Span(1));
    assert_eq!(cost(HERE).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_goes_with_the_password_and_the_account() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    place.login("anna").await;
    let new = UserPatch { password: Some(secret("another password")), ..UserPatch::default() };
    place.auth.change_user("anna", new, by_admin()).await.unwrap();
    assert!(is_unauthorized(place.try_login("anna", &password("anna"), HERE).await));
    let before = place.hashes();
    place.try_login("anna", "another password", HERE).await.unwrap();
    assert_eq!(place.hashes() - before, 1);
    let disable = UserPatch { disabled: Some(true), ..UserPatch::default() };
    place.auth.change_user("anna", disable, by_admin()).await.unwrap();
    assert!(is_unauthorized(place.try_login("anna", "another password", HERE).await));
    place.auth.delete_user("anna", by_admin()).await.unwrap();
    assert!(is_unauthorized(place.try_login("anna", "another password", HERE).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_slowed_down_and_not_hashed() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    for n in 0..5 {
        assert!(is_unauthorized(place.try_login("anna", "a wrong password", address(n)).await));
    }
    let before = place.hashes();
    let refused = place.try_login("Anna", "a wrong password", address(9)).await;
    assert!(refused.as_ref().err().unwrap().to_string().contains("in 12 s"));
    assert_eq!(wait(refused), Some(12));
    assert_eq!(wait(place.try_login("anna", &password("anna"), address(9)).await), Some(12));
    assert_eq!(place.hashes(), before);
    place.env.advance(Span(12_000));
    place.try_login("anna", &password("anna"), address(9)).await.expect("never for good");
    // Names that do not exist are treated alike, so that they do not tell themselves from others.
    for n in 0..5 {
        assert!(is_unauthorized(place.try_login("nobody", "a wrong password", address(20 + n)).await));
    }
    assert_eq!(wait(place.try_login("nobody", "a wrong password", address(29)).await), Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn password_that_is_remembered_is_not_slowed_down_until_somebody_guesses() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    place.login("anna").await;
    for _ in 0..20 {
        let _ = place.try_login("anna", "a wrong password", HERE).await;
    }
    assert_eq!(wait(place.try_login("anna", "a wrong password", HERE).await), Some(12));
    place.try_login("anna", &password("anna"), HERE).await.expect("it is remembered");
    for n in 0..200 {
        let _ = place.try_login("anna", &format!("guess number {n}"), HERE).await;
    }
    assert_eq!(wait(place.try_login("anna", &password("anna"), HERE).await), Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_guesses_are_no_way_around() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let before = place.hashes();
    let guesses = (0..100).map(|n| {
        let auth = place.auth.clone();
        tokio::spawn(async move {
            let password = secret(&format!("guess number {n}"));
            let username = "anna".to_owned();
            auth.login(longhaul_auth::LoginRequest::Password { username, password }, HERE).await
        })
    });
    let mut refused = 0;
    for guess in guesses.collect::<Vec<_>>() {
        refused += usize::from(wait(guess.await.unwrap()).is_some());
    }
    assert_eq!((refused, place.hashes() - before), (95, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hundred_parallel_logins_hash_as_many_at_once_as_there_are_cores() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let anna = place.store_user("anna");
    for n in 0..100 {
        place.accounts.create_user(User { name: format!("user{n}"), ..anna.clone() }, None).await.unwrap();
    }
    // Who looks first reads the accounts anew; the others go on with what is known until it is done.
    place.env.advance(Span(5000));
    assert_eq!(place.auth.users().unwrap().len(), 102);
    let before = place.hashes();
    let logins = (0..100).map(|n| {
        let auth = place.auth.clone();
        tokio::spawn(async move {
            let request = longhaul_auth::LoginRequest::Password {
                username: format!("user{n}"),
                password: secret(&password("anna")),
            };
            auth.login(request, address(n)).await.map(|pair| pair.principal.name.to_string())
        })
    });
    for (n, login) in logins.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(login.await.unwrap().unwrap(), format!("user{n}"));
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let hashing = place.auth.hashing();
    assert_eq!(hashing.hashes - before, 100);
    assert!(hashing.most_at_once <= cores, "{} at once on {cores} cores", hashing.most_at_once);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundred_logins_with_one_password_share_few_hashes() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let before = place.hashes();
    let logins = (0..100).map(|_| {
        let auth = place.auth.clone();
        tokio::spawn(async move {
            let request = longhaul_auth::LoginRequest::Password {
                username: "anna".to_owned(),
                password: secret(&password("anna")),
            };
            auth.login(request, HERE).await
        })
    });
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap().expect("nobody is slowed down by others' success");
    }
    assert!(place.hashes() - before <= 20, "{} hashes", place.hashes() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_is_counted_all_the_same() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    for _ in 0..5 {
        let login = place.try_login("anna", "a wrong password", HERE);
        let gone = tokio::time::timeout(Duration::from_millis(1), login).await;
        assert!(gone.is_err() || is_unauthorized(gone.unwrap()));
    }
    assert!(wait(place.try_login("anna", "a wrong password", HERE).await).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_hashes_are_renewed_at_login() {
    let place = Place::new().await;
    // `password`, hashed with the parameters of another time.
    let old = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let user = User {
        bounds: None,
        name: "anna".to_owned(),
        role: "VIEWER".to_owned(),
        password_hash: Some(old.to_owned()),
        created_at: Timestamp(0),
        ..place.store_user("admin")
    };
    let before = place.accounts.create_user(user, None).await.unwrap();
    place.env.advance(Span(5000));
    let pair = place.try_login("anna", "password", HERE).await.unwrap();
    let after = place.store_user("anna");
    assert!(longhaul_crypto::password::is_current(after.password_hash.as_deref().unwrap()));
    assert_eq!(after.epoch, before.epoch, "the password is the same, so sessions go on");
    assert!(place.who(&pair.access_token).is_ok());
    let hashes = place.hashes();
    place.try_login("anna", "password", HERE).await.unwrap();
    assert_eq!(place.hashes(), hashes, "and it is remembered with the new hash");
}
