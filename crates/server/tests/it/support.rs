//! A server on a free port with a store of its own, and a client.

use std::net::SocketAddr;
use std::sync::Arc;

use longhaul_engine::{Engine, EngineConfig};
use longhaul_model::Env;
use longhaul_server::{Server, ServerConfig};
use longhaul_store::sqlite::Sqlite;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    stop: CancellationToken,
    _directory: tempfile::TempDir,
}

impl Running {
    pub(crate) async fn start() -> Running {
        Running::with(ServerConfig::default()).await
    }

    pub(crate) async fn with(config: ServerConfig) -> Running {
        let directory = tempfile::tempdir().unwrap();
        let env = Env::real();
        let store: Arc<Sqlite> = Sqlite::open(directory.path(), env.clone()).unwrap();
        let engine = Engine::start(store, env, EngineConfig::default()).await.unwrap();
        let server = Server::bind("127.0.0.1:0".parse().unwrap(), engine, config).await.unwrap();
        let address = server.local_addr();
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        Running { address, client: Client::new(), stop, _directory: directory }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        Answer::of(request).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Stores a workflow of simulated sub-tasks, each given by what it has beyond name and description.
    pub(crate) async fn workflow(&self, name: &str, sub_tasks: Vec<Value>) {
        let subs: Vec<Value> = sub_tasks
            .into_iter()
            .enumerate()
            .map(|(i, extra)| {
                let mut sub = json!({ "name": format!("Step{i}"), "description": "Does it", "action": { "simulate": {} } });
                sub.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
                sub
            })
            .collect();
        let definition = json!({
            "name": name, "type": "HOST_COMMISSION", "title": "Commissioning host(s) {{ input.host }}",
            "input": { "type": "object", "required": ["host"], "properties": { "host": { "type": "string" }, "n": { "type": "integer" } } },
            "resources": [{ "type": "HOST", "resourceId": "{{ input.host }}", "lock": "none" }],
            "subTasks": subs
        });
        let put = self.send("PUT", &format!("/v1/workflows/{name}"), Some(definition)).await;
        assert_eq!(put.status, 201, "{put:?}");
    }

    /// Runs a task to its end.
    pub(crate) async fn run(&self, workflow: &str) -> Value {
        let body = json!({ "workflow": workflow, "input": { "host": "esx1" } });
        let answer = self.send("POST", "/v1/tasks?wait=10s", Some(body)).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.json()
    }

    pub(crate) async fn total(&self) -> u64 {
        self.get("/v1/tasks").await.json()["pageMetadata"]["totalElements"].as_u64().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, text: response.text().await.unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The Error body's code; every error has message, code and reference token.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        let token = body["referenceToken"].as_str().unwrap();
        assert!(
            token.len() == 6 && token.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
            "{token}"
        );
        assert_eq!(self.header("content-type"), "application/json");
        body["errorCode"].as_str().unwrap().to_owned()
    }
}
