//! Requests of real clients (wire contract, section 8), byte for byte.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::Running;

async fn raw(server: &Running, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn habits_of_clients_are_tolerated() {
    let server = Running::start().await;
    server
        .workflow(
            "fails",
            vec![json!({ "action": { "simulate": { "failAttempts": [1, 2, 3, 4, 5, 6, 7, 8, 9] } } })],
        )
        .await;
    let id = server.run("fails").await["id"].as_str().unwrap().to_owned();
    let key = &server.key;
    let close =
        format!("Host: sfo-vcf01.rainpole.io\r\nConnection: close\r\nAuthorization: bearer {key}\r\n");
    #[rustfmt::skip]
    let cases: Vec<(String, &str)> = vec![
        (format!("GET /v1/tasks/ HTTP/1.1\r\n{close}\r\n"), "200"),
        (format!("GET /v1/tasks/{id}/ HTTP/1.1\r\n{close}\r\n"), "200"),
        (format!("GET /v1/tasks HTTP/1.1\r\n{close}Content-Type: application/json\r\n\r\n"), "200"),
        (format!("GET /v1/tasks HTTP/1.1\r\n{close}Accept: */*\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\nnull"), "200"),
        (format!("GET /v1/tasks?page=0&pageSize=100&status=IN_PROGRESS HTTP/1.1\r\n{close}\r\n"), "200"),
        (format!("GET /v1/tasks?taskStatus=In%20Progress HTTP/1.1\r\n{close}\r\n"), "200"),
        (format!("GET /v1/tasks?taskName=a&b&doLiveRefresh=false HTTP/1.1\r\n{close}\r\n"), "200"),
        (format!("PATCH /v1/tasks/{id} HTTP/1.1\r\n{close}Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"), "200"),
        (format!("PATCH /v1/tasks/{id} HTTP/1.1\r\n{close}Content-Type: application/json\r\nContent-Length: 0\r\n\r\n"), "200"),
        (format!("PATCH /v1/tasks/{id} HTTP/1.1\r\n{close}Content-Length: 0\r\n\r\n"), "200"),
        (format!("PATCH /v1/tasks/{id} HTTP/1.1\r\n{close}Content-Type: application/json\r\nContent-Length: 4\r\n\r\nnull"), "200"),
        (format!("PATCH /v1/tasks/{id} HTTP/1.1\r\n{close}Content-Type: text/odd\r\nContent-Length: 22\r\n\r\n{{\"status\":\"CANCELLED\"}}"), "200"),
        (format!("DELETE /v1/tasks/{id} HTTP/1.1\r\n{close}Content-Length: 4\r\n\r\nnull"), "409"),
    ];
    for (request, status) in cases {
        if request.starts_with("PATCH") {
            // Each retry needs the failure before it.
            server.get(&format!("/v1/tasks/{id}?wait=10s")).await;
        }
        if request.starts_with("DELETE") {
            server.get(&format!("/v1/tasks/{id}?wait=10s")).await;
        }
        let answer = raw(&server, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answer}");
        assert!(answer.to_lowercase().contains("content-type: application/json"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expect_continue_is_answered() {
    let server = Running::start().await;
    server.workflow("w", vec![json!({})]).await;
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let body = r#"{"workflow":"w","input":{"host":"a"}}"#;
    let head = format!(
        "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        server.key,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}
