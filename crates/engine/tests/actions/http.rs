//! `http` against a small server on the loopback address.

#[path = "http_server.rs"]
pub(crate) mod http_server;

use std::time::{Duration, Instant};

use longhaul_model::{Failure, Span};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::actions;
use crate::support::{error, launch, log, run};
use http_server::{Server, answer};

/// Runs an `http` action against a server; `URL` in it stands for the server's address.
async fn http(server: &Server, action: Value, input: Value) -> Result<Option<Value>, Failure> {
    let text = action.to_string().replace("URL", &server.url());
    let action: Value = serde_json::from_str(&text).expect("still JSON");
    run(&actions(&["127.0.0.1"], &[]), json!({ "http": action }), input).await
}

#[tokio::test]
async fn http_sends_what_the_template_says() {
    let server = Server::start(|_| answer(200, "application/json", r#"{"id": "h1"}"#)).await;
    let action = json!({
        "method": "POST", "url": "URL/v1/{{ input.path }}?q=1", "headers": {"X-Own": "{{ input.n }}", "Accept": "a/b"},
        "body": {"n": "{{ input.n }}", "fixed": [true]},
    });
    let output = http(&server, action, json!({"path": "hosts", "n": 5})).await;
    assert_eq!(output, Ok(Some(json!({"id": "h1"}))));
    let request = server.last();
    assert!(request.head.starts_with("POST /v1/hosts?q=1 HTTP/1.1\r\n"), "{}", request.head);
    for line in [
        "idempotency-key: key-of-the-attempt",
        concat!("user-agent: Longhaul/", env!("CARGO_PKG_VERSION")),
        "x-own: 5",
        "accept: a/b",
        "content-type: application/json",
    ] {
        assert!(request.head.to_lowercase().contains(&line.to_lowercase()), "{line} in {}", request.head);
    }
    assert_eq!(request.body, r#"{"n":5,"fixed":[true]}"#);
}

#[tokio::test]
async fn http_text_body_is_sent_as_it_is_and_own_headers_win() {
    let server = Server::start(|_| answer(204, "", "")).await;
    let headers = json!({"Content-Type": "application/xml", "Idempotency-Key": "mine"});
    let action = json!({"method": "PUT", "url": "URL/", "headers": headers, "body": "<a>{{ input.x }}</a>"});
    assert_eq!(http(&server, action, json!({"x": 1})).await, Ok(None));
    let request = server.last();
    assert_eq!(request.body, "<a>1</a>");
    let head = request.head.to_lowercase();
    assert!(
        head.contains("content-type: application/xml") && head.contains("idempotency-key: mine"),
        "{head}"
    );
    assert!(!head.contains("text/plain") && !head.contains("key-of-the-attempt"), "{head}");
}

#[tokio::test]
async fn http_output_is_the_body_or_what_its_expression_takes() {
    let server = Server::start(|request| match request.path() {
        "/text" => answer(200, "text/plain", "hello"),
        "/problem" => answer(200, "application/problem+json; charset=utf-8", "[1]"),
        "/mislabelled" => answer(200, "application/json", "OK"),
        _ => answer(201, "application/json", r#"{"items": [{"n": 1}, {"n": 2}]}"#),
    })
    .await;
    for (action, expected) in [
        (json!({"url": "URL/text"}), json!("hello")),
        (json!({"url": "URL/problem"}), json!([1])),
        (json!({"url": "URL/mislabelled"}), json!("OK")),
        (json!({"url": "URL/", "output": "body['items'][1].n"}), json!(2)),
        (json!({"url": "URL/", "output": "{{ status }}"}), json!(201)),
        (json!({"url": "URL/", "output": "headers['content-type'] ~ input.x"}), json!("application/json!")),
        (json!({"url": "URL/", "output": "{'a': body['items']|length}"}), json!({"a": 2})),
    ] {
        assert_eq!(http(&server, action.clone(), json!({"x": "!"})).await, Ok(Some(expected)), "{action}");
    }
    let missing = http(&server, json!({"url": "URL/", "output": "body.missing.more"}), json!({})).await;
    let (fault, retryable) = error(missing);
    assert_eq!((fault.error_code.as_str(), retryable), ("EXPRESSION_ERROR", false));
}

#[tokio::test]
async fn http_unexpected_status_fails_with_what_was_answered() {
    let server = Server::start(|request| {
        let status = request.path().trim_start_matches('/').parse().unwrap_or(200);
        answer(status, "text/plain", &"no such host ".repeat(100))
    })
    .await;
    for (status, retryable) in [
        (400, false),
        (401, false),
        (404, false),
        (409, false),
        (408, true),
        (429, true),
        (500, true),
        (503, true),
    ] {
        let action = json!({"method": "DELETE", "url": format!("URL/{status}?token=secret#part")});
        let (fault, again) = error(http(&server, action, json!({})).await);
        assert_eq!((fault.error_code.as_str(), again), ("HTTP_STATUS", retryable), "{status}");
        let start = format!("DELETE {}/{status}?… answered {status} ", server.url());
        assert!(fault.message.starts_with(&start), "{}", fault.message);
        assert_eq!(fault.context["status"], json!(status.to_string()));
        assert_eq!(fault.causes[0].message.chars().count(), 500, "{:?}", fault.causes[0].message);
        assert!(fault.remediation_message.is_some());
        assert!(!format!("{fault:?}").contains("secret"));
    }
    for status in [502, 504] {
        let result = http(&server, json!({"url": format!("URL/{status}")}), json!({})).await;
        assert!(matches!(result, Err(Failure::Unknown { .. })), "{status}: {result:?}");
    }
    let expected = json!({"url": "URL/404", "expect": [200, "404-405"], "output": "status"});
    assert_eq!(http(&server, expected, json!({})).await, Ok(Some(json!(404))));
}

#[tokio::test]
async fn http_redirects_are_not_followed() {
    let server = Server::start(|request| match request.path() {
        "/from" => b"HTTP/1.1 302 Found\r\nlocation: /to?token=secret\r\ncontent-length: 0\r\n\r\n".to_vec(),
        _ => answer(200, "text/plain", "followed"),
    })
    .await;
    let (fault, retryable) = error(http(&server, json!({"url": "URL/from"}), json!({})).await);
    assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_STATUS", false));
    assert!(
        fault.message.contains(&format!("a redirect to {}/to?…; redirects are not followed", server.url()))
    );
    assert!(!fault.message.contains("secret"));
    assert_eq!(server.count(), 1);
    let expected = json!({"url": "URL/from", "expect": [302], "output": "headers.location"});
    assert_eq!(http(&server, expected, json!({})).await, Ok(Some(json!("/to?token=secret"))));
}

#[tokio::test]
async fn http_to_addresses_that_are_not_listed_is_denied_before_anything_is_sent() {
    let server = Server::start(|_| answer(200, "text/plain", "reached")).await;
    let port = server.port();
    let action = |host: &str| json!({"http": {"url": format!("http://{host}:{port}/?secret")}});
    for (listed, host) in [
        (vec![], "127.0.0.1"),
        (vec![], "localhost"),
        (vec![], "0x7f.1"),
        (vec![], "[::ffff:127.0.0.1]"),
        (vec!["10.0.0.0/8"], "127.0.0.1"),
        (vec!["127.0.0.1:1"], "127.0.0.1"),
        (vec!["localhost:1"], "localhost"),
        (vec!["localhost"], "127.0.0.1"),
    ] {
        let (fault, retryable) = error(run(&actions(&listed, &[]), action(host), json!({})).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_DENIED", false), "{host}");
        assert!(fault.remediation_message.unwrap().contains("`http.allow`"));
        assert!(!fault.message.contains("secret"), "{}", fault.message);
    }
    assert_eq!(server.count(), 0);
    let with_port = format!("localhost:{port}");
    for listed in [["localhost"], ["127.0.0.1/32"], [with_port.as_str()]] {
        let output = run(&actions(&listed, &[]), action("localhost"), json!({})).await;
        assert_eq!(output, Ok(Some(json!("reached"))), "{listed:?}");
    }
}

#[tokio::test]
async fn http_with_an_impossible_request_is_refused_and_names_the_field() {
    let server = Server::start(|_| answer(200, "text/plain", "reached")).await;
    for (action, field) in [
        (json!({"url": "{{ input.bad }}"}), "`url`"),
        (json!({"url": "http://user:secret@127.0.0.1/"}), "`url`"),
        (json!({"url": "{{ input.ftp }}"}), "`url`"),
        (json!({"url": "URL", "headers": {"Host": "other"}}), "`headers.Host`"),
        (json!({"url": "URL", "headers": {"Transfer-Encoding": "chunked"}}), "`headers.Transfer-Encoding`"),
        (json!({"url": "URL", "headers": {"a b": "c"}}), "`headers.a b`"),
        (json!({"url": "URL", "headers": {"A": "{{ input.split }}"}}), "`headers.A`"),
    ] {
        let input = json!({"bad": "no address", "ftp": "ftp://127.0.0.1/", "split": "secret\r\nX-Other: 1"});
        let (fault, retryable) = error(http(&server, action, input).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_REQUEST", false), "{fault:?}");
        assert!(fault.message.contains(field) && !fault.message.contains("secret"), "{}", fault.message);
    }
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn http_without_a_connection_fails_and_may_be_retried() {
    let server = Server::start(|_| Vec::new()).await;
    let closed = server.url();
    drop(server);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let action = json!({"http": {"url": format!("{closed}/?token=secret")}});
    let (fault, retryable) = error(run(&actions(&["127.0.0.1"], &[]), action, json!({})).await);
    assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_CONNECT", true));
    assert!(fault.message.contains("refused") && !fault.message.contains("secret"), "{}", fault.message);
}

#[tokio::test]
async fn http_to_a_service_that_does_not_speak_tls_fails_to_connect() {
    let server = Server::start(|_| answer(200, "text/plain", "plain")).await;
    let action = json!({"http": {"url": format!("https://127.0.0.1:{}/", server.port())}});
    let (fault, retryable) = error(run(&actions(&["127.0.0.1"], &[]), action, json!({})).await);
    assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_CONNECT", true), "{}", fault.message);
}

#[tokio::test]
async fn http_connection_that_breaks_after_the_request_has_an_unknown_outcome() {
    let server = Server::start(|request| match request.path() {
        "/half" => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec(),
        _ => Vec::new(),
    })
    .await;
    for path in ["none", "half"] {
        let result = http(&server, json!({"method": "POST", "url": format!("URL/{path}")}), json!({})).await;
        let Err(Failure::Unknown { fault }) = result else { panic!("{path}: {result:?}") };
        assert_eq!(fault.error_code, "HTTP_INTERRUPTED");
    }
    assert_eq!(server.count(), 2, "nothing is sent twice");
}

#[tokio::test]
async fn http_bodies_above_the_limits_are_refused_and_name_them() {
    let server = Server::start(|request| match request.path() {
        "/announced" => b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_vec(),
        "/endless" => {
            let mut bytes = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
            bytes.resize(11 * 1024 * 1024, b'x');
            bytes
        }
        _ => answer(200, "application/json", &format!("[\"{}\", 5]", "x".repeat(2 * 1024 * 1024))),
    })
    .await;
    for path in ["announced", "endless"] {
        let (fault, retryable) = error(http(&server, json!({"url": format!("URL/{path}")}), json!({})).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_BODY", false), "{path}");
        assert!(fault.message.contains("10 MiB"));
    }
    let (fault, _) = error(http(&server, json!({"url": "URL/two"}), json!({})).await);
    assert_eq!(fault.error_code, "OUTPUT_TOO_LARGE");
    assert_eq!(
        http(&server, json!({"url": "URL/two", "output": "body[1]"}), json!({})).await,
        Ok(Some(json!(5)))
    );
}

#[tokio::test]
async fn http_when_stopped_lets_go_of_its_connection() {
    let server = Server::start(|_| http_server::SILENCE.to_vec()).await;
    let mut request = launch(json!({"http": {"url": server.url()}}), json!({}));
    request.timeout = Some(Span(60_000));
    let (stop, start) = (CancellationToken::new(), Instant::now());
    let (actions, stopper) = (actions(&["127.0.0.1"], &[]), stop.clone());
    let (result, ()) = tokio::join!(actions.run(&request, stop, log()), async {
        server.wait_for(1).await;
        stopper.cancel();
    });
    assert_eq!(result, Err(Failure::Stopped));
    server.wait_until_closed().await;
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn http_connections_are_used_again() {
    let server = Server::start(|_| answer(200, "text/plain", "x")).await;
    let actions = actions(&["127.0.0.1"], &[]);
    for _ in 0..10 {
        let action = json!({"http": {"url": server.url()}});
        assert_eq!(run(&actions, action, json!({})).await, Ok(Some(json!("x"))));
    }
    assert_eq!((server.count(), server.connections()), (10, 1));
}

#[test]
fn new_with_a_bad_entry_names_it() {
    let http = longhaul_engine::HttpConfig { allow: vec!["10.0.0.1/8".to_owned()], ..Default::default() };
    let config = longhaul_engine::EngineConfig { http, ..Default::default() };
    let error = longhaul_engine::action::Actions::new(&config).expect_err("a bad entry").to_string();
    assert_eq!(error, "http.allow: `10.0.0.1/8` has address bits behind its prefix; write 10.0.0.0/8");
}
