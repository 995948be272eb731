//! Keeping accounts: rules, and what a change means for those who are in.

use longhaul_auth::{Kind, NewUser, Principal, Role, UserError, UserPatch, Weak};
use longhaul_store::AccountRefused;

use super::support::*;

fn new(name: &str, password: Option<&str>, service: bool) -> NewUser {
    NewUser {
        name: name.to_owned(),
        role: Role::Viewer,
        password: password.map(secret),
        service,
        bounds: Default::default(),
    }
}

fn patch() -> UserPatch {
    UserPatch::default()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_made_by_the_rules() {
    let place = Place::new().await;
    let good = "a good password";
    let why = async |new: NewUser| place.auth.create_user(new, by_admin()).await.err().unwrap();
    for name in ["", "a b", "me", "..", &"x".repeat(65)] {
        assert!(matches!(why(new(name, Some(good), false)).await, UserError::BadName), "{name:?}");
    }
    for name in ["server", "Anonymous", "SYSTEM", "systern", "nob0dy"] {
        let refused = why(new(name, Some(good), false)).await;
        assert!(matches!(refused, UserError::ReservedName), "{name}: {refused:?}");
    }
    for (name, other) in [("adrnin", "admin"), ("AdrnIn", "admin")] {
        let refused = why(new(name, Some(good), false)).await;
        assert!(matches!(&refused, UserError::Lookalike(taken) if taken == other), "{name}: {refused:?}");
    }
    assert!(matches!(why(new("anna", Some("short"), false)).await, UserError::Weak(Weak::Short)));
    assert!(matches!(
        why(new("anna.is.here.x", Some("Anna.is.here.X"), false)).await,
        UserError::Weak(Weak::Name)
    ));
    assert!(matches!(why(new("anna", None, false)).await, UserError::PasswordMissing));
    assert!(matches!(why(new("robot", Some(good), true)).await, UserError::PasswordOfService));
    let taken = why(new("ADMIN", Some(good), false)).await;
    assert!(matches!(taken, UserError::Refused(AccountRefused::Exists)));
    let (view, key) = place.auth.create_user(new(r"LAB\Anna", Some(good), false), by_admin()).await.unwrap();
    assert_eq!((view.name.as_str(), view.role, view.kind), (r"LAB\Anna", Role::Viewer, Kind::User));
    assert_eq!((view.created_at, view.disabled, view.api_keys.len()), (START, false, 0));
    assert!(key.is_none());
    let (view, key) = place.auth.create_user(new("robot", None, true), by_admin()).await.unwrap();
    assert_eq!((view.kind, view.api_keys.len()), (Kind::Service, 1));
    assert_eq!(key.unwrap().id, view.api_keys[0].id);
    let names: Vec<String> = place.auth.users().unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["admin", r"LAB\Anna", "robot"]);
    assert_eq!(place.auth.user("Robot").unwrap(), view);
    assert!(matches!(place.auth.user("nobody"), Err(UserError::NoUser(name)) if name == "nobody"));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_follow_the_rules_too() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    place.service("robot", Role::Worker).await;
    let why = async |name: &str, patch| place.auth.change_user(name, patch, by_admin()).await.err().unwrap();
    let password = |text: &str| UserPatch { password: Some(secret(text)), ..patch() };
    assert!(matches!(why("nobody", patch()).await, UserError::NoUser(_)));
    assert!(matches!(why("anna", password("short")).await, UserError::Weak(Weak::Short)));
    assert!(matches!(why("robot", password("a good password")).await, UserError::PasswordOfService));
    let last = |outcome: UserError| matches!(outcome, UserError::Refused(AccountRefused::LastAdmin));
    assert!(last(why("admin", UserPatch { disabled: Some(true), ..patch() }).await));
    assert!(last(why("admin", UserPatch { role: Some(Role::Operator), ..patch() }).await));
    assert!(last(place.auth.delete_user("Admin", by_admin()).await.unwrap_err()));
    assert!(matches!(place.auth.delete_user("nobody", by_admin()).await, Err(UserError::NoUser(_))));
    let promote = UserPatch { role: Some(Role::Admin), ..patch() };
    assert_eq!(place.auth.change_user("anna", promote, by_admin()).await.unwrap().role, Role::Admin);
    place.auth.delete_user("admin", by_admin()).await.expect("there is another one");
    assert!(last(place.auth.delete_user("anna", by_admin()).await.unwrap_err()));
}

#[tokio::test(flavor = "multi_thread")]
async fn own_password_is_changed_by_who_knows_the_old_one() {
    let place = Place::new().await;
    place.person("anna", Role::Viewer).await;
    let pair = place.login("anna").await;
    let who = place.who(&pair.access_token).unwrap();
    let change = async |old: &str, new: &str, from| {
        place.auth.change_own_password(&who, secret(old), secret(new), from, by_admin()).await
    };
    let old = password("anna");
    assert!(matches!(change(&old, "short", HERE).await, Err(UserError::Weak(Weak::Short))));
    for n in 0..5 {
        let wrong = change("a wrong password", "a good password", address(n)).await;
        assert!(matches!(wrong, Err(UserError::WrongPassword)));
    }
    let slow = change("a wrong password", "a good password", address(9)).await;
    assert!(matches!(slow, Err(UserError::TooMany { .. })), "guessing is as slow here as at login");
    assert!(place.who(&pair.access_token).is_ok());
    change(&old, "a good password", HERE).await.expect("remembered, and at home here");
    assert!(place.who(&pair.access_token).is_err());
    place.try_login("anna", "a good password", HERE).await.unwrap();
    let service = Principal::new("robot", Role::Viewer, Kind::Service);
    let none = place
        .auth
        .change_own_password(&service, secret(&old), secret("a good password"), HERE, by_admin())
        .await;
    assert!(matches!(none, Err(UserError::NoPassword(name)) if name == "robot"));
}
