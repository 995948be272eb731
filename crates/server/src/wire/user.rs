//! Accounts, and whoever asks. No secret is in any of them, but a new API key, once.

use longhaul_auth::{ApiKeyView, NewApiKey, Principal, UserView};

use super::Json;

/// A `User`.
pub(crate) fn account(json: &mut Json, user: &UserView, new_key: Option<&NewApiKey>) {
    json.object(|json| {
        json.key("name").value(&user.name);
        json.key("role").plain(user.role.code());
        json.key("kind").plain(user.kind.code());
        json.key("disabled").value(&user.disabled);
        json.key("creationTimestamp").time(user.created_at);
        json.key("apiKeys").list(&user.api_keys, api_key);
        if let Some(key) = new_key {
            json.key("apiKey").value(&*key.key);
        }
    });
}

fn api_key(json: &mut Json, key: &ApiKeyView) {
    json.object(|json| {
        json.key("id").value(&key.id);
        if let Some(name) = &key.name {
            json.key("name").value(name);
        }
        json.key("creationTimestamp").time(key.created_at);
        if let Some(at) = key.last_used_at {
            json.key("lastUsedTimestamp").time(at);
        }
    });
}

/// A `Principal`.
pub(crate) fn principal(json: &mut Json, who: &Principal) {
    json.object(|json| {
        json.key("name").value(&who.name);
        json.key("role").plain(who.role.code());
        json.key("kind").plain(who.kind.code());
    });
}
