//! Identities from outside: credentials of every kind against a real store.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod it {
    mod access;
    mod api_keys;
    mod forged;
    mod login;
    mod oidc;
    mod page;
    mod rotation;
    mod sessions;
    mod start;
    mod support;
    mod users;
}
