//! Seeded requests over all operations of the document and of the official one: every answer has a declared
//! code, the content type, and a body of its declared type, read strictly. A share of them runs with the
//! other tests; `make typed` runs 6,000, `GENERATED_CASES` any number, `GENERATED_SEED` others.

mod requests;
mod values;

use std::collections::{BTreeMap, HashMap};

use longhaul_auth::Role;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use self::requests::{Operation, Request};
use self::values::Known;
use super::fuzz::Chance;
use super::support::{Answer, Running};

const TABLE: &str = include_str!("../../../src/declared/operations.md");
/// Cases of an ordinary run of the tests.
const SHARE: usize = 700;
/// Codes that are about the transfer of a request, whatever its operation.
const TRANSFER: [u16; 3] = [405, 413, 415];
/// Ids that a run remembers.
const REMEMBERED: usize = 40;
/// Violations that a failure prints.
const SHOWN: usize = 20;

/// A server, who asks it, and what was learnt of it.
struct Ground {
    server: Running,
    callers: [Client; 3],
    document: Value,
    operations: Vec<Operation>,
    validators: HashMap<String, jsonschema::Validator>,
    ids: Vec<String>,
    leases: Vec<String>,
    wrong: Vec<String>,
    answered: BTreeMap<u16, usize>,
}

impl Ground {
    async fn new() -> Self {
        let server = Running::start().await;
        let callers = [server.client.clone(), server.nobody(), server.client_of(Role::Viewer).await];
        let document = server.get("/openapi.json").await.json();
        server.workflow("w", vec![json!({}), json!({ "action": { "worker": { "queue": "q" } } })]).await;
        server.workflow("fails", vec![json!({ "action": { "simulate": { "failAttempts": [1] } } })]).await;
        let user = json!({ "name": "anna", "role": "OPERATOR", "password": "anna's password" });
        assert_eq!(server.send("POST", "/v1/users", Some(user)).await.status, 201);
        let ids = vec![
            server.run("fails").await["id"].as_str().unwrap().to_owned(),
            "00000000-0000-4000-8000-000000000000".to_owned(),
        ];
        let mut operations = requests::of_document(&document);
        let bound = requests::of_table(TABLE);
        for (n, one) in bound.iter().enumerate() {
            bind(&server, one, n).await;
        }
        operations.extend(bound);
        let (validators, leases, wrong, answered) = Default::default();
        Ground { server, callers, document, operations, validators, ids, leases, wrong, answered }
    }

