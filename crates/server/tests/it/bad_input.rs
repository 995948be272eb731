//! Bad input: each has the right status and code with an Error body, and changes nothing.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Answer, Running};

const ABSENT: &str = "/v1/tasks/00000000-0000-4000-8000-000000000000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_requests_are_refused_and_change_nothing() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    let deep = format!("{{\"workflow\":\"w\",\"input\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let deeper = "[".repeat(500_000);
    let huge = format!("{{\"workflow\":\"w\",\"input\":{{\"host\":\"{}\"}}}}", "x".repeat(10 << 20));
    let latin = b"{\"workflow\":\"w\",\"input\":{\"host\":\"\xfc\"}}".to_vec();
    let body = |text: &str| text.as_bytes().to_vec();
    let ok = r#"{"workflow":"w","input":{"host":"a"}"#;
    #[rustfmt::skip]
    let cases: Vec<(&str, &str, Vec<u8>, u16, &str)> = vec![
        ("POST", "/v1/tasks", body(r#"{"workflow":"nope"}"#), 404, "WORKFLOW_NOT_FOUND"),
        ("POST", "/v1/tasks", body(r#"{"workflow":"w","version":7,"input":{"host":"a"}}"#), 404, "WORKFLOW_VERSION_NOT_FOUND"),
        ("POST", "/v1/tasks", body(r#"{"workflow":"w","input":{"n":"x"}}"#), 422, "INVALID_INPUT"),
        ("POST", "/v1/tasks", body(r#"{"workflow":"w"}"#), 422, "INVALID_INPUT"),
        ("POST", "/v1/tasks", body(r#"{"input":{}}"#), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks", body(&format!("{ok},\"colour\":1}}")), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks", body(&format!("{ok},\"notBefore\":\"soon\"}}")), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks", body(&format!("{ok},\"name\":\" \"}}")), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks", body(&format!("{ok},\"labels\":{{\"a\":1}}}}")), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks?wait=long", body(&format!("{ok}}}")), 400, "INVALID_PARAMETER"),
        ("POST", "/v1/tasks", body(""), 400, "MALFORMED_JSON"),
        ("POST", "/v1/tasks", body("{"), 400, "MALFORMED_JSON"),
        ("POST", "/v1/tasks", body("[1,2]"), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks", body(&deep), 400, "MALFORMED_JSON"),
        ("POST", "/v1/tasks", body(&deeper), 400, "MALFORMED_JSON"),
        ("POST", "/v1/tasks", latin, 400, "MALFORMED_JSON"),
        ("POST", "/v1/tasks", body(&huge), 413, "BODY_TOO_LARGE"),
        ("POST", "/v1/tasks/import", body(r#"{"elements":[{"id":"x"}]}"#), 400, "INVALID_REQUEST"),
        ("POST", "/v1/tasks/import", body("17"), 400, "MALFORMED_JSON"),
        ("GET", "/v1/tasks?pageNumber=-1", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?pageSize=101", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?pageSize=ten", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?taskStatus=RUNNING", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?orderBy=colour", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?orderDirection=up", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?completedAfter=now", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?view=half", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?include=secrets", vec![], 400, "INVALID_PARAMETER"),
        ("GET", "/v1/tasks?taskName=%ff", vec![], 400, "INVALID_REQUEST"),
        ("GET", "/v1/tasks/not-a-uuid", vec![], 404, "TASK_ID_MALFORMED"),
        ("GET", "/v1/tasks/%ff%fe", vec![], 404, "TASK_ID_MALFORMED"),
        ("GET", ABSENT, vec![], 404, "TA_TASK_NOT_FOUND"),
        ("PATCH", ABSENT, vec![], 404, "TA_TASK_NOT_FOUND"),
        ("DELETE", ABSENT, vec![], 404, "TA_TASK_NOT_FOUND"),
        ("DELETE", "/v1/tasks/xyz", vec![], 404, "TASK_ID_MALFORMED"),
        ("POST", "/v1/tasks/00000000-0000-4000-8000-000000000000/resolve", body(r#"{"reason":" "}"#), 400, "INVALID_REQUEST"),
        ("PUT", "/v1/tasks", vec![], 405, "METHOD_NOT_ALLOWED"),
        ("POST", ABSENT, vec![], 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/v1/nothing", vec![], 404, "ROUTE_NOT_FOUND"),
        ("GET", "/", vec![], 404, "ROUTE_NOT_FOUND"),
        ("DELETE", "/v1/tasks/history", vec![], 400, "MALFORMED_JSON"),
        ("DELETE", "/v1/tasks/config/settings", vec![], 405, "METHOD_NOT_ALLOWED"),
        ("PUT", "/v1/workflows/other", body(r#"{"name":"x","type":"T","title":"t","subTasks":[]}"#), 400, "INVALID_REQUEST"),
        ("PUT", "/v1/workflows/w", body(r#"{"name":"w","tpye":"T"}"#), 400, "WORKFLOW_INVALID"),
        ("GET", "/v1/workflows/w?version=zero", vec![], 400, "INVALID_PARAMETER"),
    ];
    for (method, path, body, status, code) in cases {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let shown = String::from_utf8_lossy(&body).chars().take(60).collect::<String>();
        let answer = Answer::of(
            server.client.request(method.clone(), format!("http://{}{path}", server.address)).body(body),
        )
        .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{method} {path} {shown}: {answer:?}"
        );
        assert_eq!(server.total().await, 0, "{method} {path} changed something");
    }
    assert_eq!(server.get("/v1/workflows").await.json()["elements"][0]["versions"], json!([1]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_violation_of_the_schema_has_its_pointer() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    let body = json!({ "workflow": "w", "input": { "n": "x" } });
    let refused = server.send("POST", "/v1/tasks", Some(body)).await.json();
    let pointers: Vec<&str> = refused["nestedErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["context"]["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers.len(), 2, "{refused}");
    assert!(pointers.contains(&"/input") && pointers.contains(&"/input/n"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_content_type_and_wrong_method_say_what_is_right() {
    let server = Running::start().await;
    let url = format!("http://{}/v1/tasks", server.address);
    let form =
        Answer::of(server.client.post(&url).header("content-type", "text/plain").body("workflow=w")).await;
    assert_eq!((form.status.as_u16(), form.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    let packed =
        server.client.post(&url).header("content-encoding", "gzip").json(&json!({ "workflow": "w" }));
    let packed = Answer::of(packed).await;
    assert_eq!((packed.status.as_u16(), packed.code().as_str()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    let put = Answer::of(server.client.put(&url)).await;
    assert_eq!(put.header("allow"), "GET, HEAD, POST");
}

/// A body without a length is read no further than the limit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endless_body_is_cut_off() {
    let server = Running::start().await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let key = &server.key;
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..64 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let mut answer = Vec::new();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 413"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

/// A client that sends all of its body before it reads gets its answer, although the server refused the
/// request before it had read the body: by its path, credential, length, type or method.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_refused_unread_do_not_reset_the_connection() {
    let server = Running::start().await;
    let key = format!("authorization: Bearer {}\r\n", server.key);
    let (json, text) = ("content-type: application/json\r\n", "content-type: text/plain\r\n");
    for size in [1 << 10, 64 << 10, 2 << 20, 12 << 20] {
        for (call, credential, kind) in [
            ("POST /v1/tasks", key.as_str(), json),
            ("POST /v1/tasks", key.as_str(), text),
            ("POST /v1/tasks", "", json),
            ("POST /v1/tokens", "", json),
            ("PUT /v1/nothing", key.as_str(), json),
            ("PUT /v1/nothing", "", json),
            ("PUT /v1/tasks", key.as_str(), json),
            ("PATCH /v1/tasks/no-id", key.as_str(), json),
        ] {
            for chunked in [false, true] {
                let length = if chunked {
                    "transfer-encoding: chunked".to_owned()
                } else {
                    format!("content-length: {size}")
                };
                let head = format!("{call} HTTP/1.1\r\nhost: x\r\n{credential}{kind}{length}\r\n\r\n");
                let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
                stream.write_all(head.as_bytes()).await.unwrap();
                let part = "[".repeat(size.min(64 << 10));
                for _ in 0..size / part.len() {
                    let part = if chunked { format!("{:x}\r\n{part}\r\n", part.len()) } else { part.clone() };
                    stream.write_all(part.as_bytes()).await.unwrap_or_else(|e| panic!("{call}, {size}: {e}"));
                }
                if chunked {
                    stream.write_all(b"0\r\n\r\n").await.unwrap();
                }
                let refused = answer_on(&mut stream).await.unwrap_or_else(|e| panic!("{call}, {size}: {e}"));
                assert!(refused.starts_with("http/1.1 4"), "{call}, {size}: {refused}");
                // A client sends its next request on a connection unless the answer said that it ends.
                let ends = refused.contains("connection: close");
                assert!(!ends || size > 64 << 10, "{call}, {size}: {refused}");
                if !ends {
                    stream.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
                    let next = answer_on(&mut stream).await.unwrap_or_else(|e| panic!("{call}, {size}: {e}"));
                    assert!(next.starts_with("http/1.1 "), "{call}, {size}: {next}");
                }
            }
        }
    }
}

/// Reads one answer on a connection, its head in lower case; its body is read and dropped.
async fn answer_on(stream: &mut tokio::net::TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.expect("an answer with a length").parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(head)
}

/// Requests that no handler ever sees are answered in the same words.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_request_gets_an_error_body_too() {
    let server = Running::start().await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "a".repeat(100_000));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: 1\r\n".repeat(300));
    for (request, status, code) in [
        ("nonsense\r\n\r\n", "400", "MALFORMED_REQUEST"),
        ("GET /\u{7f} HTTP/1.1\r\n\r\n", "400", "MALFORMED_REQUEST"),
        ("POST /v1/tasks HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n", "400", "MALFORMED_REQUEST"),
        (long.as_str(), "431", "HEADERS_TOO_LARGE"),
        (many.as_str(), "431", "HEADERS_TOO_LARGE"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let text = String::from_utf8_lossy(&answer);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text}"));
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{text}");
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["errorCode"], code, "{text}");
        assert_eq!(body["referenceToken"].as_str().map(str::len), Some(6));
    }
}
