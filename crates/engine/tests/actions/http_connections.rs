//! `http` and its connections, and its reading of answers in other forms than JSON in UTF-8.

use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use longhaul_engine::action::Actions;
use longhaul_model::Failure;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::actions;
use crate::http::http_server::{Server, answer};
use crate::support::{error, launch, log};

/// Runs a request with actions that are kept, and so are their connections.
async fn send(
    actions: &Actions,
    server: &Server,
    path: &str,
    repeatable: bool,
) -> Result<Option<Value>, Failure> {
    let action =
        json!({ "http": { "method": "POST", "url": format!("{}{path}", server.url()), "body": { "n": 1 } } });
    let mut attempt = launch(action, json!({}));
    attempt.repeatable = repeatable;
    actions.run(&attempt, CancellationToken::new(), log()).await
}

#[tokio::test]
async fn request_that_must_not_be_repeated_has_a_connection_of_its_own() {
    let server = Server::start(|_| answer(200, "application/json", "1")).await;
    let actions = actions(&["127.0.0.1"], &[]);
    for _ in 0..3 {
        assert_eq!(send(&actions, &server, "/", true).await, Ok(Some(json!(1))));
    }
    assert_eq!(server.connections(), 1, "kept for the next request");
    for _ in 0..3 {
        assert_eq!(send(&actions, &server, "/", false).await, Ok(Some(json!(1))));
    }
    assert_eq!((server.count(), server.connections()), (6, 4));
}

#[tokio::test]
async fn request_on_a_kept_connection_that_closes_is_sent_once_more() {
    // Closes, without a word, upon the second and the fourth request.
    let seen = AtomicUsize::new(0);
    let server = Server::start(move |_| match seen.fetch_add(1, Ordering::SeqCst) + 1 {
        2 | 4 => Vec::new(),
        n => answer(200, "application/json", &n.to_string()),
    })
    .await;
    let kept = actions(&["127.0.0.1"], &[]);
    assert_eq!(send(&kept, &server, "/", true).await, Ok(Some(json!(1))));
    assert_eq!(send(&kept, &server, "/", true).await, Ok(Some(json!(3))), "the second was sent again");
    // On a connection made for it, nobody knows what became of a request: it is not repeated here.
    let fresh = actions(&["127.0.0.1"], &[]);
    assert!(matches!(send(&fresh, &server, "/", true).await, Err(Failure::Unknown { .. })));
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn request_that_must_not_be_repeated_never_is() {
    let server = Server::start(|_| Vec::new()).await;
    let actions = actions(&["127.0.0.1"], &[]);
    assert!(matches!(send(&actions, &server, "/", false).await, Err(Failure::Unknown { .. })));
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn pause_that_a_service_asks_for_is_told() {
    let server = Server::start(|request| {
        let given = request.path().trim_start_matches('/').replace('_', " ");
        format!("HTTP/1.1 503 Busy\r\nretry-after: {given}\r\ncontent-length: 0\r\n\r\n").into_bytes()
    })
    .await;
    let actions = actions(&["127.0.0.1"], &[]);
    for (given, wanted) in [("/7", Some("7000")), ("/soon", None), ("/Thu,_01_Jan_1970_00:00:00_GMT", None)] {
        let (fault, retryable) = error(send(&actions, &server, given, true).await);
        assert!(retryable);
        assert_eq!(fault.context.get("retryAfterMs").and_then(Value::as_str), wanted, "{given}");
    }
    let (fault, _) = error(send(&actions, &server, "/Tue,_31_Dec_2199_23:59:59_GMT", true).await);
    assert!(fault.retry_after().is_some_and(|pause| pause.0 > 1_000_000_000));
}

fn packed(kind: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn answers_are_decoded_or_fail_and_never_garble() {
    let server = Server::start(|request| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut gzip, "{\"größe\": 1}".as_bytes()).expect("in memory");
        let gzip = gzip.finish().expect("in memory");
        match request.path() {
            "/gzip" => packed("application/json", "gzip", &gzip),
            "/bom" => packed("application/json", "identity", b"\xef\xbb\xbf{\"a\":1}"),
            "/latin" => packed("text/plain; charset=iso-8859-1", "identity", b"gr\xfcn"),
            "/brotli" => packed("application/json", "br", b"\x0b\x02\x80{}\x03"),
            "/cut" => packed("application/json", "gzip", &gzip[..gzip.len() / 2]),
            _ => packed("image/png", "identity", b"\x89PNG\r\n\x1a\n\xff\xfe"),
        }
    })
    .await;
    let actions = actions(&["127.0.0.1"], &[]);
    for (path, wanted) in
        [("/gzip", json!({ "größe": 1 })), ("/bom", json!({ "a": 1 })), ("/latin", json!("grün"))]
    {
        assert_eq!(send(&actions, &server, path, true).await, Ok(Some(wanted)), "{path}");
    }
    for path in ["/brotli", "/cut", "/binary"] {
        let (fault, retryable) = error(send(&actions, &server, path, true).await);
        assert_eq!((fault.error_code.as_str(), retryable), ("HTTP_BODY", false), "{path}: {fault:?}");
        assert!(fault.message.contains("cannot be read as a text"), "{}", fault.message);
    }
}
