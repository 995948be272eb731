//! The page in a browser's eyes: what it may load, what is kept, and where the root of the server leads.

use reqwest::header::{ACCEPT, ACCEPT_ENCODING};
use reqwest::redirect::Policy;

use super::support::{Answer, Running};

const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn nonce(answer: &Answer) -> String {
    let policy = answer.header("content-security-policy");
    policy.split("'nonce-").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or_default().to_owned()
}

/// Every address of the page is the same document, each time with another nonce, and for nobody to keep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn document_is_at_every_path_of_the_page_with_a_nonce_of_its_own() {
    let server = Running::start().await;
    let mut nonces = Vec::new();
    for path in ["/ui", "/ui/", "/ui/index.html", "/ui/tasks", "/ui/tasks/1a2b?tab=logs", "/ui/%ff/../x"] {
        let answer = Answer::of(server.nobody().get(server.url(path)).header(ACCEPT, BROWSER)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "text/html; charset=utf-8")
        );
        assert!(answer.header("cache-control").contains("no-store"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        let policy = answer.header("content-security-policy");
        for part in ["default-src 'none'", "script-src 'self';", "frame-ancestors 'none'", "base-uri 'none'"]
        {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !answer.text.contains("__CSP_NONCE__"), "{path}");
        let nonce = nonce(&answer);
        assert!(nonce.len() == 22 && answer.text.contains(&nonce), "{path}: {nonce}");
        nonces.push(nonce);
        let head = Answer::of(server.nobody().head(server.url(path))).await;
        assert_eq!((head.status, head.text.as_str()), (answer.status, ""));
        assert_eq!(head.header("content-length"), answer.text.len().to_string(), "{path}");
    }
    let different = nonces.iter().collect::<std::collections::HashSet<_>>().len();
    assert_eq!(different, nonces.len());
}

/// Every file that the document names is there, as it is and compressed; names that it does not have are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_document_are_there_and_no_others() {
    let server = Running::start().await;
    let document = Answer::of(server.nobody().get(server.url("/ui"))).await.text;
    let named = document.split('"').filter(|part| part.starts_with("/ui/assets/"));
    for path in named {
        for coding in ["identity", "gzip"] {
            let request = server.nobody().get(server.url(path)).header(ACCEPT_ENCODING, coding);
            let file = request.send().await.unwrap();
            assert_eq!(file.status(), 200, "{path}");
            assert!(file.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
            assert!(file.headers().contains_key("etag"), "{path}");
        }
    }
    for path in ["/ui/assets/none.js", "/ui/assets/", "/ui/assets/../../Cargo.toml", "/ui/assets/%2e%2e/x"] {
        // A client would resolve the dots itself.
        let answer = raw(&server, path).await;
        let missing =
            answer.starts_with("HTTP/1.1 404") || path == "/ui/assets/" && answer.contains("<!doctype");
        assert!(missing, "{path}: {answer}");
    }
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(server.send(method, "/ui", None).await.code(), "METHOD_NOT_ALLOWED");
        assert_eq!(server.send(method, "/ui/tasks", None).await.code(), "METHOD_NOT_ALLOWED");
    }
}

async fn raw(server: &Running, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", server.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A browser at the root is led to the page; a program is answered as at any path that is nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_leads_browsers_to_the_page_and_nobody_else() {
    let server = Running::start().await;
    let staying = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let ask = async |method: &str, path: &str, accept: &str| {
        let request = staying.request(method.parse().unwrap(), server.url(path)).header(ACCEPT, accept);
        Answer::of(request).await
    };
    for method in ["GET", "HEAD"] {
        for accept in [BROWSER, "TEXT/HTML;q=0.9", "*/*, text/html"] {
            let answer = ask(method, "/", accept).await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("location")),
                (302, "/ui"),
                "{method} {accept}"
            );
        }
        for accept in ["*/*", "application/json", "text/*", "application/json;x=text/html"] {
            assert_eq!(ask(method, "/", accept).await.status, 401, "{method} {accept}");
        }
    }
    for (method, path) in [("POST", "/"), ("DELETE", "/"), ("GET", "/v1/none"), ("GET", "/uix")] {
        assert_eq!(ask(method, path, BROWSER).await.status, 401, "{method} {path}");
    }
}
