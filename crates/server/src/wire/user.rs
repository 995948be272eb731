//! Accounts and principals on the wire. They show no secret but a new API key, once.

use longhaul_auth::{ApiKeyView, Bounds, NewApiKey, Principal, SessionView, UserView};

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
        bounds(json, &user.bounds);
        if let Some(key) = new_key {
            json.key("apiKey").value(&*key.key);
        }
    });
}

/// The lists that an account is bound to.
fn bounds(json: &mut Json, bounds: &Bounds) {
    if let Some(queues) = &bounds.queues {
        json.key("queues").value(queues);
    }
    if let Some(actions) = &bounds.actions {
        json.key("actions").value(actions);
    }
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

/// A `Session`.
pub(crate) fn session(json: &mut Json, session: &SessionView, current: bool) {
    json.object(|json| {
        json.key("id").plain(&session.id.to_string());
        json.key("user").value(&session.user);
        json.key("kind").plain(session.kind.code());
        if let Some(role) = session.role {
            json.key("role").plain(role.code());
        }
        if let Some(means) = &session.means {
            json.key("login").value(means);
        }
        if let Some(from) = &session.from {
            json.key("from").value(from);
        }
        json.key("creationTimestamp").time(session.created_at);
        json.key("expirationTimestamp").time(session.expires_at);
        json.key("current").value(&current);
    });
}

/// A `Principal`.
pub(crate) fn principal(json: &mut Json, who: &Principal) {
    json.object(|json| {
        json.key("name").value(&who.name);
        json.key("role").plain(who.role.code());
        json.key("kind").plain(who.kind.code());
        if let Some(all) = &who.bounds {
            bounds(json, all);
        }
    });
}
