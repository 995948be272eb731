//! Accounts and their API keys.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// An account, as far as a client can read it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserBody {
    /// Name of the account.
    pub name: String,
    /// Role of the account.
    pub role: String,
    /// A person's, or a service's.
    pub kind: String,
    /// True if the account is disabled.
    pub disabled: bool,
    /// Time of creation.
    pub creation_timestamp: String,
    /// API keys of the account.
    pub api_keys: Vec<ApiKeyBody>,
    /// Queues that a worker is bound to.
    pub queues: Option<Vec<String>>,
    /// Calls that a worker is bound to.
    pub actions: Option<Vec<String>>,
}

/// An API key, without the key.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiKeyBody {
    /// ID of the key.
    pub id: String,
    /// Name of the key, for people.
    pub name: Option<String>,
    /// Time of creation.
    pub creation_timestamp: String,
    /// Time of the last use.
    pub last_used_timestamp: Option<String>,
}

/// Changes to an account.
#[derive(Clone, Default)]
pub struct UserChange<'a> {
    /// New role.
    pub role: Option<&'a str>,
    /// New state: disabled or not.
    pub disabled: Option<bool>,
    /// New password.
    pub password: Option<&'a str>,
    /// Queues that a worker is bound to. `None` leaves them unchanged.
    pub queues: &'a [String],
    /// Calls that a worker is bound to. `None` leaves them unchanged.
    pub actions: &'a [String],
}

/// Settings of a new account.
#[derive(Clone, Default)]
pub struct NewUserBody<'a> {
    /// Name of the account.
    pub name: &'a str,
    /// Role of the account.
    pub role: &'a str,
    /// A person's password; a service has none.
    pub password: Option<&'a str>,
    /// Queues that a worker is bound to. `None` means any.
    pub queues: &'a [String],
    /// Calls that a worker is bound to. `None` means all that its role allows.
    pub actions: &'a [String],
}

/// Members for lists that have something in them.
fn bounds<'a>(queues: &'a [String], actions: &'a [String]) -> impl Iterator<Item = (String, Value)> + 'a {
    let lists = [("queues", queues), ("actions", actions)];
    lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(name, list)| (name.to_owned(), json!(list)))
}

impl Client {
    /// `GET /v1/users`.
    pub async fn list_users(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "users"]), Shape::Page).await
    }

    /// `POST /v1/users`: an account of a person with a password, of a service without.
    pub async fn add_user(&self, new: NewUserBody<'_>) -> Result<Value, ClientError> {
        let NewUserBody { name, role, password, queues, actions } = new;
        let how = match password {
            Some(password) => ("password".to_owned(), json!(password)),
            None => ("kind".to_owned(), json!("SERVICE")),
        };
        let mut body =
            Map::from_iter([("name".to_owned(), json!(name)), ("role".to_owned(), json!(role)), how]);
        body.extend(bounds(queues, actions));
        self.json(Call::new(Method::POST, &["v1", "users"]).json(&Value::Object(body)), Shape::User).await
    }

    /// `GET /v1/users/{name}`.
    pub async fn get_user(&self, name: &str) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "users", name]), Shape::User).await
    }

    /// `PATCH /v1/users/{name}`.
    pub async fn change_user(&self, name: &str, change: UserChange<'_>) -> Result<Value, ClientError> {
        let mut body = Map::new();
        body.extend(change.role.map(|role| ("role".to_owned(), json!(role))));
        body.extend(change.disabled.map(|disabled| ("disabled".to_owned(), json!(disabled))));
        body.extend(change.password.map(|password| ("password".to_owned(), json!(password))));
        body.extend(bounds(change.queues, change.actions));
        self.json(Call::new(Method::PATCH, &["v1", "users", name]).json(&Value::Object(body)), Shape::User)
            .await
    }

    /// `DELETE /v1/users/{name}`.
    pub async fn delete_user(&self, name: &str) -> Result<(), ClientError> {
        self.done(Call::new(Method::DELETE, &["v1", "users", name])).await
    }

    /// `PATCH /v1/users/me/password`.
    pub async fn change_my_password(&self, old: &str, new: &str) -> Result<(), ClientError> {
        let body = json!({ "oldPassword": old, "newPassword": new });
        self.done(Call::new(Method::PATCH, &["v1", "users", "me", "password"]).json(&body)).await
    }

    /// `POST /v1/users/{name}/api-keys`.
    pub async fn add_api_key(&self, user: &str, name: Option<&str>) -> Result<Value, ClientError> {
        let body = name.map_or_else(|| json!({}), |name| json!({ "name": name }));
        self.json(Call::new(Method::POST, &["v1", "users", user, "api-keys"]).json(&body), Shape::Key).await
    }

    /// `DELETE /v1/users/{name}/api-keys/{id}`.
    pub async fn delete_api_key(&self, user: &str, id: &str) -> Result<(), ClientError> {
        self.done(Call::new(Method::DELETE, &["v1", "users", user, "api-keys", id])).await
    }
}
