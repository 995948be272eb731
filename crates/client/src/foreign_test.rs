//! Every call of the client to a server that is no Longhaul server, such as a proxy that answers everything
//! with 200: no call takes its answer for one of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use crate::{
    AuditFilter, Client, ClientError, LogFilter, Login, NewUserBody, Read, ResolveTask, StartTask,
    TaskFilter, UserChange,
};

/// Bodies that no call is answered by.
const BODIES: [&str; 14] = [
    "",
    " \n",
    "null",
    "{}",
    "[]",
    "[{}]",
    "true",
    "7",
    "\"\"",
    HEALTH,
    r#"{"id":"","status":"","name":"","elements":null,"lines":null}"#,
    r#"{"elements":[]}"#,
    r#"{"message":"welcome","errors":[]}"#,
    "<html><body>welcome</body></html>",
];

/// Body that is an answer about health, and none to any other call.
const HEALTH: &str = r#"{"status":"UP"}"#;

/// Calls that servers of the original API answer with an empty body.
const MAY_BE_EMPTY: [&str; 4] = ["retry_task", "retry_task_because", "cancel_task", "cancel_task_because"];

type Answer<'a> = Pin<Box<dyn Future<Output = Result<(), ClientError>> + 'a>>;

/// Every call by its name.
fn calls(client: &Client) -> Vec<(&'static str, Answer<'_>)> {
    macro_rules! calls {
        ($($name:ident($($argument:expr),*);)*) => {
            vec![$((
                stringify!($name),
                Box::pin(async move { client.$name($($argument),*).await.map(drop) }) as Answer<'_>,
            )),*]
        };
    }
    calls! {
        list_tasks(&TaskFilter::default());
        tasks_like("abcd");
        get_task("i", &Read::default());
        changed_task("i", &Read::default(), None);
        start_task(&StartTask::default());
        retry_task("i");
        retry_task_because("i", Some("r"));
        cancel_task("i");
        cancel_task_because("i", Some("r"));
        skip_sub_task("i", "s", "r");
        resolve_task("i", &ResolveTask::default());
        task_attempts("i");
        import_tasks(b"[]".to_vec());
        list_queues();
        change_queue("q", &serde_json::Value::Null, false);
        list_workers();
        list_nodes();
        clock();
        live();
        ready();
        confirm_clock("2026-01-01T00:00:00Z");
        list_locks(None, None, None);
        task_logs("i", &LogFilter::default());
        release_locks("i", "r");
        audit(&AuditFilter::default());
        task_history("i", None);
        task_why("i");
        list_sessions(None, None);
        end_session("i");
        login(Login::ApiKey("k"));
        refresh("t");
        logout("t");
        me();
        list_users();
        add_user(NewUserBody::default());
        get_user("u");
        change_user("u", UserChange::default());
        delete_user("u");
        change_my_password("old", "new");
        add_api_key("u", None);
        delete_api_key("u", "i");
        list_workflows();
        get_workflow("w", None);
        put_workflow("w", &serde_json::Value::Null);
        delete_workflow("w");
    }
}

/// Starts a server that answers whatever it is asked with the same status and body, those set last.
fn stranger() -> (SocketAddr, Arc<Mutex<(u16, &'static str)>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(Mutex::new((200, "")));
    let set = answer.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            read_request(&stream);
            let (status, body) = *set.lock().unwrap();
            let length = body.len();
            let head =
                format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    (address, answer)
}

/// Reads a whole request: one that is left unread breaks the connection before the answer has arrived.
fn read_request(stream: &TcpStream) {
    let (mut reader, mut length) = (BufReader::new(stream), 0);
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        let header = line.to_ascii_lowercase();
        length = header.strip_prefix("content-length: ").map_or(length, |n| n.parse().unwrap());
    }
    let _ = reader.read_exact(&mut vec![0; length]);
}

#[tokio::test]
async fn no_call_takes_the_answer_of_a_stranger_for_its_own() {
    let (address, answer) = stranger();
    let client = Client::new(&format!("http://{address}")).unwrap();
    for status in [200, 202] {
        for body in BODIES {
            *answer.lock().unwrap() = (status, body);
            for (name, call) in calls(&client) {
                let answered = call.await;
                if (status, body) == (200, HEALTH) && ["live", "ready"].contains(&name) {
                    assert!(answered.is_ok(), "{name}: {answered:?}");
                    continue;
                }
                if body.trim().is_empty() && MAY_BE_EMPTY.contains(&name) {
                    assert!(answered.is_ok(), "{name}: {answered:?}");
                    continue;
                }
                assert!(
                    matches!(answered, Err(ClientError::Protocol { .. })),
                    "{name} answered {status} `{body}`: {answered:?}"
                );
            }
        }
    }
}

/// A call that is added is one of the table above.
#[test]
fn the_table_has_every_call() {
    let sources = [
        include_str!("audit.rs"),
        include_str!("health.rs"),
        include_str!("http.rs"),
        include_str!("sessions.rs"),
        include_str!("tasks.rs"),
        include_str!("tokens.rs"),
        include_str!("users.rs"),
        include_str!("work.rs"),
        include_str!("workflows.rs"),
    ];
    let client = Client::new("http://127.0.0.1:1").unwrap();
    let mut table: Vec<&str> = calls(&client).into_iter().map(|(name, _)| name).collect();
    let named =
        |text: &'static str| text.split("    pub async fn ").skip(1).map(|rest| rest.split('(').next());
    let mut written: Vec<&str> = sources.into_iter().flat_map(named).flatten().collect();
    table.sort_unstable();
    written.sort_unstable();
    assert_eq!(table, written);
}