    /// Sends one request of each operation in turn.
    async fn run(&mut self, cases: usize, seed: u64) {
        for case in 0..cases {
            let operation = self.operations[case % self.operations.len()].clone();
            // Each case follows from its number: one that fails can be looked at alone.
            let mut chance = Chance::new(seed ^ (case as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            let known = Known { document: &self.document, ids: &self.ids, leases: &self.leases };
            let request = operation.request(&known, &mut chance);
            let answer = self.send(&request).await;
            *self.answered.entry(answer.status.as_u16()).or_default() += 1;
            for wrong in self.violations(&operation, &answer) {
                let body = request.body.as_deref().map(<[u8]>::escape_ascii).map(|body| body.to_string());
                self.wrong.push(format!(
                    "case {case}, {} {} {:?} {}: {wrong}\n    {} {}",
                    request.method,
                    request.target,
                    request.headers,
                    body.unwrap_or_default().chars().take(600).collect::<String>(),
                    answer.status,
                    answer.text.chars().take(600).collect::<String>()
                ));
            }
            self.learn(&answer);
        }
    }

    async fn send(&self, request: &Request) -> Answer {
        let method = Method::from_bytes(request.method.as_bytes()).unwrap();
        let mut sent = self.callers[request.caller].request(method, self.server.url(&request.target));
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some(body) = &request.body {
            sent = sent.body(body.clone());
        }
        Answer::of(sent).await
    }

    /// Returns the violations of an answer.
    fn violations(&mut self, operation: &Operation, answer: &Answer) -> Vec<String> {
        let status = answer.status.as_u16();
        let mut wrong = Vec::new();
        let declared = operation.responses.get(status.to_string());
        // A parameter is Longhaul's to judge, for an operation that declares no code for it, too.
        let is_parameter = status == 400 && answer.text.contains("\"INVALID_PARAMETER\"");
        if declared.is_none() && !TRANSFER.contains(&status) && !(operation.is_bound && is_parameter) {
            wrong.push(format!("{status} is not declared"));
        }
        let schema = match declared.or_else(|| operation.responses.get("401")) {
            Some(answer) => answer["content"]["application/json"]["schema"].clone(),
            None => json!({ "$ref": "#/components/schemas/Error" }),
        };
        if answer.text.is_empty() {
            if !schema.is_null() && status != 304 {
                wrong.push("there is no body".to_owned());
            }
            return wrong;
        }
        let kind = answer.header("content-type");
        let streams = |answer: &Value| !answer["content"]["text/event-stream"].is_null();
        if kind == "text/event-stream" && declared.is_some_and(streams) {
            // Its tasks were held against their type as they were read.
            return wrong;
        }
        if schema.is_null() {
            wrong.push("there is a body".to_owned());
        }
        if kind != "application/json; charset=utf-8" {
            wrong.push(format!("the content type is {kind}"));
        }
        match serde_json::from_str::<Value>(&answer.text) {
            Err(e) => wrong.push(format!("the body is no JSON: {e}")),
            Ok(body) => {
                let validator = self.validator(&schema);
                let found = validator.iter_errors(&body).take(3);
                wrong.extend(found.map(|e| format!("{}: {e}", e.instance_path())));
            }
        }
        wrong
    }

    fn validator(&mut self, schema: &Value) -> &jsonschema::Validator {
        let components = &self.document["components"];
        self.validators.entry(schema.to_string()).or_insert_with(|| {
            let mut root = schema.clone();
            root["components"] = components.clone();
            jsonschema::validator_for(&root).unwrap()
        })
    }

    /// Remembers ids of tasks and leases, so that later requests are about something that is there.
    fn learn(&mut self, answer: &Answer) {
        let Ok(body) = serde_json::from_str::<Value>(&answer.text) else { return };
        if answer.status == 202
            && let Some(id) = body["id"].as_str()
        {
            self.ids.truncate(REMEMBERED);
            self.ids.insert(0, id.to_owned());
        }
        for lease in body["leases"].as_array().into_iter().flatten() {
            if let (Some(lease), Some(_)) = (lease["lease"].as_str(), lease.get("token")) {
                self.leases.truncate(REMEMBERED);
                self.leases.insert(0, lease.to_owned());
            }
        }
    }
}

/// Gives an official operation a workflow that takes what its row says.
async fn bind(server: &Running, one: &Operation, n: usize) {
    let mut properties = json!({ "body": one.body });
    let mut query = Vec::new();
    for parameter in &one.parameters {
        let name = parameter["name"].as_str().unwrap();
        properties[name] = parameter["schema"].clone();
        if parameter["in"] == "query" {
            query.push(name);
        }
    }
    for (name, part) in one.body["properties"].as_object().into_iter().flatten() {
        properties[name] = part.clone();
    }
    let mut definition = json!({ "name": format!("op-{n}"), "type": "OPERATION", "title": "An operation",
        "route": format!("{} {}", one.method, one.path), "query": query,
        "input": { "type": "object", "properties": properties },
        "subTasks": [{ "name": "Step", "description": "A step", "action": { "simulate": {} } }] });
    match one.body["type"].as_str() {
        Some("object") => definition["input"]["required"] = one.body["required"].clone(),
        Some(_) => definition["body"] = json!("body"),
        None => drop(definition["input"]["properties"].as_object_mut().unwrap().remove("body")),
    }
    let put = server.send("PUT", &format!("/v1/workflows/op-{n}"), Some(definition)).await;
    assert_eq!(put.status, 201, "{put:?}");
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_to_generated_requests_are_as_declared() {
    let (cases, seed) = (number("GENERATED_CASES", SHARE), number("GENERATED_SEED", 19) as u64);
    let mut ground = Ground::new().await;
    assert!(ground.operations.len() > 100, "{}", ground.operations.len());
    ground.run(cases, seed).await;
    let count = ground.wrong.len();
    let shown: Vec<String> = ground.wrong.into_iter().take(SHOWN).collect();
    assert!(count == 0, "GENERATED_SEED={seed}: {count} violations, such as\n{}", shown.join("\n"));
    // Requests of every sort were made: some are answered, some refused for each reason.
    for code in [200, 202, 204, 400, 401, 403, 404, 409, 415] {
        assert!(ground.answered.contains_key(&code), "none of {code}: {:?}", ground.answered);
    }
}
