//! The OpenAPI document: committed, complete, and equal to the server's answers.

use serde_json::{Value, json};

use super::support::Running;

/// The committed document is that of the code; `UPDATE_OPENAPI=1` writes it.
#[test]
fn committed_document_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi/longhaul.json");
    let document: Value = serde_json::from_str(&longhaul_server::openapi_document()).unwrap();
    let pretty = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &pretty).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == pretty,
        "openapi/longhaul.json is not the code's: run the tests with UPDATE_OPENAPI=1"
    );
}

#[test]
fn operations_are_unique_and_references_lead_somewhere() {
    let document: Value = serde_json::from_str(&longhaul_server::openapi_document()).unwrap();
    let mut ids = std::collections::HashSet::new();
    for operation in
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{operation}");
        assert!(operation["x-longhaul-role"].is_string(), "{operation}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let target = reference.split('"').next().unwrap().trim_start_matches('#');
        assert!(document.pointer(target).is_some(), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_match_their_schemas() {
    let server = Running::start().await;
    let document = server.get("/openapi.json").await.json();
    let check = |schema: &str, value: &Value| {
        let root =
            json!({ "$ref": format!("#/components/schemas/{schema}"), "components": document["components"] });
        let validator = jsonschema::validator_for(&root).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{schema}: {errors:?}\n{value}");
    };
    server
        .workflow("fails", vec![json!({}), json!({ "action": { "simulate": { "failAttempts": [1] } } })])
        .await;
    let task = server.run("fails").await;
    let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    check("Task", &task);
    check("Task", &server.get(&format!("{path}?include=all")).await.json());
    check("PageOfTask", &server.get("/v1/tasks?include=all").await.json());
    check("PageOfAttempt", &server.get(&format!("{path}/attempts")).await.json());
    check("PageOfWorkflow", &server.get("/v1/workflows").await.json());
    check("Workflow", &server.get("/v1/workflows/fails").await.json());
    let login = json!({ "username": "admin", "password": super::support::PASSWORD });
    check("TokenPair", &server.send("POST", "/v1/tokens", Some(login)).await.json());
    let sessions = server.get("/v1/sessions").await.json();
    assert_eq!(sessions["pageMetadata"]["totalElements"], 1);
    check("PageOfSession", &sessions);
    check("Error", &server.get("/v1/tasks/nonsense").await.json());
    check("Health", &server.get("/health/ready").await.json());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documentation_page_needs_nobody_else() {
    let server = Running::start().await;
    let page = server.get("/docs").await;
    assert_eq!(page.status, 200, "the redirect is followed");
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    assert!(!page.text.contains("https://"), "nothing is loaded from elsewhere");
    for file in ["swagger-initializer.js", "swagger-ui-bundle.js", "swagger-ui.css"] {
        assert_eq!(server.get(&format!("/docs/{file}")).await.status, 200, "{file}");
    }
}
