//! Servers that do not answer, refuse, or ask for patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use longhaul_worker::{ActionError, Context, Renewal, TokenSource, WorkerBuilder, WorkerError, async_trait};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::stub::{Asked, Reply, Stub, leases, pauses, usual};
use super::support::{AtWork, eventually};

async fn echo(_ctx: Context, input: Value) -> Result<Value, ActionError> {
    Ok(input)
}

fn echoing(stub: &Stub) -> WorkerBuilder {
    stub.worker().queue("q", echo)
}

/// Attempts that the stub hands out in all.
const ATTEMPTS: usize = 24;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_worker_asks_for_more_with_its_reports_only() {
    let handed_out = AtomicUsize::new(4);
    let stub = Stub::start(move |asked, before| match (asked.verb.as_str(), before) {
        ("lease", 0) => leases(0..4),
        ("complete", _) => {
            let ended = outputs(asked).len();
            let first = handed_out.fetch_add(ended, Ordering::SeqCst);
            let (Reply::Json(_, mut answer), Reply::Json(_, more)) =
                (usual(asked), leases(first.min(ATTEMPTS)..(first + ended).min(ATTEMPTS)))
            else {
                unreachable!()
            };
            answer["leases"] = more["leases"].clone();
            Reply::Json(200, answer)
        }
        _ => usual(asked),
    })
    .await;
    let worker = AtWork::start(echoing(&stub).slots(4));
    let told = || stub.asked("complete").iter().flat_map(outputs).collect::<Vec<usize>>();
    eventually("all are done", || told().len() == ATTEMPTS).await;
    eventually("it asks on", || stub.asked("lease").len() == 2).await;
    worker.stop().await.unwrap();
    assert_eq!((stub.asked("lease").len(), stub.asked("heartbeat").len()), (2, 0));
    let mut all = told();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..ATTEMPTS), "each is told once");
    // Results that end within a moment of each other go together. Where the machine pauses between two of
    // them they may not, so that no exact number of calls is promised.
    let calls = stub.asked("complete");
    assert!(calls.len() <= ATTEMPTS / 2, "{} calls", calls.len());
    for call in calls {
        let free = call.body["next"]["max"].as_u64().unwrap();
        assert!((outputs(&call).len() as u64..=4).contains(&free), "{}", call.body);
        assert_eq!(call.body["next"]["queues"], json!(["q"]));
    }
}

