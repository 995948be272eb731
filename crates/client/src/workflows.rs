//! Workflows.

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::error::ClientError;
use crate::http::{Call, Client};
use crate::shape::Shape;

/// Entry of the list of workflows.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowBody {
    /// Name, which is its key.
    pub name: String,
    /// The type of its tasks.
    #[serde(rename = "type")]
    pub kind: String,
    /// Title of its tasks.
    pub title: String,
    /// Description.
    pub description: Option<String>,
    /// The newest version.
    pub version: u64,
    /// Numbers of all versions.
    pub versions: Vec<u64>,
    /// The request that starts it.
    pub route: Option<String>,
    /// Time at which the newest version was stored.
    pub creation_timestamp: String,
}

impl Client {
    /// `GET /v1/workflows`.
    pub async fn list_workflows(&self) -> Result<Value, ClientError> {
        self.json(Call::new(Method::GET, &["v1", "workflows"]), Shape::Page).await
    }

    /// `GET /v1/workflows/{name}`, the newest version unless one is given.
    pub async fn get_workflow(&self, name: &str, version: Option<u32>) -> Result<Value, ClientError> {
        let call = Call::new(Method::GET, &["v1", "workflows", name]);
        self.json(call.query("version", version.map(|n| n.to_string())), Shape::Workflow).await
    }

    /// `PUT /v1/workflows/{name}`: true when this made a new version.
    pub async fn put_workflow(&self, name: &str, definition: &Value) -> Result<(Value, bool), ClientError> {
        let answer = self.send(Call::new(Method::PUT, &["v1", "workflows", name]).json(definition)).await?;
        Ok((self.read(&answer, Shape::Workflow)?, answer.status == StatusCode::CREATED))
    }

    /// `DELETE /v1/workflows/{name}`.
    pub async fn delete_workflow(&self, name: &str) -> Result<(), ClientError> {
        self.done(Call::new(Method::DELETE, &["v1", "workflows", name])).await
    }
}
