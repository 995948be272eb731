//! A server on a free port with a store of its own, and a client.

#[path = "official.rs"]
mod official;

use std::net::SocketAddr;
use std::sync::Arc;

use longhaul_auth::{Auth, AuthConfig, NewUser, Role};
use longhaul_crypto::{Keyring, Zeroizing};
use longhaul_engine::{Audit, Engine, EngineConfig};
use longhaul_model::Env;
use longhaul_server::{Address, Certificate, Server, ServerConfig, ServerError};
use longhaul_store::sqlite::Sqlite;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use reqwest::{Client, ClientBuilder, Method, StatusCode};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The password of the first administrator.
pub(crate) const PASSWORD: &str = "the first password";

/// The parts of a server, on a directory of their own.
pub(crate) struct Parts {
    pub(crate) engine: Engine,
    pub(crate) auth: Arc<Auth>,
    pub(crate) directory: tempfile::TempDir,
}

impl Parts {
    pub(crate) async fn new() -> Parts {
        Parts::with(EngineConfig::default()).await
    }

    pub(crate) async fn with(actions: EngineConfig) -> Parts {
        let directory = tempfile::tempdir().unwrap();
        let env = Env::real();
        let store = Sqlite::open(directory.path(), env.clone()).unwrap();
        let config =
            AuthConfig { admin_password: Some(Zeroizing::new(PASSWORD.to_owned())), ..AuthConfig::default() };
        let path = directory.path().join("keys.json");
        let keys = Arc::new(Keyring::open(&path, config.rotation(), env.now().0).unwrap());
        let auth = Auth::start(store.clone(), env.clone(), keys.clone(), config, |_, _| {}).await.unwrap();
        let engine = Engine::start(store, env, keys.sealer(), actions).await.unwrap();
        Parts { engine, auth, directory }
    }

    pub(crate) async fn bind(&self, listen: &str, config: ServerConfig) -> Result<Server, ServerError> {
        let at = Address::take(&[listen.parse().unwrap()], self.engine.env().clone(), config).await?;
        Ok(Server::new(at, self.engine.clone(), self.auth.clone()))
    }
}

pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    /// Speaks as an administrator.
    pub(crate) client: Client,
    /// API key of the server's first account.
    pub(crate) key: String,
    pub(crate) parts: Parts,
    pub(crate) certificate: Option<Certificate>,
    pub(crate) stop: CancellationToken,
}

impl Running {
    pub(crate) async fn start() -> Running {
        Running::with(ServerConfig::default()).await
    }

    pub(crate) async fn with(config: ServerConfig) -> Running {
        Running::of(Parts::new().await, config).await
    }

    pub(crate) async fn of(parts: Parts, config: ServerConfig) -> Running {
        let server = parts.bind("127.0.0.1:0", config).await.unwrap();
        let (address, certificate) = (server.local_addr().unwrap(), server.certificate());
        let stop = CancellationToken::new();
        tokio::spawn(server.run(stop.clone()));
        let key = service(&parts.auth, "tests", Role::Admin).await;
        let client = bearing(trusting(certificate.as_ref()), &key);
        Running { address, client, key, parts, certificate, stop }
    }

    /// Returns a client with an account of that role.
    pub(crate) async fn client_of(&self, role: Role) -> Client {
        let key = service(&self.parts.auth, &format!("{role}-tests"), role).await;
        bearing(trusting(self.certificate.as_ref()), &key)
    }

    /// Returns a client with that credential.
    pub(crate) fn client_with(&self, credential: &str) -> Client {
        bearing(trusting(self.certificate.as_ref()), credential)
    }

    /// Returns a client without a credential.
    pub(crate) fn nobody(&self) -> Client {
        trusting(self.certificate.as_ref()).build().unwrap()
    }

    /// Sends a request with that credential.
    pub(crate) async fn send_as(
        &self,
        credential: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let request = self.nobody().request(Method::from_bytes(method.as_bytes()).unwrap(), self.url(path));
        Answer::of(with_body(request, body).bearer_auth(credential)).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}{path}", self.address)
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Answer::of(with_body(self.client.request(method, self.url(path)), body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None).await
    }

    /// Stores a workflow of simulated sub-tasks, each given by its members beyond name and description.
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

    /// Waits for the end of a task.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.get(&format!("/v1/tasks/{id}?wait=20s")).await.json()
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

fn with_body(request: reqwest::RequestBuilder, body: Option<Value>) -> reqwest::RequestBuilder {
    match body {
        Some(body) => request.header("content-type", "application/json").body(body.to_string()),
        None => request,
    }
}

/// Creates a service account; returns its API key.
pub(crate) async fn service(auth: &Auth, name: &str, role: Role) -> String {
    let note = Audit::new("tests".into(), None, "addUser");
    let new =
        NewUser { name: name.to_owned(), role, password: None, service: true, bounds: Default::default() };
    auth.create_user(new, note).await.unwrap().1.unwrap().key.to_string()
}

fn trusting(certificate: Option<&Certificate>) -> ClientBuilder {
    let client = Client::builder();
    match certificate {
        Some(certificate) => {
            let pem = std::fs::read(certificate.path()).unwrap();
            client.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).unwrap())
        }
        None => client,
    }
}

fn bearing(client: ClientBuilder, key: &str) -> Client {
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, format!("Bearer {key}").parse().unwrap());
    client.default_headers(headers).build().unwrap()
}

/// Returns the beginning of an event stream, which has no end: up to the marker behind what it begins with.
async fn begun(mut stream: reqwest::Response) -> String {
    let mut text = String::new();
    while !text.contains("event: snapshot")
        && let Some(chunk) = stream.chunk().await.unwrap()
    {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.unwrap();
        let (method, path) = (request.method().to_string(), request.url().path().to_owned());
        let response = client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let endless = headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
        let text = if endless { begun(response).await } else { response.text().await.unwrap() };
        official::check(&method, &path, status.as_u16(), &text);
        Answer { status, headers, text }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the Error body's code; every error has message, code and reference token.
    pub(crate) fn code(&self) -> String {
        let body = self.json();
        assert!(body["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        let token = body["referenceToken"].as_str().unwrap();
        assert!(
            token.len() == 6 && token.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()),
            "{token}"
        );
        assert_eq!(self.header("content-type"), "application/json; charset=utf-8");
        body["errorCode"].as_str().unwrap().to_owned()
    }
}