/// The outputs that a report tells.
fn outputs(asked: &Asked) -> Vec<usize> {
    let of = |one: &Value| usize::try_from(one["output"].as_u64().unwrap()).unwrap();
    asked.body["completed"].as_array().unwrap().iter().map(of).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_an_answer_are_repeated_as_they_are() {
    let stub = Stub::start(|asked, before| match (asked.verb.as_str(), before) {
        ("lease", 0) | ("complete", 0 | 2) => Reply::Nothing,
        ("complete", 1) => Reply::Page(200, "<html>the proxy is well</html>"),
        ("complete", 3) => Reply::Page(200, "{\"results\":[],\"leases\":[]}"),
        ("lease", 1) => leases([7]),
        _ => usual(asked),
    })
    .await;
    let worker = AtWork::start(echoing(&stub));
    eventually("it is told", || stub.asked("complete").len() == 5).await;
    worker.stop().await.unwrap();
    let (asks, told) = (stub.asked("lease"), stub.asked("complete"));
    // Under one name, so that the server gives what it gave.
    assert_eq!(asks[0].text, asks[1].text);
    let name = |asked: &Asked| asked.body["request"].as_str().map(str::to_owned).expect("a name");
    assert!(asks[2..].iter().all(|later| name(later) != name(&asks[0])), "{asks:?}");
    assert!(told.iter().all(|call| call.text == told[0].text), "{told:?}");
    assert_eq!(told[0].body["completed"][0], json!({ "lease": "task-7.0.1", "output": 7 }));
    assert_eq!(told.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_say_when_to_come_again() {
    let stub = Stub::start(|asked, before| match (asked.verb.as_str(), before) {
        ("lease", 0) => Reply::Later(429, 1),
        ("lease", 1) => Reply::Json(200, json!({ "leases": [], "retryAfterMs": 700 })),
        ("lease", 2) => Reply::Json(200, json!({ "leases": [], "retryAfterMs": 0, "draining": true })),
        ("lease", 3..6) => Reply::Page(503, "away"),
        _ => usual(asked),
    })
    .await;
    let worker = AtWork::start(echoing(&stub));
    eventually("it asks on", || stub.asked("lease").len() == 7).await;
    worker.stop().await.unwrap();
    let pauses: Vec<u128> = pauses(&stub.asked("lease")).iter().map(Duration::as_millis).collect();
    assert!((1000..1900).contains(&pauses[0]), "Retry-After: {pauses:?}");
    assert!((700..1500).contains(&pauses[1]), "retryAfterMs: {pauses:?}");
    assert!((1000..2800).contains(&pauses[2]), "draining: {pauses:?}");
    assert!(pauses[3] >= 100 && pauses[4] >= 200 && pauses[5] >= 400, "they grow: {pauses:?}");
    assert!(pauses[5] < 1700, "{pauses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_are_refused_end_the_worker() {
    for status in [401, 403] {
        let stub = Stub::start(move |asked, before| match (asked.verb.as_str(), before) {
            ("lease", 0) => leases([1]),
            ("lease", _) => {
                let message = json!({ "errorCode": "NO", "message": "not you", "remediationMessage": "ask" });
                Reply::Json(status, message)
            }
            _ => usual(asked),
        })
        .await;
        let dropped = Arc::new(AtomicBool::new(false));
        let flag = dropped.clone();
        let worker = stub.worker().slots(2).queue("q", move |_ctx: Context, _input: Value| {
            let flag = OnDrop(flag.clone());
            async move {
                let _flag = flag;
                sleep(Duration::from_secs(3600)).await;
                Ok(())
            }
        });
        let ended = AtWork::start(worker).ended().await;
        let Err(WorkerError::Unauthorized { status: said, code, message, remediation, .. }) = ended else {
            panic!("{ended:?}");
        };
        assert_eq!(
            (said, code.as_str(), message.as_str(), remediation.as_deref()),
            (status, "NO", "not you", Some("ask"))
        );
        eventually("what ran is broken off", || dropped.load(Ordering::SeqCst)).await;
    }
}

struct OnDrop(Arc<AtomicBool>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_refusals_of_work_end_the_worker_too() {
    let stub =
        Stub::start(|_, _| Reply::Json(400, json!({ "errorCode": "INVALID", "message": "no queues" }))).await;
    let ended = AtWork::start(echoing(&stub)).ended().await;
    assert!(
        matches!(&ended, Err(WorkerError::Refused { status: 400, message, .. }) if message == "no queues"),
        "{ended:?}"
    );
}

/// Answers of something else in the server's place.
fn foreign(n: usize) -> Reply {
    match n {
        0 => Reply::Page(404, "<html>no such site</html>"),
        1 => Reply::Elsewhere("https://elsewhere.example/"),
        2 => Reply::Page(400, "bad request"),
        3 => Reply::Page(403, ""),
        4 => Reply::Page(401, "{\"message\":\"log in\"}"),
        5 => Reply::Page(200, "<html>welcome</html>"),
        6 => Reply::Page(200, ""),
        7 => Reply::Page(200, "{}"),
        8 => Reply::Page(200, "[]"),
        9 => Reply::Page(200, "null"),
        10 => Reply::Page(200, "{\"results\":[]}"),
        _ => Reply::Page(200, "\u{1f}\u{8b}\u{8}broken"),
    }
}

/// A proxy's answers, of any kind and to any call, for a while: the worker goes on, and reports its work
/// once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_are_not_the_servers_own_end_nothing() {
    let kinds = tokio::task::JoinSet::from_iter((0..12).map(|n| async move {
        let stub = Stub::start(move |asked, before| match (asked.verb.as_str(), before) {
            ("lease" | "complete", 0 | 1) => foreign(n),
            ("lease", 2) => leases([7]),
            _ => usual(asked),
        })
        .await;
        let worker = AtWork::start(echoing(&stub));
        eventually("it is told", || stub.asked("complete").len() == 3).await;
        eventually("it asks on", || stub.asked("lease").len() > 3 || stub.asked("complete").len() == 3).await;
        worker.stop().await.unwrap();
        let told = stub.asked("complete");
        assert!(told.iter().all(|call| call.text == told[0].text), "{n}: {told:?}");
        let asks = stub.asked("lease");
        assert!(asks[1].at - asks[0].at >= Duration::from_millis(100), "{n}: there is a pause");
    }));
    kinds.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patience_of_a_worker_has_an_end_if_it_is_given_one() {
    let stub = Stub::start(|_, _| foreign(0)).await;
    let ended = AtWork::start(echoing(&stub).patience(Duration::from_millis(300))).ended().await;
    let Err(WorkerError::Unreachable { since, reason, .. }) = ended else { panic!("{ended:?}") };
    assert!(reason.contains("404") && reason.contains("no such site"), "{reason}");
    assert!(since.parse::<jiff::Timestamp>().is_ok(), "{since}");
    assert!(stub.asked("lease").len() > 1);
}

struct Renewed(parking_lot::Mutex<&'static str>);

#[async_trait]
impl TokenSource for Renewed {
    fn token(&self) -> String {
        (*self.0.lock()).to_owned()
    }

    async fn renew(&self, refused: &str) -> Renewal {
        let next = match refused {
            "first" => "second",
            "second" => "third",
            _ => return Renewal::Never,
        };
        *self.0.lock() = next;
        Renewal::Token(next.to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_renewed_while_it_works() {
    let stub = Stub::start(|asked, before| match (asked.token.as_str(), asked.verb.as_str(), before) {
        ("first", ..) | ("second", "complete", _) => {
            Reply::Json(401, json!({ "errorCode": "OVER", "message": "over" }))
        }
        (_, "lease", 1) => leases([1]),
        _ => usual(asked),
    })
    .await;
    let worker = AtWork::start(echoing(&stub).tokens(Renewed(parking_lot::Mutex::new("first"))));
    eventually("it is told", || stub.asked("complete").len() == 2).await;
    worker.stop().await.unwrap();
    let tokens: Vec<String> = stub.asked("complete").into_iter().map(|call| call.token).collect();
    assert_eq!(tokens, ["second", "third"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_report_does_not_take_others_with_it() {
    let has_bad = |asked: &Asked| {
        asked.body["completed"].as_array().into_iter().flatten().any(|one| one["lease"] == "task-1.0.1")
    };
    let stub = Stub::start(move |asked, before| match (asked.verb.as_str(), before) {
        ("lease", 0) => leases(0..3),
        ("complete", _) if has_bad(asked) => {
            Reply::Json(400, json!({ "errorCode": "NO", "message": "not this one" }))
        }
        _ => usual(asked),
    })
    .await;
    let worker = AtWork::start(echoing(&stub).slots(3));
    let told = |name: &str| -> Vec<Value> {
        let calls = stub.asked("complete");
        let good = calls.iter().filter(|call| !has_bad(call));
        good.flat_map(|call| call.body[name].as_array().cloned().unwrap_or_default()).collect()
    };
    eventually("all is told", || told("completed").len() == 2 && told("failed").len() == 1).await;
    worker.stop().await.unwrap();
    let failed = &told("failed")[0];
    assert_eq!(
        (&failed["lease"], &failed["error"]["code"]),
        (&json!("task-1.0.1"), &json!("REPORT_REFUSED"))
    );
    assert_eq!(failed["error"]["message"], "the server does not take the result: not this one");
    assert_eq!(failed["retryable"], false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_that_the_server_finds_too_large_becomes_a_failure() {
    let stub = Stub::start(|asked, before| match (asked.verb.as_str(), before) {
        ("lease", 0) => leases([1]),
        ("complete", 0) => {
            Reply::Json(200, json!({ "results": [{ "lease": "task-1.0.1", "status": 413 }], "leases": [] }))
        }
        _ => usual(asked),
    })
    .await;
    let worker = AtWork::start(echoing(&stub));
    eventually("it is told", || stub.asked("complete").len() == 2).await;
    worker.stop().await.unwrap();
    assert_eq!(stub.asked("complete")[1].body["failed"][0]["error"]["code"], "OUTPUT_TOO_LARGE");
}
