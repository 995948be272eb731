//! A server of its own for each test, and workers of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use longhaul_client::{Client, Credentials, LogFilter, Login, NewUserBody, Read, StartTask};
use longhaul_worker::{Worker, WorkerBuilder, WorkerError};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest time before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Password of the administrator.
pub(crate) const PASSWORD: &str = "a password of the tests";

/// The binary: `LONGHAUL`, or the one beside this test.
pub(crate) fn binary() -> PathBuf {
    if let Some(given) = std::env::var_os("LONGHAUL") {
        return given.into();
    }
    let here = std::env::current_exe().expect("a path");
    let folder = here.ancestors().nth(2).expect("the folder of the target");
    let binary = folder.join("longhaul");
    assert!(binary.exists(), "{} is missing: cargo build -p longhaul, or set LONGHAUL", binary.display());
    binary
}

/// The binary without what the tests' own environment would tell it.
pub(crate) fn longhaul() -> Command {
    let mut command = Command::new(binary());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LONGHAUL_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
    command
}

/// A process that does not outlive its value.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    /// Kills it with SIGKILL, unless it has ended.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    data: TempDir,
    pub(crate) address: String,
    pub(crate) admin: Client,
    /// API key of an account with the role WORKER only.
    pub(crate) key: String,
}

fn spawn(data: &Path, listen: &str, more: &[&str]) -> (Process, String) {
    let child = longhaul()
        .args(["serve", "--log-level", "error", "--listen", listen, "--data-dir"])
        .arg(data)
        .args(more)
        .env("LONGHAUL_ADMIN_PASSWORD", PASSWORD)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut process = Process(child);
    let mut lines = BufReader::new(process.0.stdout.take().expect("a pipe"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("the server says where it listens");
    // Read on, so that it never waits.
    std::thread::spawn(move || lines.lines().for_each(drop));
    let address = first.split(' ').find(|word| word.starts_with("http")).expect("an address");
    (process, address.trim_end_matches(',').to_owned())
}

impl Server {
    pub(crate) async fn start() -> Self {
        Server::start_with(&[]).await
    }

    /// Starts a server with a certificate that it makes itself.
    pub(crate) async fn start_with_tls() -> Self {
        Server::start_with(&["--tls", "self-signed"]).await
    }

    async fn start_with(more: &[&str]) -> Self {
        let data = TempDir::new().expect("a directory");
        let (process, address) = spawn(data.path(), "127.0.0.1:0", more);
        let login = Login::Password { username: "admin", password: PASSWORD };
        let nobody = Client::builder(&address).insecure().build().unwrap();
        let tokens = nobody.login(login).await.unwrap();
        let admin = Client::builder(&address).insecure().credentials(Credentials::Token(tokens.access_token));
        let admin = admin.build().unwrap();
        admin.add_user(NewUserBody { name: "robot", role: "WORKER", ..Default::default() }).await.unwrap();
        let key = admin.add_api_key("robot", None).await.unwrap();
        let key = key["apiKey"].as_str().expect("a key").to_owned();
        Server { process, data, address, admin, key }
    }

    /// The certificate that it made itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.data.path().join("tls/cert.pem")
    }

    /// Kills it with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&mut self) {
        let socket = self.address.trim_start_matches("http://").to_owned();
        self.process = spawn(self.data.path(), &socket, &[]).0;
    }

    pub(crate) fn worker(&self) -> WorkerBuilder {
        Worker::builder(&self.address, &self.key)
    }

    /// A workflow of the same name as its only sub-task's queue; `more` is put over the sub-task.
    pub(crate) async fn workflow(&self, queue: &str, more: Value) {
        let mut sub_task = json!({
            "name": "Work", "description": "Works",
            "action": { "worker": { "queue": queue, "input": "{{ input }}" } }
        });
        sub_task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let definition = json!({
            "name": queue, "type": "HOST_WORK", "title": "Work to do",
            "input": { "type": "object", "additionalProperties": true },
            "subTasks": [sub_task]
        });
        self.admin.put_workflow(queue, &definition).await.unwrap();
    }

    pub(crate) async fn task(&self, queue: &str, input: Value) -> String {
        let start = StartTask { workflow: queue.to_owned(), input, ..StartTask::default() };
        let started = self.admin.start_task(&start).await.unwrap();
        started.task["id"].as_str().unwrap().to_owned()
    }

    /// The task once it has ended.
    pub(crate) async fn ended(&self, id: &str) -> Value {
        self.until(id, |task| ["Successful", "Failed", "Cancelled"].iter().any(|end| task["status"] == *end))
            .await
    }

    /// The task once it is as wanted.
    pub(crate) async fn until(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let read = Read { include: vec!["all".to_owned()], ..Read::default() };
        let start = Instant::now();
        loop {
            let task = self.admin.get_task(id, &read).await.unwrap();
            if wanted(&task) {
                return task;
            }
            assert!(start.elapsed() < PATIENCE, "it does not come: {task}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Attempts of a task, oldest first.
    pub(crate) async fn attempts(&self, id: &str) -> Vec<Value> {
        let page = self.admin.task_attempts(id).await.unwrap();
        page["elements"].as_array().unwrap().clone()
    }

    /// The first error of a failed task's sub-task.
    pub(crate) async fn error(&self, id: &str) -> Value {
        let task = self.ended(id).await;
        assert_eq!(task["status"], "Failed", "{task}");
        task["subTasks"][0]["errors"][0].clone()
    }

    /// The log of a task: stream and text.
    pub(crate) async fn log(&self, id: &str) -> Vec<(String, String)> {
        let page = self.admin.task_logs(id, &LogFilter::default()).await.unwrap();
        let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
        page["lines"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| (text(line, "stream"), text(line, "text")))
            .collect()
    }
}

/// A worker at work.
pub(crate) struct AtWork {
    stop: CancellationToken,
    ended: JoinHandle<Result<(), WorkerError>>,
}

impl AtWork {
    pub(crate) fn start(builder: WorkerBuilder) -> Self {
        let worker = builder.build().unwrap();
        let stop = CancellationToken::new();
        let ended = tokio::spawn(worker.run(stop.clone().cancelled_owned()));
        AtWork { stop, ended }
    }

    pub(crate) fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Stops it, and says how it ended.
    pub(crate) async fn stop(self) -> Result<(), WorkerError> {
        self.stop.cancel();
        self.ended().await
    }

    /// Waits for its end.
    pub(crate) async fn ended(self) -> Result<(), WorkerError> {
        tokio::time::timeout(PATIENCE, self.ended).await.expect("it ends").expect("no panic")
    }
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
