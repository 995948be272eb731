//! Accounts: kept whole, never without an administrator, and their credentials end when they must.

use std::sync::Arc;

use longhaul_model::{Span, Timestamp};

use super::support::*;
use crate::{
    AccountRefused, Accounts, ApiKey, Basis, MOST_API_KEYS, RefreshToken, Store, StoreError, User, UserChange,
};

pub(super) fn user(name: &str, role: &str) -> User {
    User {
        name: name.to_owned(),
        role: role.to_owned(),
        kind: "USER".to_owned(),
        bounds: None,
        password_hash: Some(format!("hash of {name}")),
        disabled: false,
        epoch: 0,
        created_at: START,
        api_keys: Vec::new(),
    }
}

fn key(n: u8) -> ApiKey {
    ApiKey { id: format!("key{n}"), name: None, hash: [n; 32], created_at: START, last_used_at: None }
}

pub(super) fn token(n: u8, of: &User) -> RefreshToken {
    RefreshToken {
        hash: [n; 32],
        user: of.name.clone(),
        basis: Basis::Account { epoch: of.epoch },
        means: Some("PASSWORD".to_owned()),
        origin: Some("192.0.2.7".to_owned()),
        created_at: START,
        expires_at: START.after(Span(1000 * u64::from(n))),
    }
}

pub(super) fn settings(role: Option<&str>, disabled: Option<bool>, password: Option<&str>) -> UserChange {
    UserChange::Settings {
        role: role.map(Into::into),
        disabled,
        password_hash: password.map(Into::into),
        bounds: None,
    }
}

