//! Updates of handlers while they work.

use std::time::Duration;

use longhaul_worker::{ActionError, Context, Stage, StageStatus};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::support::{AtWork, Server, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_stages_and_lines_are_seen_while_it_works() {
    let server = Server::start().await;
    server.workflow("talk", json!({})).await;
    let worker = AtWork::start(server.worker().queue("talk", |ctx: Context, _input: Value| async move {
        let stage = Stage::running("Evacuate", "Evacuate the host");
        ctx.stage(stage.clone());
        ctx.progress(40);
        ctx.log("one\ntwo");
        ctx.log_err("odd");
        ctx.cancellation().cancelled().await;
        ctx.stage(stage.status(StageStatus::Failed));
        ctx.log("last");
        Err::<(), _>(ActionError::new("STOPPED", "stopped"))
    }));
    let id = server.task("talk", json!({})).await;
    let task = server
        .until(&id, |task| task["subTasks"][0]["stages"].as_array().is_some_and(|all| !all.is_empty()))
        .await;
    let stage = &task["subTasks"][0]["stages"][0];
    assert_eq!((&stage["name"], &stage["type"]), (&json!("Evacuate"), &json!("EVACUATE")), "{task}");
    let lines = |lines: &[(&str, &str)]| -> Vec<(String, String)> {
        lines.iter().map(|(stream, text)| ((*stream).to_owned(), (*text).to_owned())).collect()
    };
    let first = [("stdout", "one"), ("stdout", "two"), ("stderr", "odd")];
    assert_eq!(server.log(&id).await, lines(&first));
    sleep(Duration::from_millis(700)).await;
    server.admin.cancel_task(&id).await.unwrap();
    server.ended(&id).await;
    worker.stop().await.unwrap();
    assert_eq!(server.log(&id).await, lines(&[&first[..], &[("stdout", "last")]].concat()));
}

/// Updates precede the end of an attempt, also of one that ends at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_told_is_lost_at_the_end() {
    let server = Server::start().await;
    server.workflow("quick", json!({})).await;
    let worker =
        AtWork::start(server.worker().slots(4).queue("quick", |ctx: Context, _input: Value| async move {
            ctx.stage(Stage::running("Copy", "Copy it").status(StageStatus::Successful));
            for n in 0..3000 {
                ctx.log(format!("line {n} {}", "x".repeat(100)));
            }
            Ok(())
        }));
    let id = server.task("quick", json!({})).await;
    let task = server.ended(&id).await;
    assert_eq!(task["subTasks"][0]["stages"][0]["name"], "Copy", "{task}");
    assert_eq!(task["subTasks"][0]["stages"][0]["status"], task["subTasks"][0]["status"], "{task}");
    let mut after = 0;
    let mut numbers = Vec::new();
    loop {
        let filter = longhaul_client::LogFilter { after, ..Default::default() };
        let page = server.admin.task_logs(&id, &filter).await.unwrap();
        let lines = page["lines"].as_array().unwrap();
        if lines.is_empty() {
            break;
        }
        let number =
            |line: &Value| line["text"].as_str().unwrap().split(' ').nth(1).unwrap().parse::<u32>().unwrap();
        numbers.extend(lines.iter().map(number));
        after = page["next"].as_u64().unwrap();
    }
    assert!(numbers.iter().copied().eq(0..3000), "{} lines, in order", numbers.len());
    worker.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn workers_are_listed_by_the_name_they_have() {
    let server = Server::start().await;
    server.workflow("named", json!({})).await;
    let builder =
        server.worker().name("site-a").queue("named", |_ctx: Context, _input: Value| async move { Ok(()) });
    let built = builder.build().unwrap();
    let name = built.name().to_owned();
    assert!(name.starts_with("site-a-") && name.len() > 30, "{name}");
    let running = tokio::spawn(built.run(std::future::pending()));
    let id = server.task("named", json!({})).await;
    server.ended(&id).await;
    let workers = server.admin.list_workers().await.unwrap();
    assert_eq!(workers["elements"][0]["worker"], name.as_str(), "{workers}");
    // Dropped, it is gone, thread and all.
    running.abort();
    eventually("it ends", || running.is_finished()).await;
    let later = server.task("named", json!({})).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(server.attempts(&later).await.len(), 0);
}
