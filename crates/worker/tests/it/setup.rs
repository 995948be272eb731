//! Settings of a worker: an address, a key, trust.

use std::time::Duration;

use longhaul_worker::{Context, Worker, WorkerBuilder, WorkerError};
use serde_json::{Value, json};

use super::support::{AtWork, Server};

fn builder(url: &str, key: &str) -> WorkerBuilder {
    Worker::builder(url, key).queue("q", nothing)
}

async fn nothing(_ctx: Context, _input: Value) -> Result<(), longhaul_worker::ActionError> {
    Ok(())
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let good = "http://127.0.0.1:8080";
    let none = Worker::builder(good, "lhk_key");
    for (builder, wanted) in [
        (none, "the worker cannot be used: it has no queue"),
        (builder("nowhere", "lhk_key"), "write it like https://"),
        (builder("https://admin:secret@127.0.0.1", "lhk_key"), "tokens only"),
        (builder(good, ""), "the token cannot be used: it is empty"),
        (builder(good, "a key"), "a space or another character"),
        (builder(good, "lhk_key").queue("q", nothing), "two handlers for one queue"),
        (builder(good, "lhk_key").queue("a b", nothing), "the queue `a b`"),
        (builder(good, "lhk_key").slots(0), "1 to 1,024"),
        (builder(good, "lhk_key").lease(Duration::from_millis(999)), "it lasts 1s to 1h"),
        (builder(good, "lhk_key").name("a/b"), "the worker's name"),
        (
            builder("https://127.0.0.1", "lhk_key").authority(b"no PEM".to_vec()),
            "no PEM file with a certificate",
        ),
    ] {
        let Err(error) = builder.build() else { panic!("{wanted}: it is built") };
        assert!(matches!(error, WorkerError::Setup { .. }) && error.to_string().contains(wanted), "{error}");
        assert!(!error.to_string().contains("secret"));
    }
    let many =
        (0..33).fold(Worker::builder(good, "lhk_key"), |builder, n| builder.queue(format!("q{n}"), nothing));
    assert!(many.build().is_err_and(|error| error.to_string().contains("more than 32 queues")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_trusted_if_a_file_vouches_for_them() {
    let server = Server::start_with_tls().await;
    server.workflow("q", json!({})).await;
    assert!(server.address.starts_with("https://"));
    let stranger = AtWork::start(builder(&server.address, &server.key)).ended().await;
    assert!(matches!(stranger, Err(WorkerError::Untrusted { .. })), "{stranger:?}");
    let pem = std::fs::read(server.certificate()).unwrap();
    for trusting in [
        builder(&server.address, &server.key).authority(pem),
        builder(&server.address, &server.key).insecure(),
    ] {
        let worker = AtWork::start(trusting);
        let id = server.task("q", json!({})).await;
        assert_eq!(server.ended(&id).await["status"], "Successful");
        worker.stop().await.unwrap();
    }
}
