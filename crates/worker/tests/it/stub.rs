//! A server that does what its script says, and remembers what it was asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longhaul_worker::{Worker, WorkerBuilder};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `lease`, `heartbeat` or `complete`.
    pub(crate) verb: String,
    pub(crate) token: String,
    pub(crate) text: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

/// Answer of the stub.
pub(crate) enum Reply {
    Json(u16, Value),
    /// Refusal with this value of Retry-After.
    Later(u16, u64),
    /// A body that is not JSON.
    Page(u16, &'static str),
    /// Redirect to another address.
    Elsewhere(&'static str),
    /// Closes the connection.
    Nothing,
    /// Never answers.
    Silence,
}

type Script = Arc<dyn Fn(&Asked, usize) -> Reply + Send + Sync>;

pub(crate) struct Stub {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl Stub {
    /// The script gets a request, and how many of its verb were before.
    pub(crate) async fn start(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (known, script): (_, Script) = (asked.clone(), Arc::new(script));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, known.clone(), script.clone()));
            }
        });
        Stub { address, asked, serving }
    }

    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder(&self.address, "lhk_key")
    }

    /// Returns the requests of a verb.
    pub(crate) fn asked(&self, verb: &str) -> Vec<Asked> {
        self.asked.lock().iter().filter(|asked| asked.verb == verb).cloned().collect()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, known: Arc<Mutex<Vec<Asked>>>, script: Script) {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read(&mut stream).await {
        let before = {
            let mut known = known.lock();
            let before = known.iter().filter(|other| other.verb == asked.verb).count();
            known.push(asked.clone());
            before
        };
        let (status, more, body) = match script(&asked, before) {
            Reply::Json(status, body) => (status, String::new(), body.to_string()),
            Reply::Later(status, seconds) => (
                status,
                format!("retry-after: {seconds}\r\n"),
                json!({ "errorCode": "LATER", "message": "later" }).to_string(),
            ),
            Reply::Page(status, text) => (status, String::new(), text.to_owned()),
            Reply::Elsewhere(place) => (307, format!("location: {place}\r\n"), String::new()),
            Reply::Nothing => return,
            Reply::Silence => std::future::pending().await,
        };
        let head = format!("HTTP/1.1 {status} Status\r\n{more}content-length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Asked> {
    let (mut first, mut length, mut token) = (String::new(), 0, String::new());
    stream.read_line(&mut first).await.ok().filter(|length| *length > 0)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "authorization" => token = value.trim_start_matches("Bearer ").to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8(body).ok()?;
    let verb = first.split(' ').nth(1)?.rsplit('/').next()?.to_owned();
    Some(Asked { verb, token, body: serde_json::from_str(&text).ok()?, text, at: Instant::now() })
}

/// A lease of the queue `q`, by a number.
pub(crate) fn lease(n: usize) -> Value {
    json!({
        "lease": format!("task-{n}.0.1"), "token": 1, "expiresInMs": 30_000, "subTask": "Work", "queue": "q",
        "task": { "id": format!("task-{n}"), "name": "Work", "type": "HOST_WORK", "workflow": "work" },
        "attempt": 1, "idempotencyKey": format!("task-{n}-0-0-1"), "input": n
    })
}

/// An answer with leases.
pub(crate) fn leases(numbers: impl IntoIterator<Item = usize>) -> Reply {
    let leases: Vec<Value> = numbers.into_iter().map(lease).collect();
    Reply::Json(200, json!({ "leases": leases, "retryAfterMs": 0 }))
}

/// Every result is recorded, every lease lives, and there is no work for a while.
pub(crate) fn usual(asked: &Asked) -> Reply {
    let all = |name: &str| asked.body[name].as_array().cloned().unwrap_or_default();
    match asked.verb.as_str() {
        "complete" => {
            let results = ["completed", "failed", "released"].map(all).concat();
            let results: Vec<Value> =
                results.iter().map(|one| json!({ "lease": one["lease"], "status": 200 })).collect();
            Reply::Json(200, json!({ "results": results, "leases": [], "retryAfterMs": 0 }))
        }
        "heartbeat" => {
            let live = |one: &Value| json!({ "lease": one["lease"], "state": "live", "expiresInMs": 30_000 });
            Reply::Json(200, json!({ "leases": all("leases").iter().map(live).collect::<Vec<_>>() }))
        }
        _ => Reply::Silence,
    }
}

/// Returns the pauses between successive requests.
pub(crate) fn pauses(asked: &[Asked]) -> Vec<Duration> {
    asked.windows(2).map(|two| two[1].at - two[0].at).collect()
}
