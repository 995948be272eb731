//! Refresh tokens: a day of new access tokens, until they are revoked or what they rest on changes.

use longhaul_auth::{AuthConfig, Denied, LoginRequest, Reason, RefreshError, Role, UserPatch, Whose};
use longhaul_crypto::random;
use longhaul_model::Span;
use longhaul_store::Store;

use super::support::*;

fn is_over<T>(outcome: Result<T, RefreshError>) -> bool {
    matches!(outcome, Err(RefreshError::NotFound))
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_token_works_again_and_again_for_a_day() {
    let place = Place::new().await;
    place.person("anna", Role::Operator).await;
    let pair = place.login("anna").await;
    assert_eq!(pair.refresh_id.get_version_num(), 4);
    for _ in 0..24 {
        let token = place.auth.refresh(pair.refresh_id).unwrap();
        assert_eq!(&*place.who(&token).unwrap().name, "anna");
        place.env.advance(Span(HOUR.0 - 1000));
    }
    place.env.advance(Span(24_000 - 1));
    assert!(place.auth.refresh(pair.refresh_id).is_ok());
    place.env.advance(Span(1));
    assert!(is_over(place.auth.refresh(pair.refresh_id)));
    assert!(is_over(place.auth.refresh(random::uuid())));
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshed_token_has_the_role_of_now() {
    let place = Place::new().await;
    place.person("anna", Role::Operator).await;
    let pair = place.login("anna").await;
    let demote = UserPatch { role: Some(Role::Viewer), ..UserPatch::default() };
    place.auth.change_user("anna", demote, by_admin()).await.unwrap();
    let token = place.auth.refresh(pair.refresh_id).unwrap();
    assert_eq!(open(&token).1["role"], "VIEWER");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_token_never_comes_back() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let (one, two) = (place.login("anna").await, place.login("anna").await);
    for _ in 0..2 {
        place.auth.revoke(one.refresh_id, Some(HERE)).await.unwrap();
        assert!(is_over(place.auth.refresh(one.refresh_id)));
        assert_eq!(place.who(&one.access_token), Err(Reason::Session.into()));
    }
    assert!(place.auth.refresh(two.refresh_id).is_ok(), "others go on");
    place.auth.revoke(random::uuid(), Some(HERE)).await.expect("nothing to do");
    place.store.close().await;
    let env = place.env.clone();
    let reopened = longhaul_store::sqlite::Sqlite::open(place.directory.path(), env.clone()).unwrap();
    let starting =
        longhaul_auth::Auth::start(reopened.clone(), env, place.ring.clone(), config(), |_, _| panic!());
    let auth = starting.await.unwrap();
    assert!(is_over(auth.refresh(one.refresh_id)));
    let token = auth.refresh(two.refresh_id).expect("sessions outlive the process");
    assert!(auth.authenticate(&token).is_ok());
    assert!(auth.authenticate(&two.access_token).is_ok(), "and so do access tokens");
    assert_eq!(auth.authenticate(&one.access_token), Err(Reason::Session.into()), "but for those that ended");
    reopened.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_with_password_and_account() {
    let place = Place::new().await;
    let disable = || UserPatch { disabled: Some(true), ..UserPatch::default() };
    let new = || UserPatch { password: Some(secret("another password")), ..UserPatch::default() };
    for (name, patch) in [("anna", Some(new())), ("bert", Some(disable())), ("carl", None)] {
        place.person(name, Role::Viewer).await;
        let pair = place.login(name).await;
        match patch {
            Some(patch) => drop(place.auth.change_user(name, patch, by_admin()).await.unwrap()),
            None => place.auth.delete_user(name, by_admin()).await.unwrap(),
        }
        assert!(is_over(place.auth.refresh(pair.refresh_id)), "{name}");
        assert!(place.who(&pair.access_token).is_err(), "{name}");
    }
    // Neither enabling nor another account of that name brings them back.
    let pair = place.try_login("anna", "another password", HERE).await.unwrap();
    place.auth.change_user("anna", disable(), by_admin()).await.unwrap();
    let enable = UserPatch { disabled: Some(false), ..UserPatch::default() };
    place.auth.change_user("anna", enable, by_admin()).await.unwrap();
    assert!(is_over(place.auth.refresh(pair.refresh_id)));
}

/// Every way in which a session can end, on one node: its tokens are refused there at once, and by another
/// node seconds later.
#[tokio::test(flavor = "multi_thread")]
async fn ended_session_is_refused_at_once_here_and_soon_elsewhere() {
    let place = Place::new().await;
    let other = place.second(config(), None).await;
    let disable = || UserPatch { disabled: Some(true), ..UserPatch::default() };
    let new = || UserPatch { password: Some(secret("another password")), ..UserPatch::default() };
    let ways = ["by its owner", "by an administrator", "logout", "password", "disabled", "deleted", "time"];
    for (n, way) in ways.into_iter().enumerate() {
        let name = format!("anna{n}");
        place.person(&name, Role::Viewer).await;
        place.env.advance(Span(5000));
        let (pair, kept) = (place.login(&name).await, place.try_login("admin", ADMIN, HERE).await.unwrap());
        let renewed = place.auth.refresh(pair.refresh_id).unwrap();
        let tokens = [&*pair.access_token, &*renewed];
        for token in tokens {
            let who = place.who(token).unwrap();
            assert_eq!((&*who.name, who.session), (&*name, pair.principal.session), "{way}");
            assert!(other.authenticate(token).is_ok(), "{way}");
        }
        let id = pair.principal.session.unwrap();
        match way {
            "by its owner" => assert!(place.auth.end_session(&pair.principal, id, by_admin()).await.unwrap()),
            "by an administrator" => {
                assert!(place.auth.end_session(&kept.principal, id, by_admin()).await.unwrap());
            }
            "logout" => place.auth.revoke(pair.refresh_id, Some(HERE)).await.unwrap(),
            "password" => drop(place.auth.change_user(&name, new(), by_admin()).await.unwrap()),
            "disabled" => drop(place.auth.change_user(&name, disable(), by_admin()).await.unwrap()),
            "deleted" => place.auth.delete_user(&name, by_admin()).await.unwrap(),
            _ => place.env.advance(DAY),
        }
        for token in tokens {
            assert!(place.who(token).is_err(), "{way}");
        }
        place.env.advance(Span(5000));
        for token in tokens {
            assert!(other.authenticate(token).is_err(), "{way}");
        }
        assert!(is_over(other.refresh(pair.refresh_id)), "{way}");
        assert!(!place.auth.end_session(&kept.principal, id, by_admin()).await.unwrap(), "{way}: once only");
        assert_eq!(place.who(&kept.access_token).is_ok(), way != "time", "{way}: others go on");
        let listed = place.auth.sessions(Whose::Named(name), 0, 10).unwrap();
        assert_eq!(listed, (Vec::new(), 0), "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_seen_and_ended_by_their_owner_and_administrators() {
    let place = Place::new().await;
    for (name, role) in [("anna", Role::Operator), ("bert", Role::Viewer)] {
        place.person(name, role).await;
    }
    let key = place.service("robot", Role::Worker).await;
    let robot = place.auth.login(LoginRequest::ApiKey(secret(&key)), HERE).await.unwrap();
    let (anna, bert) = (place.login("anna").await, place.login("bert").await);
    let admin = place.try_login("admin", ADMIN, HERE).await.unwrap();
    let by = |key: &str| place.who(key).unwrap();
    assert_eq!(by(&key).session, None, "an API key is no session");
    let of = |whose: Whose| place.auth.sessions(whose, 0, 10).unwrap();
    let (all, total) = of(Whose::Anybody);
    assert_eq!((all.len(), total), (4, 4));
    let found = all.iter().find(|one| one.user == "robot").unwrap();
    assert_eq!((found.role, found.means.as_deref()), (Some(Role::Worker), Some("API_KEY")));
    for (pair, name) in [(&anna, "anna"), (&bert, "bert"), (&robot, "robot")] {
        let (mine, total) = of(pair.principal.own_sessions());
        assert_eq!((mine.len(), total, mine[0].user.as_str()), (1, 1, name));
        assert_eq!((Some(mine[0].id), mine[0].from.as_deref()), (pair.principal.session, Some("192.0.2.1")));
        assert_eq!(mine[0].expires_at, START.after(DAY));
    }
    // Nobody ends a stranger's, nor learns that it is there.
    let pairs = [&anna, &bert, &robot];
    for (who, whose) in pairs.iter().flat_map(|a| pairs.iter().map(move |b| (a, b))) {
        if who.principal.name != whose.principal.name {
            let id = whose.principal.session.unwrap();
            assert!(!place.auth.end_session(&who.principal, id, by_admin()).await.unwrap());
            assert!(place.who(&whose.access_token).is_ok());
        }
    }
    for pair in pairs {
        let id = pair.principal.session.unwrap();
        assert!(place.auth.end_session(&admin.principal, id, by_admin()).await.unwrap());
    }
    let noted = place.store.audit(&longhaul_store::AuditQuery { limit: 1, ..Default::default() }).unwrap();
    let detail = noted.entries[0].detail.clone().unwrap();
    assert_eq!(noted.entries[0].target.as_deref(), Some("robot"));
    assert_eq!(detail, format!("session {}", robot.principal.session.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn access_token_does_not_outlive_its_session() {
    let config = AuthConfig { refresh_life: Span(90 * 60_000), ..config() };
    let place = Place::with(config, None).await;
    place.person("anna", Role::Viewer).await;
    let pair = place.login("anna").await;
    place.env.advance(Span(80 * 60_000));
    let renewed = place.auth.refresh(pair.refresh_id).unwrap();
    let claims = open(&renewed).1;
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
    place.env.advance(Span(600_000 - 1));
    assert!(place.who(&renewed).is_ok());
    place.env.advance(Span(1));
    assert_eq!(place.who(&renewed), Err(Denied::Expired), "no leeway beyond the session");
}

#[tokio::test(flavor = "multi_thread")]
async fn identities_are_stored_as_digests_only() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let key = place.service("robot", Role::Viewer).await;
    let pair = place.login("anna").await;
    place.store.close().await;
    let mut stored = Vec::new();
    for entry in std::fs::read_dir(place.directory.path()).unwrap() {
        stored.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    let has = |needle: &[u8]| stored.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"anna") && has(b"robot"), "the files hold what they should");
    let id = pair.refresh_id;
    let password = password("anna");
    for secret in [
        id.to_string().as_bytes(),
        id.as_bytes(),
        key.as_bytes(),
        &key.as_bytes()[4..],
        password.as_bytes(),
        ADMIN.as_bytes(),
    ] {
        assert!(!has(secret), "{}", String::from_utf8_lossy(secret));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_over_are_taken_away() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let hash = |pair: &longhaul_auth::TokenPair| longhaul_crypto::digest::sha256(pair.refresh_id.as_bytes());
    let old = place.login("anna").await;
    place.env.advance(DAY);
    let new = place.login("anna").await;
    assert!(place.accounts.refresh_token(&hash(&old)).unwrap().is_some());
    place.auth.tidy().await;
    assert!(place.accounts.refresh_token(&hash(&old)).unwrap().is_none());
    assert!(place.accounts.refresh_token(&hash(&new)).unwrap().is_some());
}
