//! The schemas of tokens, accounts and API keys (wire contract, section 1.9).

use longhaul_auth::Role;
use serde_json::{Map, Value, json};

use super::{closed, instant, list_of, object, or_null, page, text};

/// Adds them.
pub(super) fn add(add: &mut impl FnMut(&str, Value)) {
    add("TokenCreationSpec", token_spec());
    add("TokenPair", token_pair());
    let uuid = json!({ "type": "string", "format": "uuid", "description": "The id of a refresh token" });
    add("RefreshTokenId", uuid);
    add("AccessToken", text("An access token"));
    add("Session", session());
    add("PageOfSession", page("Session"));
    add("User", user());
    add("PageOfUser", page("User"));
    add("ApiKey", api_key());
    add("UserSpec", user_spec());
    add("UserUpdateSpec", user_update_spec());
    add("ApiKeySpec", closed(&[], json!({ "name": or_null(key_name()) })));
    add(
        "NewApiKey",
        object(
            &["id", "apiKey"],
            json!({ "id": text("Its identity"), "apiKey": text("The key, this once") }),
        ),
    );
    add(
        "Principal",
        object(
            &["name", "role", "kind"],
            json!({
                "name": text("Who"), "role": role(), "kind": kind(&["USER", "SERVICE", "EXTERNAL"]),
                "queues": queues(), "actions": actions(),
            }),
        ),
    );
    add(
        "PasswordUpdateSpec",
        closed(
            &["oldPassword", "newPassword"],
            json!({ "oldPassword": secret("What it was"), "newPassword": password() }),
        ),
    );
}

fn role() -> Value {
    json!({ "type": "string", "enum": Role::ALL.map(Role::code) })
}

fn kind(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

fn secret(description: &str) -> Value {
    json!({ "type": "string", "format": "password", "writeOnly": true, "description": description })
}

fn password() -> Value {
    json!({ "type": "string", "format": "password", "writeOnly": true, "minLength": 12, "maxLength": 1024, "description": "12 characters or more" })
}

fn name() -> Value {
    json!({ "type": "string", "pattern": r"^[A-Za-z0-9._@\\+-]{1,64}$", "description": "Compared without case" })
}

fn key_name() -> Value {
    json!({ "type": "string", "maxLength": 64, "pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$", "description": "What people call it" })
}

/// Schema of the queues that a worker's account is bound to.
fn queues() -> Value {
    json!({
        "type": "array", "minItems": 1, "maxItems": 64,
        "items": { "type": "string", "pattern": r"^[A-Za-z0-9._*-]{1,100}$" },
        "description": "Of a WORKER: the queues that it may work on; `*` stands for any text. Any unless given",
    })
}

fn actions() -> Value {
    json!({
        "type": "array", "minItems": 1, "maxItems": 64,
        "items": { "type": "string", "minLength": 1, "maxLength": 100 },
        "description": "Of a WORKER: the calls that it may make, each an `operationId`. All of its role unless given",
    })
}

fn token_spec() -> Value {
    let members = json!({
        "username": text("Whose account"), "password": secret("Its password"),
        "apiKey": secret("Instead: an API key"), "idToken": secret("Instead: an ID token of the configured issuer"),
    });
    // Each kind of login has its own members, and none of another's.
    let names: Vec<String> = members.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
    let way = |mine: &[&str]| {
        let others = names.iter().filter(|name| !mine.contains(&name.as_str()));
        let none: Map<String, Value> = others.map(|name| (name.clone(), json!({ "type": "null" }))).collect();
        let some = mine.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" })));
        let properties: Map<String, Value> = some.chain(none).collect();
        json!({ "required": mine, "properties": properties })
    };
    let nullable: Map<String, Value> = match members {
        Value::Object(ref all) => {
            all.iter().map(|(name, schema)| (name.clone(), or_null(schema.clone()))).collect()
        }
        _ => Map::new(),
    };
    let mut spec = object(&[], Value::Object(nullable));
    spec["oneOf"] = json!([way(&["username", "password"]), way(&["apiKey"]), way(&["idToken"])]);
    spec
}

fn token_pair() -> Value {
    let refresh = object(&["id"], json!({ "id": { "type": "string", "format": "uuid" } }));
    object(
        &["accessToken", "refreshToken"],
        json!({ "accessToken": text("For requests"), "refreshToken": refresh }),
    )
}

fn session() -> Value {
    object(
        &["id", "user", "kind", "creationTimestamp", "expirationTimestamp", "current"],
        json!({
            "id": { "type": "string", "pattern": "^[0-9a-f]{32}$", "description": "Its public identity, which gives no access" },
            "user": text("Whose it is"), "kind": kind(&["USER", "SERVICE", "EXTERNAL"]), "role": role(),
            "login": { "type": "string", "enum": ["PASSWORD", "API_KEY", "ID_TOKEN"], "description": "The credential that it began with" },
            "from": text("The address where the login came from"),
            "creationTimestamp": instant("When it began"), "expirationTimestamp": instant("When it ends by itself"),
            "current": { "type": "boolean", "description": "Whether this call was made with it" },
        }),
    )
}

fn user() -> Value {
    object(
        &["name", "role", "kind", "disabled", "creationTimestamp", "apiKeys"],
        json!({
            "name": name(), "role": role(), "kind": kind(&["USER", "SERVICE"]),
            "disabled": { "type": "boolean", "description": "Whether it may not come in for now" },
            "creationTimestamp": instant("When it was made"), "apiKeys": list_of("ApiKey"),
            "apiKey": text("Of a new service account: its key, this once"), "queues": queues(), "actions": actions(),
        }),
    )
}

fn api_key() -> Value {
    object(
        &["id", "creationTimestamp"],
        json!({
            "id": text("Its identity"), "name": text("What people call it"),
            "creationTimestamp": instant("When it was made"), "lastUsedTimestamp": instant("When it was used last, to about an hour"),
        }),
    )
}

fn user_spec() -> Value {
    let kinds = json!({ "type": "string", "enum": ["USER", "SERVICE"], "default": "USER" });
    let mut spec = closed(
        &["name", "role"],
        json!({
            "name": name(), "role": role(), "kind": or_null(kinds), "password": or_null(password()),
            "queues": or_null(queues()), "actions": or_null(actions()),
        }),
    );
    // A person has a password, a service none.
    spec["oneOf"] = json!([
        { "required": ["password"], "properties": { "kind": { "enum": ["USER", null] }, "password": { "type": "string" } } },
        { "required": ["kind"], "properties": { "kind": { "const": "SERVICE" }, "password": { "type": "null" } } },
    ]);
    spec
}

fn user_update_spec() -> Value {
    let disabled = json!({ "type": "boolean", "description": "Whether it may not come in for now" });
    closed(
        &[],
        json!({
            "role": or_null(role()), "disabled": or_null(disabled), "password": or_null(password()),
            "queues": or_null(queues()), "actions": or_null(actions()),
        }),
    )
}
