//! Sessions of the page: their secret stands for the account as it is now, and they last while they are used.

use longhaul_auth::{Auth, Denied, LoginError, Principal, Reason, Role, TokenPair, UserPatch, Whose};
use longhaul_crypto::random;
use longhaul_model::Span;

use super::support::*;

async fn sign_in(place: &Place, name: &str) -> (String, TokenPair) {
    let pair = place.auth.sign_in(name, secret(&password(name)), HERE).await.unwrap();
    (pair.refresh_id.to_string(), pair)
}

async fn by_cookie(auth: &Auth, cookie: &str) -> Result<Principal, Denied> {
    auth.authenticate_page(cookie).await
}

/// Every way in which a session can end: its secret is refused at once here, and soon by another node.
#[tokio::test(flavor = "multi_thread")]
async fn secret_is_void_with_its_session() {
    let place = Place::new().await;
    let other = place.second(config(), None).await;
    let patch = |name: &'static str| match name {
        "password" => UserPatch { password: Some(secret("another password")), ..UserPatch::default() },
        "disabled" => UserPatch { disabled: Some(true), ..UserPatch::default() },
        _ => UserPatch { role: Some(Role::Worker), ..UserPatch::default() },
    };
    for way in [
        "by its owner",
        "by an administrator",
        "sign-out",
        "password",
        "disabled",
        "worker",
        "deleted",
        "time",
    ] {
        let name = way.replace(' ', "-");
        place.person(&name, Role::Viewer).await;
        place.env.advance(Span(5000));
        let (cookie, pair) = sign_in(&place, &name).await;
        let admin = place.try_login("admin", ADMIN, HERE).await.unwrap().principal;
        for auth in [&place.auth, &other] {
            let who = by_cookie(auth, &cookie).await.unwrap();
            assert_eq!(
                (&*who.name, who.role, who.session),
                (&*name, Role::Viewer, pair.principal.session),
                "{way}"
            );
        }
        let id = pair.principal.session.unwrap();
        match way {
            "by its owner" => assert!(place.auth.end_session(&pair.principal, id, by_admin()).await.unwrap()),
            "by an administrator" => assert!(place.auth.end_session(&admin, id, by_admin()).await.unwrap()),
            "sign-out" => place.auth.revoke(pair.refresh_id, Some(HERE)).await.unwrap(),
            "deleted" => place.auth.delete_user(&name, by_admin()).await.unwrap(),
            "time" => place.env.advance(DAY),
            changed => drop(place.auth.change_user(&name, patch(changed), by_admin()).await.unwrap()),
        }
        assert!(by_cookie(&place.auth, &cookie).await.is_err(), "{way}");
        place.env.advance(Span(5000));
        assert!(by_cookie(&other, &cookie).await.is_err(), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_role_counts_from_the_next_request_on() {
    let place = Place::new().await;
    place.person("anna", Role::Operator).await;
    let (cookie, _) = sign_in(&place, "anna").await;
    for role in [Role::Viewer, Role::Admin, Role::Operator] {
        let patch = UserPatch { role: Some(role), ..UserPatch::default() };
        place.auth.change_user("anna", patch, by_admin()).await.unwrap();
        assert_eq!(by_cookie(&place.auth, &cookie).await.unwrap().role, role);
    }
}

/// Used at any pace below its life a session lasts for 30 days and no longer; unused for a day it ends.
#[tokio::test(flavor = "multi_thread")]
async fn session_in_use_lasts_for_thirty_days() {
    let place = Place::new().await;
    let other = place.second(config(), None).await;
    for (n, hours) in [1, 5, 11, 13, 23].into_iter().enumerate() {
        let name = format!("anna{n}");
        place.person(&name, Role::Viewer).await;
        let (cookie, pair) = sign_in(&place, &name).await;
        let began = place.env.now();
        let mut age = 0;
        // Requests go to one node or the other; what one of them prolonged counts for both.
        while age + hours < 30 * 24 {
            place.env.advance(Span(hours * HOUR.0));
            age += hours;
            let auth = if age % 2 == 0 { &place.auth } else { &other };
            let who = by_cookie(auth, &cookie).await;
            assert!(who.is_ok(), "used every {hours} h, {age} h old: {who:?}");
            let end = place.auth.session_end(pair.principal.session.unwrap()).unwrap();
            assert!(end <= began.after(Span(30 * DAY.0)), "{hours} {age}");
        }
        place.env.advance(Span((30 * 24 - age) * HOUR.0));
        assert!(by_cookie(&place.auth, &cookie).await.is_err(), "used every {hours} h");
    }
    place.person("bert", Role::Viewer).await;
    let (cookie, _) = sign_in(&place, "bert").await;
    place.env.advance(Span(DAY.0 - 1));
    let idle = sign_in(&place, "bert").await.0;
    place.env.advance(Span(1));
    assert_eq!(by_cookie(&place.auth, &cookie).await, Err(Denied::Expired), "unused for a day");
    assert!(by_cookie(&place.auth, &idle).await.is_ok());
    place.auth.tidy().await;
    assert_eq!(by_cookie(&place.auth, &cookie).await, Err(Reason::Session.into()));
}

/// A refresh token that is exchanged for access tokens lasts for a day, as before.
#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_programs_do_not_last_longer() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let pair = place.login("anna").await;
    for _ in 0..23 {
        place.env.advance(HOUR);
        assert!(place.who(&place.auth.refresh(pair.refresh_id).unwrap()).is_ok());
    }
    place.env.advance(HOUR);
    assert!(place.auth.refresh(pair.refresh_id).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_do_not_sign_in_and_it_is_noted() {
    let place = Place::new().await;
    place.person("robot", Role::Worker).await;
    for _ in 0..2 {
        let refused = place.auth.sign_in("robot", secret(&password("robot")), HERE).await;
        assert!(matches!(refused, Err(LoginError::Worker)));
    }
    // Who does not know the password learns nothing of the role.
    let refused = place.auth.sign_in("robot", secret("not the password"), HERE).await;
    assert!(matches!(refused, Err(LoginError::Unauthorized)));
    assert_eq!(place.auth.sessions(Whose::Named("robot".to_owned()), 0, 10).unwrap().1, 0);
    // Neither does a worker's refresh token pass for the page's secret.
    let pair = place.login("robot").await;
    assert_eq!(by_cookie(&place.auth, &pair.refresh_id.to_string()).await, Err(Reason::Page.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_secrets_are_refused() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let (cookie, pair) = sign_in(&place, "anna").await;
    let id = pair.principal.session.unwrap().to_string();
    for bad in ["", "x", &id, &*pair.access_token, &random::uuid().to_string(), &format!("{cookie}0")] {
        assert!(by_cookie(&place.auth, bad).await.is_err(), "{bad}");
    }
    assert!(place.who(&cookie).is_err(), "and it is no bearer token");
    assert!(by_cookie(&place.auth, &cookie).await.is_ok());
}

/// Guesses at the page and at the login of programs are counted together.
#[tokio::test(flavor = "multi_thread")]
async fn guesses_are_slowed_as_at_every_login() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let mut slowed = 0;
    for n in 0..12 {
        let guess = secret(&format!("guess number {n}"));
        let refused = match n % 2 {
            0 => place.auth.sign_in("anna", guess, HERE).await,
            _ => place.try_login("anna", &guess, HERE).await,
        };
        slowed += usize::from(matches!(refused, Err(LoginError::TooMany { .. })));
    }
    assert!(slowed > 0);
}