pub(super) async fn create(accounts: &Arc<dyn Accounts>, user: User) -> User {
    accounts.create_user(user, None).await.expect("created")
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> AccountRefused {
    match outcome {
        Err(StoreError::Account(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) async fn reopen(
    fixture: &mut impl Fixture,
    store: &Arc<dyn Store>,
) -> (Arc<dyn Store>, Arc<dyn Accounts>) {
    store.close().await;
    fixture.open_accounts().await
}

/// Accounts that were created are there, whole, for the next process too.
pub async fn accounts_are_read_back_also_after_reopening(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    assert!(accounts.users().expect("readable").users.is_empty());
    assert!(matches!(accounts.user("admin"), Err(StoreError::NotFound)));
    let admin = create(&accounts, user("admin", "ADMIN")).await;
    let service = User {
        kind: "SERVICE".to_owned(),
        password_hash: None,
        disabled: true,
        api_keys: vec![key(1), ApiKey { name: Some("CI".to_owned()), last_used_at: Some(START), ..key(2) }],
        ..user("Robot.7@lab", "WORKER")
    };
    let service = create(&accounts, service).await;
    for _ in 0..2 {
        assert_eq!(accounts.user("admin").expect("there"), admin);
        assert_eq!(accounts.user("Robot.7@lab").expect("there"), service);
        assert_eq!(accounts.users().expect("readable").users, [admin.clone(), service.clone()]);
    }
    let (store, accounts) = reopen(fixture, &store).await;
    assert_eq!(accounts.users().expect("readable").users, [admin, service]);
    store.close().await;
}

/// Names that differ in case only are one, in the spelling of their creation.
pub async fn names_are_compared_without_case(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    create(&accounts, user("Anna", "ADMIN")).await;
    create(&accounts, user("bert", "VIEWER")).await;
    assert_eq!(refused(accounts.create_user(user("anna", "VIEWER"), None).await), AccountRefused::Exists);
    assert_eq!(refused(accounts.create_user(user("Bert", "VIEWER"), None).await), AccountRefused::Exists);
    assert_eq!(accounts.user("ANNA").expect("there").name, "Anna");
    accounts.change_user("ANNA", UserChange::AddApiKey(key(1)), None).await.expect("changed");
    accounts.change_user("BERT", UserChange::AddApiKey(key(2)), None).await.expect("changed");
    let all = accounts.users().expect("readable").users;
    let keys: Vec<_> = all.iter().map(|user| (user.name.as_str(), user.api_keys[0].id.as_str())).collect();
    assert_eq!(keys, [("Anna", "key1"), ("bert", "key2")]);
    accounts.delete_user("BERT", None).await.expect("deleted");
    assert!(matches!(accounts.user("bert"), Err(StoreError::NotFound)));
    assert!(matches!(accounts.delete_user("bert", None).await, Err(StoreError::NotFound)));
    let gone = accounts.change_user("bert", settings(None, None, None), None).await;
    assert!(matches!(gone, Err(StoreError::NotFound)));
    store.close().await;
}

/// A change sets the values that it names, and leaves all others.
pub async fn changes_change_what_they_name(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    create(&accounts, user("admin", "ADMIN")).await;
    let before = create(&accounts, user("anna", "VIEWER")).await;
    let promoted =
        accounts.change_user("anna", settings(Some("OPERATOR"), None, None), None).await.expect("changed");
    assert_eq!(promoted, User { role: "OPERATOR".to_owned(), ..before.clone() });
    let bounds = |bounds: &str| UserChange::Settings {
        role: None,
        disabled: None,
        password_hash: None,
        bounds: Some(bounds.to_owned()),
    };
    for text in ["{}", "{\"queues\":[\"*\"]}"] {
        let bound = accounts.change_user("anna", bounds(text), None).await.expect("bound");
        assert_eq!(bound, User { bounds: Some(text.to_owned()), ..promoted.clone() });
        assert_eq!(accounts.user("anna").expect("there"), bound);
    }
    let disabled =
        accounts.change_user("anna", settings(None, Some(true), None), None).await.expect("changed");
    assert!(disabled.disabled && disabled.epoch > promoted.epoch);
    let again = accounts.change_user("anna", settings(None, Some(true), None), None).await.expect("changed");
    assert_eq!(again, disabled, "nothing new, so nothing is void");
    let enabled =
        accounts.change_user("anna", settings(None, Some(false), None), None).await.expect("changed");
    assert_eq!(enabled, User { disabled: false, ..disabled });
    let changed =
        accounts.change_user("anna", settings(None, None, Some("new")), None).await.expect("changed");
    assert_eq!(changed.password_hash.as_deref(), Some("new"));
    assert!(changed.epoch > enabled.epoch);
    assert_eq!(accounts.user("anna").expect("there"), changed);
    store.close().await;
}

/// The last account that can administer and has a password stays, whatever is asked.
pub async fn last_admin_is_kept(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let admin = create(&accounts, user("admin", "ADMIN")).await;
    create(&accounts, user("anna", "VIEWER")).await;
    // Neither one that is disabled, nor one that cannot log in, administers.
    create(&accounts, User { disabled: true, ..user("off", "ADMIN") }).await;
    create(&accounts, User { password_hash: None, api_keys: vec![key(1)], ..user("robot", "ADMIN") }).await;
    for change in [
        settings(Some("OPERATOR"), None, None),
        settings(None, Some(true), None),
        settings(Some("VIEWER"), Some(true), Some("new")),
    ] {
        assert_eq!(refused(accounts.change_user("Admin", change, None).await), AccountRefused::LastAdmin);
    }
    assert_eq!(refused(accounts.delete_user("ADMIN", None).await), AccountRefused::LastAdmin);
    assert_eq!(accounts.user("admin").expect("there"), admin, "a refused change changes nothing");
    accounts
        .change_user("admin", settings(Some("ADMIN"), Some(false), Some("new")), None)
        .await
        .expect("changed");
    accounts.change_user("off", settings(None, Some(false), None), None).await.expect("enabled");
    accounts.delete_user("admin", None).await.expect("there is another now");
    assert_eq!(refused(accounts.delete_user("off", None).await), AccountRefused::LastAdmin);
    store.close().await;
}

/// The rule about administrators holds in the transaction, not in the caller's view.
pub async fn concurrent_demotions_leave_an_admin(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let names: Vec<String> = (0..16).map(|n| format!("admin{n}")).collect();
    for name in &names {
        create(&accounts, user(name, "ADMIN")).await;
    }
    let demotions = names.iter().map(|name| {
        let (accounts, name) = (accounts.clone(), name.clone());
        tokio::spawn(
            async move { accounts.change_user(&name, settings(Some("VIEWER"), None, None), None).await },
        )
    });
    let mut refusals = 0;
    for demotion in demotions.collect::<Vec<_>>() {
        if let Err(e) = demotion.await.expect("ran") {
            assert_eq!(refused::<()>(Err(e)), AccountRefused::LastAdmin);
            refusals += 1;
        }
    }
    assert_eq!(refusals, 1);
    let left = accounts.users().expect("readable").users;
    assert_eq!(left.iter().filter(|user| user.role == "ADMIN").count(), 1);
    store.close().await;
}

/// An epoch is never used again, not even for another account of that name while the clock stands still or
/// goes back.
pub async fn epochs_never_come_back(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    create(&accounts, user("admin", "ADMIN")).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(create(&accounts, user("anna", "VIEWER")).await.epoch);
        let changed =
            accounts.change_user("anna", settings(None, None, Some("new")), None).await.expect("changed");
        seen.push(changed.epoch);
        accounts.delete_user("anna", None).await.expect("deleted");
    }
    let (store, accounts) = reopen(fixture, &store).await;
    seen.push(create(&accounts, user("anna", "VIEWER")).await.epoch);
    assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    assert!(seen[0] >= START.0, "an older copy of the data does not know the epochs since");
    store.close().await;
}

/// A better hash of an old password does not bring that password back.
pub async fn rehash_gives_way_to_a_new_password(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let before = create(&accounts, user("anna", "ADMIN")).await;
    let rehash = || UserChange::Rehash { from: "hash of anna".to_owned(), to: "better".to_owned() };
    let better = accounts.change_user("anna", rehash(), None).await.expect("changed");
    assert_eq!(better, User { password_hash: Some("better".to_owned()), ..before });
    accounts.change_user("anna", settings(None, None, Some("new")), None).await.expect("changed");
    let late = accounts.change_user("anna", rehash(), None).await.expect("nothing to do");
    assert_eq!(late.password_hash.as_deref(), Some("new"));
    store.close().await;
}

/// API keys are bounded in number; a deleted one ends the sessions with it.
pub async fn api_keys_come_and_go(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let mut robot = create(&accounts, user("robot", "ADMIN")).await;
    for n in 0..MOST_API_KEYS as u8 {
        robot = accounts.change_user("robot", UserChange::AddApiKey(key(n)), None).await.expect("added");
    }
    let one_more = accounts.change_user("robot", UserChange::AddApiKey(key(200)), None).await;
    assert_eq!(refused(one_more), AccountRefused::TooManyApiKeys);
    accounts.put_refresh_token(token(1, &robot), None).await.expect("kept");
    let used = vec![
        ("key1".to_owned(), Timestamp(5)),
        ("gone".to_owned(), Timestamp(5)),
        ("key1".to_owned(), Timestamp(3)),
    ];
    accounts.touch_api_keys(used).await.expect("touched");
    assert_eq!(accounts.user("robot").expect("there").api_keys[1].last_used_at, Some(Timestamp(5)));
    let less = accounts
        .change_user("robot", UserChange::RemoveApiKey("key0".to_owned()), None)
        .await
        .expect("removed");
    assert_eq!(less.api_keys.len(), MOST_API_KEYS - 1);
    assert!(less.epoch > robot.epoch && less.api_keys.iter().all(|key| key.id != "key0"));
    assert_eq!(accounts.refresh_token(&[1; 32]).expect("readable"), None);
    let again = accounts.change_user("robot", UserChange::RemoveApiKey("key0".to_owned()), None).await;
    assert!(matches!(again, Err(StoreError::NotFound)));
    store.close().await;
}

/// The revision shows a copy of the accounts to be old; sessions and the use of keys do not change it.
pub async fn revision_follows_changes(fixture: &mut impl Fixture) {
    let (store, accounts) = fixture.open_accounts().await;
    let anna = create(&accounts, User { api_keys: vec![key(1)], ..user("anna", "ADMIN") }).await;
    let mut before = accounts.accounts_revision().expect("readable");
    assert_eq!(accounts.users().expect("readable").revision, before);
    accounts.put_refresh_token(token(1, &anna), None).await.expect("kept");
    accounts.touch_api_keys(vec![("key1".to_owned(), START)]).await.expect("touched");
    refused(accounts.delete_user("anna", None).await);
    assert_eq!(accounts.accounts_revision().expect("readable"), before);
    create(&accounts, user("bert", "VIEWER")).await;
    for change in [settings(Some("OPERATOR"), None, None), UserChange::AddApiKey(key(2))] {
        let now = accounts.accounts_revision().expect("readable");
        assert!(now > before);
        before = now;
        accounts.change_user("bert", change, None).await.expect("changed");
    }
    accounts.delete_user("bert", None).await.expect("deleted");
    assert!(accounts.accounts_revision().expect("readable") > before + 1);
    store.close().await;
}
